"""Where the columns of a data set lie: a sample of its rows, quantiles, and standard deviations."""

import math

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Ranges, Rows, iterate_blocks

__all__ = ["INNER_SHARE", "deviations", "far", "inner", "sample_of"]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

_SAMPLED_VALUES = 1 << 22
"""Values of a sample, which bound its memory to 32 MiB, except for very many columns."""
_MOST_ROWS, _FEWEST_ROWS = 1 << 16, 1 << 8
"""Limits of the rows of a sample. A set of no more rows is its own sample."""
INNER_SHARE = 0.002
"""Share of the values that :func:`far` leaves out before it looks at the width of the others."""
_FAR = 20.0
"""A range that is this many times as wide as that of all but the outermost values is far beyond them."""
_FEWEST_VALUES = 100
"""With fewer values, nothing can be said of the outermost ones."""


def sample_of(rows: int, columns: int, most: int = _MOST_ROWS) -> _Index:
    """Row numbers of a sample of a data set. They depend only on its shape.

    Parameters
    ----------
    rows, columns : int
        Shape of the set.
    most : int
        Most rows of the sample.

    Returns
    -------
    npt.NDArray[np.int64] of shape (sampled,)
        Row numbers in ascending order: all of them if there are few.
    """
    count = min(most, max(_FEWEST_ROWS, _SAMPLED_VALUES // max(1, columns)))
    if rows <= count:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, count, replace=False)).astype(np.int64)


def inner(values: _Float, share: float) -> tuple[_Float, _Float, _Float]:
    """The ends and the mean of each column without its outermost values.

    Parameters
    ----------
    values : npt.NDArray[np.float64] of shape (rows, columns)
        The values.
    share : float
        Share of the values to leave out, half of them at either end; at least one at either end.

    Returns
    -------
    low, high : npt.NDArray[np.float64] of shape (columns,)
        Least and greatest of the values that remain.
    mean : npt.NDArray[np.float64] of shape (columns,)
        Mean of the values, where those beyond an end count as the end.
    """
    rows = values.shape[0]
    left_out = min(math.ceil(rows * share / 2), (rows - 1) // 2)
    ordered = np.partition(values, (left_out, rows - 1 - left_out), axis=0)
    low, high = ordered[left_out], ordered[rows - 1 - left_out]
    return low, high, np.clip(values, low, high).mean(axis=0)


def far(values: _Float, low: _Float, high: _Float) -> npt.NDArray[np.bool_]:
    """Which columns have values far beyond all others.

    A column most of whose values are equal, such as one that marks a rare event, does not count.

    Parameters
    ----------
    values : npt.NDArray[np.float64] of shape (rows, columns)
        A sample of the rows.
    low, high : npt.NDArray[np.float64] of shape (columns,)
        Least and greatest value of each column in all rows.

    Returns
    -------
    npt.NDArray[np.bool_] of shape (columns,)
        Whether the range is more than 20 times as wide as that of all but the outermost 0.2 % of the values.
    """
    if values.shape[0] < _FEWEST_VALUES:
        return np.zeros(values.shape[1], dtype=bool)
    begin, end, _ = inner(values, INNER_SHARE)
    with np.errstate(over="ignore"):
        return np.asarray((end > begin) & (high - low > _FAR * (end - begin)))


def deviations(rows: Rows, found: Ranges) -> _Float:
    """The standard deviation of each column, in one pass over the rows.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        The rows.
    found : Ranges
        Range and mean of each column.

    Returns
    -------
    npt.NDArray[np.float64] of shape (columns,)
        Standard deviations.
    """
    width = found.high - found.low
    unit = np.where(width > 0, width, 1.0)  # squares of tiny or huge numbers would be lost
    squares = np.zeros(rows.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for _, block in iterate_blocks(rows):
            squares += np.square((block - found.mean) / unit).sum(axis=0)
        return np.asarray(unit * np.sqrt(squares / rows.shape[0]))
