"""A joint loss for all classes, as no device here has it: the yardstick for what one model against all others loses."""

from typing import Self

import numpy as np
import numpy.typing as npt

from zipsgd.training.steps import largest_step

__all__ = ["JointSoftmax"]

_Float = npt.NDArray[np.float64]

_CURVATURE = 0.5
"""Largest curvature of the softmax loss."""


class JointSoftmax:
    """Softmax regression by SGD in float64, with the scaling, the mini-batches, the schedule and the step of a zipsgd run.

    Parameters
    ----------
    step : float
        Factor of the automatic step.
    epochs : int
        Passes over the rows.
    batch : int
        Samples of a mini-batch.
    """

    def __init__(self, step: float = 1.0, epochs: int = 20, batch: int = 16) -> None:
        self._step, self._epochs, self._batch = step, epochs, batch

    def fit(self, X: _Float, y: npt.NDArray[np.integer]) -> Self:
        """Train on rows of shape (rows, columns) and classes from 0 on."""
        self._centre = X.mean(axis=0)
        self._spread = np.abs(X - self._centre).max(axis=0)
        self._spread[self._spread == 0] = 1
        rows, targets = self._scaled(X), np.eye(int(y.max()) + 1)[y]
        size = self._step * largest_step(rows, self._batch, 8, 0, _CURVATURE)
        self._model = np.zeros((targets.shape[1], rows.shape[1]))
        rng = np.random.default_rng(0)
        for epoch in range(self._epochs):
            order = rng.permutation(len(rows))
            for start in range(0, len(rows), self._batch):
                some = order[start : start + self._batch]
                outputs = rows[some] @ self._model.T
                shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
                shares /= shares.sum(axis=1, keepdims=True)
                gradient = (shares - targets[some]).T @ rows[some] / self._batch
                self._model -= size * (1 - epoch / self._epochs) * gradient
        return self

    def predict(self, X: _Float) -> npt.NDArray[np.int64]:
        """The classes of rows of shape (rows, columns)."""
        return np.asarray((self._scaled(X) @ self._model.T).argmax(axis=1))

    def _scaled(self, X: _Float) -> _Float:
        return np.column_stack([(X - self._centre) / self._spread, np.ones(len(X))])
