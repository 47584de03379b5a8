"""An order of rows that depends only on their contents, and not on the order in which the user gives them."""

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled
from zipsgd.packing.kernels import read_only
from zipsgd.rows import Rows, iterate_blocks

__all__ = ["content_order"]

_Index = npt.NDArray[np.int64]


@compiled
def _mix(words: npt.NDArray[np.uint64], hashes: npt.NDArray[np.uint64]) -> None:
    """Mix the words of each row into the hash of the row."""
    for i in range(words.shape[0]):
        h = hashes[i]
        for j in range(words.shape[1]):
            h = np.uint64(np.uint64(h ^ words[i, j]) * np.uint64(0x9E3779B97F4A7C15))
            h = np.uint64(h ^ (h >> np.uint64(29)))
        hashes[i] = h


def content_order(rows: Rows, targets: npt.NDArray[np.float64]) -> _Index:
    """Order rows by a hash of their features and targets.

    The same rows get the same order, whatever their original order, their file format, or their precision (as long as it
    holds them exactly). So the same seed gives the same bits for all of these.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        Features.
    targets : npt.NDArray[np.float64] of shape (rows, outputs)
        Targets.

    Returns
    -------
    npt.NDArray[np.int64] of shape (rows,)
        Row numbers in the order of the hashes.
    """
    hashes = np.zeros(rows.shape[0], dtype=np.uint64)
    for part, block in iterate_blocks(rows):
        both = np.concatenate([block.astype(np.float64), targets[part]], axis=1) + 0.0  # -0.0 becomes 0.0
        _mix(read_only(both.view(np.uint64)), hashes[part])
    return np.argsort(hashes, kind="stable")
