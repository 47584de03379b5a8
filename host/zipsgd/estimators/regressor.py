"""The estimator for linear regression."""

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

    Rows are sent to the device as ``bits`` bits per value. The gradient is unbiased unless ``estimator`` says otherwise, so
    that SGD converges to the same model as in full precision. The estimator scales the columns itself; a ``StandardScaler`` in
    front of it makes almost no difference. For several outputs (y of shape (rows, outputs)) one model is trained for each.

    {parameters}
    loss : "squared_error", "huber" or a compiled loss, default "squared_error"
        The loss to minimise. "huber" grows linearly for residuals above about a quarter of the targets' range
        (:func:`zipsgd.training.losses.pseudo_huber`). :func:`zipsgd.compile_loss` with ``of="residual"`` makes losses from
        other functions, for targets that are scaled to [-1, 1].

    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from zipsgd.estimators import ZipRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ZipRegressor(bits=4, random_state=0).fit(X, y).score(X, y) > 0.5
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for ``max_iter`` epochs.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (rows, columns)
            Features, finite numbers. Sparse rows are made dense block by block.
        y : array of shape (rows,) or (rows, outputs)
            Targets.
        sample_weight : array of shape (rows,) or None
            Weights of the rows, 0 or positive. Whole numbers are copies of a row, and 0 leaves it out. With other numbers,
            each epoch draws as many rows as there are, in proportion to the weights.

        Returns
        -------
        Self
            The estimator.
        """
        return self._fit(self._data(X, y, sample_weight, reset=True))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
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
            See :meth:`fit`.

        Returns
        -------
        Self
            The estimator.
        """
        return self._partial_fit(self._data(X, y, sample_weight, reset=not self._trained))

    def predict(self, X: Any) -> _Float:
        """Predict the targets of rows.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (rows, columns)
            Features.

        Returns
        -------
        npt.NDArray[np.float64] of shape (rows,), or (rows, outputs) if y had this shape
            Predictions in the units of y.
        """
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
