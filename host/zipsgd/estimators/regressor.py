"""Linear regression by least squares, or other losses of the residual."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin

from zipsgd.training.targets import Labels

from .base import BaseZip, Data
from .parameters import documented

__all__ = ["ZipRegressor"]

_Float = npt.NDArray[np.float64]


@documented
class ZipRegressor(RegressorMixin, BaseZip):
    """Linear regression, trained by SGD on samples of a few bits.

    Rows go to the device as base_bits + samples_per_value bits a value. With samples enough, two for least squares, the
    gradient has no bias, so that the model is that of full-precision SGD. Columns are scaled by the estimator itself: a
    ``StandardScaler`` before it changes next to nothing. Several outputs (y of shape (rows, outputs)) are as many models on the
    same rows.

    {parameters}
    loss : "squared_error", "huber" or a compiled loss, default "squared_error"
        "huber" grows linearly from about half the targets' range on (:func:`zipsgd.training.losses.pseudo_huber`), and
        :func:`zipsgd.training.losses.compile_loss` makes losses of other functions ``of="residual"``, of targets in [-1, 1].

    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from zipsgd.estimators import ZipRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ZipRegressor(base_bits=2, random_state=0).fit(X, y).score(X, y) > 0.5
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for ``max_iter`` epochs.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (rows, columns), finite numbers. Sparse rows are made dense by blocks.
        y : shape (rows,) or (rows, outputs).
        sample_weight : shape (rows,), not negative: how often rows are trained on. Whole numbers are copies of a row, 0 leaves
            it out. With any others, each epoch draws as many rows as there are, in proportion to weight, by the run's seed.
        """
        return self._fit(self._data(X, y, sample_weight, reset=True))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on these rows, from the model there is.

        The first call's rows set the scale. Rows beyond its ranges widen it, for which the model is rounded once more. The
        step follows ``schedule`` by calls; "linear", which needs an end, becomes "sqrt".

        Parameters are those of :meth:`fit`.
        """
        return self._partial_fit(self._data(X, y, sample_weight, reset=not self._trained))

    def predict(self, X: Any) -> _Float:
        """Outputs in y's units: shape (rows,), or (rows, outputs) if y was that."""
        outputs = self._decide(X)
        return outputs if self._several else outputs[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _data(self, X: Any, y: Any, weights: Any, *, reset: bool) -> Data:
        X, y = self._validated(X, y, reset=reset, multi_output=True, y_numeric=True)
        values = np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)
        self._several: bool = y.ndim == 2
        return Data(X, y, Labels(values), self._weights(weights, X))

    @property
    def _task_options(self) -> dict[str, Any]:
        return {"loss": self.loss}

    def _set_coefficients(self, coef: _Float, intercept: _Float) -> None:
        self.coef_ = coef if self._several else coef[0]
        self.intercept_: _Float | float = intercept if self._several else float(intercept[0])
