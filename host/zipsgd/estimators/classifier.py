"""The estimator for linear classification."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from zipsgd.training.calibration import Calibration
from zipsgd.training.class_weights import BALANCED, check_class_weight, class_weights
from zipsgd.training.losses import CompiledLoss
from zipsgd.training.scores import winners
from zipsgd.training.targets import Labels

from .base import BaseZip, Data
from .parameters import documented

__all__ = ["ZipClassifier"]

_Float = npt.NDArray[np.float64]


def _nearest_probabilities(scores: _Float) -> _Float:
    """The probabilities that are nearest to the rows of ``scores``: subtract a constant from each row, and clip it at 0."""
    falling = -np.sort(-scores, axis=1)
    excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, scores.shape[1] + 1)
    support = np.count_nonzero(falling > excess, axis=1)
    probabilities: _Float = np.maximum(scores - np.take_along_axis(excess, support[:, None] - 1, axis=1), 0)
    return probabilities


def _estimates_probabilities(estimator: "ZipClassifier") -> bool:
    calibrated = getattr(estimator, "calibration_", None) is not None
    if calibrated or estimator.loss in ("squared_hinge", "squared_error") or _is_logistic(estimator.loss):
        return True
    raise AttributeError(
        'this loss estimates no probabilities: choose "logistic", "squared_hinge" or "squared_error"'
    )


def _is_logistic(loss: Any) -> bool:
    return loss.odds if isinstance(loss, CompiledLoss) else loss == "logistic"


def _softmax(logarithms: _Float) -> _Float:
    """Probabilities of classes in proportion to the exponentials, shape (rows, classes)."""
    powers = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@documented
class ZipClassifier(ClassifierMixin, BaseZip):
    """Linear classifier (a support vector machine, an LS-SVM, logistic regression), trained by SGD on samples of a few bits.

    Rows are sent to the device as ``bits`` bits per value. The estimator scales the columns itself; a
    ``StandardScaler`` in front of it makes almost no difference. With more than two classes, each class has its own model,
    which separates it from all others.

    {parameters}
    loss : "squared_hinge", "hinge", "logistic", "squared_error" or a compiled loss, default "squared_hinge"
        The loss to minimise. All but "squared_error" need a device that supports them. The gradient of "squared_error" is
        unbiased, and that of hinges has a small bias, because quantisation moves some samples across the margin. "logistic"
        stands for :func:`zipsgd.training.losses.logistic` of degree 5, whose gradient is unbiased with six quantisations of a
        value. :func:`zipsgd.compile_loss` with ``of="margin"`` makes losses from other functions.
    class_weight : dict of class to weight, "balanced" or None, default None
        Positive weights of the classes, by which the sample weights are multiplied. "balanced": inversely proportional to the
        frequency of each class.
    calibrate : bool or "auto", default "auto"
        For 3 to 32 classes: after each ``fit``, but not after ``partial_fit``, fit the models against each other on the host,
        by a softmax regression on their outputs. "auto": unless there is an L1 penalty, whose zeros mixtures would not have.
    refetch : "never", "certain" or "likely", default "never"
        For hinge losses: a sample whose side of the margin is in doubt after quantisation is left out, and sent again with 8
        base bits after the others. "certain": no sample is on the wrong side. "likely": at most one in 1,490 is, and far fewer
        are sent again (:class:`zipsgd.protocol.run.Refetch`). ``history_`` has the share that was sent again. The models of
        several classes are then trained one after the other.

    {attributes}
    classes_ : array of shape (classes,)
        The labels, sorted.
    calibration_ : :class:`zipsgd.training.calibration.Calibration` or None
        The calibration of the models that ``coef_`` and ``intercept_`` contain, and ``model_words_`` do not.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from zipsgd.estimators import ZipClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> ZipClassifier(bits=4, random_state=0).fit(X, y).score(X, y) > 0.94
    True
    """

    def __init__(
        self,
        *,
        loss: Any = "squared_hinge",
        bits: Any = None,
        base_bits: int | None = None,
        estimator: str = "auto",
        levels: str = "uniform",
        scaling: str = "auto",
        clip: float = 0.001,
        fit_intercept: bool = True,
        batch_size: Any = "auto",
        step_size: Any = "auto",
        schedule: Any = "linear",
        penalty: str | None = None,
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        positive: bool = False,
        max_iter: int = 20,
        average: Any = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-3,
        keep: str = "auto",
        class_weight: Any = None,
        calibrate: Any = "auto",
        refetch: str = "never",
        warm_start: bool = False,
        random_state: Any = None,
        backend: Any = "emulator",
        resident: bool = False,
        shards: int | str = 1,
        rounds: int | None = None,
        measure: bool = False,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            loss=loss,
            bits=bits,
            base_bits=base_bits,
            estimator=estimator,
            levels=levels,
            scaling=scaling,
            clip=clip,
            fit_intercept=fit_intercept,
            batch_size=batch_size,
            step_size=step_size,
            schedule=schedule,
            penalty=penalty,
            alpha=alpha,
            l1_ratio=l1_ratio,
            positive=positive,
            max_iter=max_iter,
            average=average,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            keep=keep,
            warm_start=warm_start,
            random_state=random_state,
            backend=backend,
            resident=resident,
            shards=shards,
            rounds=rounds,
            measure=measure,
            verbose=verbose,
        )
        self.class_weight = class_weight
        self.calibrate = calibrate
        self.refetch = refetch

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for ``max_iter`` epochs.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (rows, columns)
            Features, finite numbers. Sparse rows are made dense block by block.
        y : array of shape (rows,)
            Labels of at least two classes: numbers, text or booleans.
        sample_weight : array of shape (rows,) or None
            Weights of the rows, 0 or positive. Whole numbers are copies of a row, and 0 leaves it out. With other numbers,
            each epoch draws as many rows as there are, in proportion to the weights.

        Returns
        -------
        Self
            The estimator.
        """
        X, y = self._validated(X, y, reset=True)
        check_classification_targets(y)
        weights = self._weights(sample_weight, X)
        classes = unique_labels(y if weights is None else y[weights > 0])
        if classes.size == 1:
            raise ValueError(
                f"y holds one class, {classes.tolist()[0]!r}{'' if weights is None else ', in the rows of a weight above 0'}; "
                f"at least two classes are needed"
            )
        if self.warm_start and self._trained and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"y has the classes {classes}, and the model to go on from {self.classes_}: set warm_start=False"
            )
        self.classes_: npt.NDArray[Any] = classes
        if weights is not None and not weights.all():  # a class whose rows all have weight 0 is not a class
            X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
        return self._fit(self._data(X, y, weights))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on these rows, from the current model.

        A call may have any number of rows, also a single one. What is known of all rows so far is kept:

        * The range of a column is that of all calls. If rows exceed it, the scaling grows, with a quarter of room, and the
          model is converted to it. A column that has been constant so far has the weight 0.
        * ``step_size="auto"`` is computed from all rows so far.
        * ``schedule`` goes on from call to call. A call of fewer than 128 rows counts as a part of an epoch, in proportion to
          its rows. "linear", which needs a known end, becomes "sqrt". "constant" follows targets that drift.

        The backend stays open for the next call, see :meth:`close`. If a device is lost, the error says so, the model is the
        one from before the call, and the next call opens the device again.

        Parameters
        ----------
        X, y, sample_weight
            See :meth:`fit`. Some classes may be missing.
        classes : array of shape (classes,) or None
            All classes that will ever occur; needed in the first call.

        Returns
        -------
        Self
            The estimator.
        """
        first = not self._trained
        X, y = self._validated(X, y, reset=first)
        check_classification_targets(y)
        if self.class_weight == BALANCED:
            raise ValueError(
                'class_weight="balanced" needs all rows at once: give partial_fit weights as {class: weight}'
            )
        if classes is not None:
            classes = unique_labels(classes)
            if classes.size == 1:
                raise ValueError(f"classes holds one class, {classes.tolist()[0]!r}; at least two are needed")
        if first:
            if classes is None:
                raise ValueError("the first call of partial_fit needs classes: all that there will be")
            self.classes_ = classes
        elif classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(f"classes={classes} are not those of the first call: {self.classes_}")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y holds {unknown[:5]}, which are not among the classes {self.classes_}")
        return self._partial_fit(self._data(X, y, self._weights(sample_weight, X)))

    @property
    def calibration_(self) -> Calibration | None:
        """Calibration or None: The calibration of the models that ``coef_`` and ``intercept_`` contain."""
        found: Calibration | None = self._calibration
        return found

    def decision_function(self, X: Any) -> _Float:
        """The outputs of the models.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (rows, columns)
            Features.

        Returns
        -------
        npt.NDArray[np.float64] of shape (rows,) for two classes, otherwise (rows, classes)
            For two classes, an output above 0 means ``classes_[1]``. Otherwise the class with the largest output is predicted.
        """
        decision = self._decide(X)
        return decision[:, 0] if decision.shape[1] == 1 else decision

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the classes of rows.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (rows, columns)
            Features.

        Returns
        -------
        npt.NDArray of shape (rows,)
            Labels of the classes.
        """
        numbers = winners(self._decide(X))
        labels: npt.NDArray[Any] = self.classes_[numbers]
        return labels

    @available_if(_estimates_probabilities)
    def predict_proba(self, X: Any) -> _Float:
        """Estimate the probabilities of the classes.

        With more than two classes and ``calibrate``, they are the softmax of :meth:`decision_function`. Otherwise they are not
        available with a hinge, or a compiled loss other than the logistic.

        Outputs of squared error and squared hinge estimate 2 P(class) - 1. The result is the nearest valid probabilities, many
        of which are exactly 0 or 1. They are right on average, but not for rows far from the others. Outputs of the logistic
        loss estimate logarithms of odds; the probabilities of several classes are scaled to a sum of 1.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (rows, columns)
            Features.

        Returns
        -------
        npt.NDArray[np.float64] of shape (rows, classes)
            Probabilities, in the order of ``classes_``.
        """
        decision = self._decide(X)
        if self.calibration_ is not None:
            return _softmax(decision)
        if decision.shape[1] == 1:
            decision = np.hstack([-decision, decision])
        if _is_logistic(self.loss):
            return _softmax(-np.logaddexp(0, -decision))
        return _nearest_probabilities((1 + decision) / 2)

    def _data(self, X: Any, y: Any, weights: _Float | None) -> Data:
        numbers = np.searchsorted(self.classes_, y)
        if self.class_weight is not None:
            check_class_weight(self.class_weight)
            of_class = class_weights(self.class_weight, self.classes_.tolist(), numbers, weights)
            weights = of_class[numbers] if weights is None else weights * of_class[numbers]
        return Data(X, y, Labels.of_classes(numbers, self.classes_.size), weights)

    @property
    def _task_options(self) -> dict[str, Any]:
        return {
            "classify": True,
            "loss": self.loss,
            "refetch": self.refetch,
            "calibrate": self._calibrate_option(),
        }

    def _calibrate_option(self) -> bool | None:
        if isinstance(self.calibrate, str):
            if self.calibrate != "auto":
                raise ValueError(f'calibrate must be True, False or "auto", not {self.calibrate!r}')
            return None
        return bool(self.calibrate)

    @property
    def _names(self) -> npt.NDArray[Any]:
        return self.classes_

    def _set_coefficients(self, coef: _Float, intercept: _Float) -> None:
        self.coef_, self.intercept_ = coef, intercept
