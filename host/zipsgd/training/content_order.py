"""An order of a user's rows that does not depend on theirs."""

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled
from zipsgd.packing.kernels import read_only
from zipsgd.rows import Rows, iterate_blocks

__all__ = ["content_order"]

_Index = npt.NDArray[np.int64]


@compiled
def _mix(words: npt.NDArray[np.uint64], hashes: npt.NDArray[np.uint64]) -> None:
    """Stir each row of ``words`` into its hash."""
    for i in range(words.shape[0]):
        h = hashes[i]
        for j in range(words.shape[1]):
            h = np.uint64(np.uint64(h ^ words[i, j]) * np.uint64(0x9E3779B97F4A7C15))
            h = np.uint64(h ^ (h >> np.uint64(29)))
        hashes[i] = h


def content_order(rows: Rows, targets: npt.NDArray[np.float64]) -> _Index:
    """An order of rows, shape (rows,), by a hash of what is in them, features and targets (shape (rows, outputs)).

    The same rows in any order, format or precision that holds them exactly come out in the same order. So does a row that is
    there twice, and a seed means the same for all of these.
    """
    hashes = np.zeros(rows.shape[0], dtype=np.uint64)
    for part, block in iterate_blocks(rows):
        both = np.concatenate([block.astype(np.float64), targets[part]], axis=1) + 0.0  # -0.0 becomes 0.0
        _mix(read_only(both.view(np.uint64)), hashes[part])
    return np.argsort(hashes, kind="stable")
