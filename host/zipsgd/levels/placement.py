"""A device's table of levels, computed from the data."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.rows import Rows, iterate_blocks

from .histogram import count_whole, whole_levels

__all__ = ["level_scale", "level_table"]


def level_scale(bits: int) -> float:
    """The factor for features in [-1, 1] that maps +1 to the largest number of ``bits`` bits.

    Parameters
    ----------
    bits : int
        Width of a level, 2 to 8.

    Returns
    -------
    float
        1 - 2^(1 - bits).
    """
    return 1 - 2.0 ** (1 - bits)


def _row(table: npt.NDArray[np.float64], low: int, count: int) -> npt.NDArray[np.int16]:
    """The levels of a column, shape (count,), with the last one repeated if there are fewer."""
    best = whole_levels(table, low, count).astype(np.int16)
    return np.concatenate([best, np.repeat(best[-1:], count - best.size)])


def level_table(values: Rows, p: int, bits: int, *, shared: bool = False) -> LevelTable:
    """The levels of least variance for each column that the device's table can hold. Takes one pass over the rows.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Features within [-1, 1] times :func:`level_scale`.
    p : int
        Number of base planes. Each column has 2^p + 1 levels.
    bits : int
        Width of a level, 2 to 8. Levels are multiples of 2^(1 - bits).
    shared : bool
        Use the same levels for all columns: the best ones for all values together.

    Returns
    -------
    LevelTable
        The levels of each column.

    Raises
    ------
    ValueError
        A value is out of range.
    """
    count, low = (1 << p) + 1, -(1 << (bits - 1))
    tables = np.zeros((values.shape[1], -2 * low, 2))
    for _, block in iterate_blocks(values):
        if not np.all(np.abs(block) <= level_scale(bits)):  # also catches NaN
            raise ValueError(
                f"values must lie within +-{level_scale(bits)}, the range of levels of {bits} bits"
            )
        count_whole(block, float(-low), low, tables)
    if shared:
        return LevelTable(np.tile(_row(tables.sum(axis=0), low, count), (values.shape[1], 1)), bits)
    return LevelTable(np.stack([_row(table, low, count) for table in tables]), bits)
