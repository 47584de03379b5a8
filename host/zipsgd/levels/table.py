"""A device's table of levels, from the data."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable

from .api import levels

__all__ = ["level_scale", "level_table"]

_EXACT = 1 << 20
"""Values up to which levels are exact; near-optimal ones, from a histogram, are within a thousandth."""


def level_scale(bits: int) -> float:
    """What features in [-1, 1] are multiplied by, so that +1 becomes the uppermost number of ``bits`` bits."""
    return 1 - 2.0 ** (1 - bits)


def _whole(column: npt.NDArray[np.float64], count: int, bits: int) -> npt.NDArray[np.int16]:
    """Levels of one column, whole numbers that enclose it; shape (count,), the last one repeated if fewer will do."""
    best = levels(column, count, method="exact" if column.size <= _EXACT else "histogram").levels
    whole = np.rint(best)
    whole[0], whole[-1] = np.floor(column.min()), np.ceil(column.max())
    limit = 1 << (bits - 1)
    found = np.unique(np.clip(whole, -limit, limit - 1)).astype(np.int16)
    return np.concatenate([found, np.repeat(found[-1:], count - found.size)])


def level_table(values: npt.NDArray[np.floating], p: int, bits: int, *, shared: bool = False) -> LevelTable:
    """The levels of least variance for each column.

    Parameters
    ----------
    values : shape (rows, features), within [-1, 1] times :func:`level_scale`.
    p : base planes; 2^p + 1 levels.
    bits : of a level, 2 to 8: levels are multiples of 2^(1 - bits).
    shared : the same levels for all columns, the best ones for all values taken together.
    """
    count = (1 << p) + 1
    scaled = values.astype(np.float64) * float(1 << (bits - 1))
    if shared:
        row = _whole(scaled.ravel(), count, bits)
        return LevelTable(np.tile(row, (values.shape[1], 1)), bits)
    return LevelTable(np.stack([_whole(column, count, bits) for column in scaled.T]), bits)
