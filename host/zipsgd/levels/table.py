"""A device's table of levels, from the data."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable

from .histogram import whole_levels

__all__ = ["level_scale", "level_table"]


def level_scale(bits: int) -> float:
    """What features in [-1, 1] are multiplied by, so that +1 becomes the uppermost number of ``bits`` bits."""
    return 1 - 2.0 ** (1 - bits)


def _row(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int16]:
    """Levels of ``values``, which are in units of a level's last bit; shape (count,), the last one repeated if fewer do."""
    best = whole_levels(values, count).astype(np.int16)
    return np.concatenate([best, np.repeat(best[-1:], count - best.size)])


def level_table(values: npt.NDArray[np.floating], p: int, bits: int, *, shared: bool = False) -> LevelTable:
    """The levels of least variance for each column, of those that the device's table can hold.

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
        return LevelTable(np.tile(_row(scaled.ravel(), count), (values.shape[1], 1)), bits)
    columns = np.ascontiguousarray(scaled.T)
    return LevelTable(np.stack([_row(column, count) for column in columns]), bits)
