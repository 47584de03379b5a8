"""The parameters and attributes that all estimators share, as their docstrings list them."""

import inspect
import textwrap
from typing import TypeVar

__all__ = ["documented"]

_T = TypeVar("_T")

_PARAMETERS = """\
Parameters
----------
base_bits : int, default 2
    Base planes p of a value, 1 to 8; with optimal levels 0 to 4.
samples_per_value : "auto" or int, default "auto"
    Independent quantisations m of a value, one more bit each: 2 is double sampling, without bias; 1 the naive, biased one;
    0 truncates. A loss of a polynomial of degree d takes d + 1 of them. "auto": as many as are without bias.
levels : "uniform" or "optimal", default "uniform"
    Even levels, or those of least variance for each column, which need a device with a transcoder.
batch_size : "auto" or int, default "auto"
    Samples of a mini-batch. "auto": 16, fewer where rows are fewer than 512.
step_size : "auto" or float, default "auto"
    Of the first epoch, for features in [-1, 1]. "auto" follows from the data: :func:`zipsgd.training.steps.default_step_size`.
schedule : str or list of float, default "linear"
    How the step shrinks by epoch: "linear" to 0 at the end of each fit, "constant", "sqrt" (1 / sqrt t) or "inverse"
    (1 / t) by epochs since training began; or a factor for each epoch, of which the last one goes on.
penalty : None, "l2", "l1" or "elasticnet", default None
    Regulariser, which needs a device with a proximal step. The intercept is spared.
alpha : float, default 1e-4
    Its strength, for features in [-1, 1]: alpha / 2 ||w||^2 beside the mean loss, or alpha ||w||_1.
l1_ratio : float, default 0.15
    The share of L1 in "elasticnet".
max_iter : int, default 20
    Epochs, passes over the rows, of a fit.
average : bool or int, default False
    Whether ``coef_`` is the mean of the models after each epoch, of all, or from that epoch on. Suits schedule="constant".
early_stopping : bool, default False
    Hold rows out, rate each epoch's model on them, stop when that no longer improves, and keep the best model. The step
    of schedule="linear" is still large then: "sqrt" or "constant" with ``average`` suit better.
validation_fraction : float, default 0.1
    Share of the rows held out for ``early_stopping``.
n_iter_no_change : int, default 5
    Epochs without an improvement after which ``early_stopping`` stops.
tol : float, default 1e-3
    Least improvement of the score (accuracy, or R2) that counts.
warm_start : bool, default False
    Whether ``fit`` goes on from the model there is. On the same rows, 5 epochs and 5 more give the bits of 10, unless
    the schedule is "linear".
random_state : int, RandomState or None, default None
    An int is the run's seed, which decides order, up bits and all rounding: it gives the same bits on every backend, in
    whatever order the rows come. Otherwise a seed is drawn, see ``seed_``.
backend : str, default "emulator"
    "emulator", "golden", "sim" (the virtual board), or the port or URL of a board. Opened by each fit, closed after it.
measure : bool, default False
    Whether each epoch's model is also measured exactly: its loss and its score on the unquantised rows, and on the rows held
    out. They are in ``history_``, and callbacks see them.
verbose : int, default 0
    Whether each epoch is reported in a line."""

_ATTRIBUTES = """\
Attributes
----------
coef_, intercept_ : arrays
    The model in the units of the data. A column that never varies has the weight 0.
n_features_in_, feature_names_in_ : int, array of str
    Of X; names where X is a data frame.
n_iter_, n_epochs_ : int
    Epochs of the last fit, and since training began.
model_words_ : int64 array of shape (models, columns + 1)
    The device's models, the intercept's word last.
scale_ : float
    What one unit of ``model_words_`` is worth in a model of scaled features and targets.
scalings_ : list of :class:`zipsgd.data.Scaling`
    Of each model: columns to [-1, 1], targets likewise.
seed_ : int
    Of the run.
history_ : list of dict
    Of each epoch since training began: ``epoch`` from 1, ``loss`` (while training, of scaled targets: the mean squared
    residual, or mean hinge, over rows and models), ``step_size``, ``flags`` (places where values were saturated), ``samples``,
    ``seconds``, ``samples_per_second`` (of all models), ``bits`` (sent as samples), ``refetched`` (share of samples) and
    ``validation_score`` if there is one. With ``measure`` also ``exact_loss``, ``score`` and ``validation_loss``.
    :meth:`plot_history` draws it."""


def documented(estimator: type[_T]) -> type[_T]:
    """Put the shared lists into a class's docstring."""
    text = inspect.cleandoc(estimator.__doc__ or "")
    estimator.__doc__ = textwrap.indent(
        text.format(parameters=_PARAMETERS, attributes=_ATTRIBUTES), "    "
    ).strip()
    return estimator
