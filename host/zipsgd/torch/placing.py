"""The levels of each method, for groups of weights as NumPy arrays. It does not need PyTorch."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from zipsgd.levels import levels as least_variance_levels
from zipsgd.levels import nearest_levels

__all__ = ["Method", "Per", "Rounding", "place_levels"]

Method = Literal["optimal", "heuristic", "uniform", "binary"]
Rounding = Literal["nearest", "stochastic"]
Per = Literal["tensor", "channel"]

_Floats = npt.NDArray[np.float64]


def _placed(weights: _Floats, count: int, method: Method, rounding: Rounding) -> _Floats:
    """Levels of one group in ascending order, at most ``count``."""
    if method == "binary":
        size = np.abs(weights).mean()
        return np.array([-size, size])
    if method == "uniform":
        most = np.abs(weights).max()
        return np.linspace(-most, most, count)
    if rounding == "stochastic":
        return least_variance_levels(
            weights, count, method="greedy" if method == "heuristic" else "exact"
        ).levels
    return nearest_levels(weights, count, method="greedy" if method == "heuristic" else "exact").levels


def place_levels(weights: _Floats, count: int, method: Method, rounding: Rounding) -> _Floats:
    """The levels of each group of weights.

    Parameters
    ----------
    weights : npt.NDArray[np.float64] of shape (groups, weights)
        Finite weights; each group has levels of its own.
    count : int
        Number of levels, at least 2.
    method : {"optimal", "heuristic", "uniform", "binary"}
        See :func:`zipsgd.torch.quantize_`.
    rounding : {"nearest", "stochastic"}
        What optimal levels are optimal for.

    Returns
    -------
    npt.NDArray[np.float64] of shape (groups, count)
        Levels in ascending order. Where there are fewer, the last one is repeated.

    Raises
    ------
    ValueError
        A weight is NaN or infinite, or the weights' range is not 0 or in 1e-140..1e140.
    """
    if not np.all(np.isfinite(weights)):
        raise ValueError(
            "weights must be finite, and some are NaN or infinite; the training may have diverged"
        )
    placed = np.empty((len(weights), count))
    for row, group in zip(placed, weights, strict=True):
        found = _placed(group, count, method, rounding)
        row[: found.size] = found
        row[found.size :] = found[-1]
    return placed
