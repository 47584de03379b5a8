"""Scores of predictions."""

import math

import numpy as np
import numpy.typing as npt

__all__ = ["r2", "winners"]

_Float = npt.NDArray[np.float64]


def winners(outputs: _Float) -> npt.NDArray[np.int64]:
    """The predicted class of each row.

    Parameters
    ----------
    outputs : _Float of shape (rows, classes), or (rows, 1) for two classes
        Outputs of the models.

    Returns
    -------
    npt.NDArray[np.int64] of shape (rows,)
        Class numbers: the class with the largest output; of two classes, 1 where the output is above 0.
    """
    numbers: npt.NDArray[np.int64] = (
        outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).astype(np.int64)
    )
    return numbers


def r2(labels: _Float, predicted: _Float, weights: _Float | None = None) -> float:
    """The share of the labels' variance that predictions explain, the mean over outputs.

    Parameters
    ----------
    labels, predicted : _Float of shape (rows, outputs)
        The true labels, and the predictions.
    weights : _Float of shape (rows,) or None
        Weight of each row; None for equal weights.

    Returns
    -------
    float
        R2, at most 1; NaN if an output does not vary.
    """
    spread = np.average((labels - np.average(labels, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    error = np.average((predicted - labels) ** 2, axis=0, weights=weights)
    if not np.all(spread > 0):
        return math.nan
    return float(np.mean(1 - error / spread))
