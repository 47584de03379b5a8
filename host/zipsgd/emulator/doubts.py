"""Compiled test for hinge samples in doubt: those that quantisation may have moved across the margin."""

from typing import Any

import numpy as np

from zipsgd.compiled import compiled

from .sample import exact_residual
from .state import CERTAIN, Run, Vector, bit_length

__all__ = ["in_doubt", "score_bounds"]


@compiled
def score_bounds(q3: Vector, run: Run) -> tuple[int, int]:
    """Bounds on how far the score of the unquantised sample may lie below and above its reference score.

    Parameters
    ----------
    q3 : npt.NDArray[np.integer] of shape (features,)
        The rounded model.
    run : Run
        Constants of the epoch.

    Returns
    -------
    tuple[int, int]
        Largest distance below and above, as :func:`zipsgd.golden.bound.score_bounds`.
    """
    below, above, squares = np.int64(0), np.int64(0), np.int64(0)
    spared = run.spare_last and run.ball > 0
    for j, word in enumerate(q3):
        below += max(-np.int64(word), np.int64(0))
        above += max(np.int64(word), np.int64(0))
        if not spared or j < q3.size - 1:
            squares += np.int64(word) * np.int64(word)
    if run.refetch == CERTAIN:
        return int(below), int(above)
    half = bit_length(int(squares)) // 2
    bound = int((1 << half) + (squares >> half) + 1)
    return bound, bound


@compiled
def in_doubt(z: Any, label: int, bounds: tuple[int, int], run: Run) -> bool:
    """Whether the margin lies between the bounds around a score.

    Parameters
    ----------
    z : int
        Reference score.
    label : int
        Label in units of 2^-15.
    bounds : tuple[int, int]
        From :func:`score_bounds`.
    run : Run
        Constants of the epoch.

    Returns
    -------
    bool
        Whether the sample is in doubt.
    """
    residual = exact_residual(z, label, run)
    return bool(residual <= bounds[0] << run.z_shift and -residual <= bounds[1] << run.z_shift)
