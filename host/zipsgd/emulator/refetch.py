"""Which samples of a hinge are in doubt, compiled: those that quantisation may have moved over the margin."""

from typing import Any

import numpy as np

from zipsgd.compiled import compiled

from .sample import exact_residual
from .state import CERTAIN, Run, Vector, bit_length

__all__ = ["in_doubt", "score_bound"]


@compiled
def score_bound(q3: Vector, run: Run) -> int:
    """How far z_1 may be from the score of the sample itself."""
    certain, squares = np.int64(0), np.int64(0)
    spared = run.spare_last and run.ball > 0
    for j, word in enumerate(q3):
        certain += abs(np.int64(word))
        if not spared or j < q3.size - 1:
            squares += np.int64(word) * np.int64(word)
    if run.refetch == CERTAIN:
        return int(certain)
    half = bit_length(int(squares)) // 2
    return int(min(certain, (1 << half) + (squares >> half) + 1))


@compiled
def in_doubt(z1: Any, label: int, bound: int, run: Run) -> bool:
    """Whether the margin is nearer than ``bound``."""
    return bool(abs(exact_residual(z1, label, run)) < bound << run.z_shift)
