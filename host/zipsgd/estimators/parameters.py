"""The descriptions of parameters and attributes that the docstrings of all estimators share."""

import inspect
import textwrap
from typing import TypeVar

__all__ = ["documented"]

_T = TypeVar("_T")

_PARAMETERS = """\
Parameters
----------
bits : int, list of int, "auto" or None, default None
    Bits of a value on the link, of all epochs or of each one. "auto": begin with few, and take one more whenever the loss no
    longer falls. None: 4, or 2 more than a polynomial loss has quantisations, or as ``base_bits`` says.
base_bits : int or None, default None
    Base planes p of a value, in place of ``bits``: 1 to 8; with optimal levels 0 to 4.
estimator : "auto", "double", "one-draw", "naive" or "truncated", default "auto"
    How the gradient is estimated from quantised values, see :class:`zipsgd.Options`. "double": by two independent quantisations
    of a value, without bias. "one-draw": by one, whose known bias the device takes away. "naive": by one, with its bias.
    "truncated": by the base planes alone. "auto": what does best at the given bits.
levels : "uniform", "optimal" or "auto", default "uniform"
    Evenly spaced levels, or the levels of least variance for each column, which need a device with a transcoder. "auto":
    optimal ones where rounding to uniform ones would drown the gradients in noise, and the device has a transcoder.
scaling : "auto", "range", "standard", "quantile" or "none", default "auto"
    What part of a column's range becomes [-1, 1]. "range": all of it. "standard": 3.3 standard deviations about the mean.
    "quantile": all but the share ``clip`` of the values. "none": one scale for all columns, without centring, for images and
    sparse data. "auto": "standard" or "quantile" where a linear model then explains clearly more of the targets, estimated on
    a sample of the rows, and otherwise "range"; with ``partial_fit``, "range". Values beyond are clipped, and ``predict`` clips
    them alike.
clip : float, default 0.001
    Share of the values that scaling="quantile" clips, and "standard" of normally distributed ones.
fit_intercept : bool, default True
    False: no intercept, and nothing is centred, so that 0 stays 0. Needs scaling="none", which "auto" then stands for.
batch_size : "auto" or int, default "auto"
    Samples of a mini-batch. "auto": 16, or fewer if there are fewer than 512 rows.
step_size : "auto" or float, default "auto"
    Step size of the first epoch, for features in [-1, 1]. "auto": computed from the data, see
    :func:`zipsgd.training.automatic_step.automatic_steps`.
schedule : str or list of float, default "linear"
    How the step size shrinks from epoch to epoch: "linear" to 0 at the end of each fit, "constant", "sqrt" (1 / sqrt t) or
    "inverse" (1 / t) in epoch t since training began; or a factor for each epoch, the last of which holds for all further
    epochs. For ``partial_fit`` see there.
penalty : None, "l2", "l1" or "elasticnet", default None
    Regulariser, which needs a device with a proximal step. The intercept is not penalised.
alpha : float, default 1e-4
    Strength of the penalty, for features in [-1, 1]: alpha / 2 ||w||^2 (L2) or alpha ||w||_1 (L1) is added to the mean loss.
l1_ratio : float, default 0.15
    Share of the L1 penalty in "elasticnet".
positive : bool, default False
    Keep all weights but the intercept from being negative, which needs a device with a proximal step.
max_iter : int, default 20
    Number of epochs (passes over the rows) of a fit.
average : bool or int, default False
    True: ``coef_`` is the mean of the models after all epochs. A number: the mean from this epoch on. Suited to
    schedule="constant".
early_stopping : bool, default False
    Hold out some rows, compute the score on them after each epoch, stop when it no longer improves, and keep the best model.
    With schedule="linear" the step size is then still large; "sqrt", or "constant" with ``average``, work better.
validation_fraction : float, default 0.1
    Share of the rows that ``early_stopping`` holds out.
n_iter_no_change : int, default 5
    ``early_stopping`` stops after this many epochs without an improvement.
tol : float, default 1e-3
    Smallest improvement of the score (accuracy or R2) that counts.
keep : "auto", "best" or "last", default "auto"
    Which epoch's model is the result. "last": the last one's. "best": that of the best score on the rows held out, or without
    them on some of the training rows. "auto": the last one, unless it is clearly worse than the best one; with
    ``early_stopping`` the best one.
warm_start : bool, default False
    Whether ``fit`` continues from the current model. On the same rows, 5 epochs and 5 more give the same bits as 10 epochs,
    except with schedule="linear".
random_state : int, RandomState or None, default None
    An int is the seed of the run, which determines the order of the rows, the up bits and all rounding. The same seed gives
    the same bits on every backend, whatever the original order of the rows. Otherwise a seed is drawn, see ``seed_``.
backend : str or BackendOptions, default "emulator"
    "emulator", "golden", "sim" (the virtual board), the port or URL of a board, or a :class:`zipsgd.BackendOptions`. Each
    fit opens it, and closes it at the end. ``partial_fit`` leaves it open for the next call, see :meth:`close`.
resident : bool, default False
    Whether ``fit`` keeps the rows in the board's store, if it has one with enough room, so that they come over the link only
    once; they are then quantised only once. ``partial_fit`` streams its rows.
shards : int or "auto", default 1
    ``fit`` trains so many parts of the rows from the same model, and averages their models. With
    backend=:class:`zipsgd.distributed.Workers` the parts are trained side by side; the bits do not depend on who trains them.
    "auto": a number that suits the rows and the workers.
rounds : int or None, default None
    With ``shards``: how often the models are averaged in an epoch. None: 4 times from 8 shards on, and less often
    for fewer shards, for few rows and with resident samples.
measure : bool, default False
    Whether each epoch's model is also measured exactly: its loss and its score on the unquantised rows, and on the rows held
    out. ``history_`` has the results, and callbacks receive them.
verbose : int, default 0
    Whether a line is printed for each epoch (0: no)."""

_ATTRIBUTES = """\
Attributes
----------
coef_, intercept_ : arrays
    The model in the units of the data. A constant column has the weight 0. Where training clipped a column, ``predict`` clips
    it before it applies the model.
n_features_in_, feature_names_in_ : int, array of str
    Number of columns of X, and their names if X is a data frame.
n_iter_, n_epochs_ : int
    Number of epochs of the last fit, and since training began.
kept_epoch_ : int
    The epoch, counted since training began, whose model this is.
warnings_ : list of :class:`zipsgd.training.guard.Finding`
    What went wrong in the last fit; empty if nothing did. A ``ConvergenceWarning`` says the same.
model_words_ : int64 array of shape (models, columns + 1)
    The models on the device as integers; the intercept's word is the last one.
scaling_ : str
    The kind of scaling that was used.
scale_ : float
    Value of one unit of ``model_words_`` in a model of scaled features and targets.
scalings_ : list of :class:`zipsgd.data.Scaling`
    Scaling of each model: how columns and targets are scaled to [-1, 1]. ``clipped`` of each lists the columns some of whose
    values were clipped.
seed_ : int
    Seed of the run.
history_ : list of dict
    An entry for each epoch since training began; ``partial_fit`` keeps the last 1,000. It has ``epoch`` (counted from 1),
    ``loss`` (mean loss during the epoch over rows and models, for scaled targets), ``step_size``, ``flags`` (names of the
    places where values were saturated), ``samples``, ``seconds``, ``samples_per_second`` (over all models), ``bits`` (sent as
    samples), ``refetched`` (share of the samples that were sent again, with refetching only), ``merit`` (R2 or accuracy on some
    rows in full precision, by which a fit that goes wrong is noticed), ``validation_score`` (with early stopping only) and,
    with ``measure``, ``exact_loss``, ``score`` and ``validation_loss``. :meth:`plot_history` draws it."""


def documented(estimator: type[_T]) -> type[_T]:
    """Class decorator that inserts the shared descriptions into the docstring of an estimator.

    Parameters
    ----------
    estimator : type
        The class, whose docstring contains ``{parameters}`` and ``{attributes}``.

    Returns
    -------
    type
        The same class.
    """
    text = inspect.cleandoc(estimator.__doc__ or "")
    estimator.__doc__ = textwrap.indent(
        text.format(parameters=_PARAMETERS, attributes=_ATTRIBUTES), "    "
    ).strip()
    return estimator
