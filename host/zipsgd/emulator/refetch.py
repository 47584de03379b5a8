"""Which samples of a hinge are in doubt, compiled: those that quantisation may have moved over the margin."""

from typing import Any

import numpy as np

from zipsgd.compiled import compiled

from .state import CERTAIN, Run, Vector

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
    bits = 0
    while squares >> bits:
        bits += 1
    half = bits // 2
    return int(min(certain, (1 << half) + (squares >> half) + 1))


@compiled
def in_doubt(z1: Any, label: int, bound: int, run: Run) -> bool:
    """Whether the margin is nearer than ``bound``."""
    residual: Any = (np.int64(z1) << run.z_shift) - (np.int64(label) << run.label_shift)
    return bool(abs(residual) < bound << run.z_shift)
