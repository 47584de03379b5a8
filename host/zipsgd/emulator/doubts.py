"""Which samples of a hinge are in doubt, compiled: those that quantisation may have moved over the margin."""

from typing import Any

import numpy as np

from zipsgd.compiled import compiled

from .sample import exact_residual
from .state import CERTAIN, Run, Vector, bit_length

__all__ = ["in_doubt", "score_bounds"]


@compiled
def score_bounds(q3: Vector, run: Run) -> tuple[int, int]:
    """How far the score of the sample itself may lie below its reference, and above."""
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
    """Whether the margin is between the bounds around ``z``."""
    residual = exact_residual(z, label, run)
    return bool(residual <= bounds[0] << run.z_shift and -residual <= bounds[1] << run.z_shift)
