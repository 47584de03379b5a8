"""The variance with which a device's quantisation replaces values."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.rows import iterate_blocks

__all__ = ["rounding_variance"]

_Float = npt.NDArray[np.float64]


def rounding_variance(
    values: npt.NDArray[np.floating], base_bits: int, levels: LevelTable | None = None, scale: float = 1.0
) -> _Float:
    """Mean variance of the values of each column when they are rounded to a level at random, without bias.

    A value x between the levels l and u has the variance (u - x)(x - l) (ZipML, section 3).

    Parameters
    ----------
    values : npt.NDArray[np.floating] of shape (rows, features)
        Values in [-1, 1].
    base_bits : int
        Base planes of even levels, 1 to 8.
    levels : LevelTable or None
        Levels of each column; None for even ones.
    scale : float
        Factor between values and the levels of the table.

    Returns
    -------
    _Float of shape (features,)
        Variances.
    """
    total: _Float = np.zeros(values.shape[1])
    for _, block in iterate_blocks(values):
        if levels is None:
            above = (block + 1) * 2.0 ** (base_bits - 1)
            above -= np.floor(above)
            total += (above * (1 - above)).sum(axis=0) * 4.0 ** (1 - base_bits)
        else:
            total += _sums(block, levels.values * 2.0 ** (1 - levels.bits) / scale)
    return np.asarray(total / values.shape[0])


def _sums(block: npt.NDArray[np.floating], levels: npt.NDArray[np.floating]) -> _Float:
    """Sums over the rows of a block, for the levels of each column."""
    found = np.empty(block.shape[1])
    for column, own in enumerate(levels):
        value = np.clip(block[:, column], own[0], own[-1])
        below = np.clip(np.searchsorted(own, value, side="right") - 1, 0, own.size - 2)
        found[column] = np.sum((own[below + 1] - value) * (value - own[below]))
    return found
