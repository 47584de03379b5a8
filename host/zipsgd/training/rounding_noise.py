"""The variance with which a device's quantisation replaces values."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.rows import Rows, iterate_blocks

__all__ = ["rounding_variance"]

_Float = npt.NDArray[np.float64]


def rounding_variance(
    values: Rows,
    base_bits: int,
    levels: LevelTable | None = None,
    scale: float = 1.0,
    weights: _Float | None = None,
) -> _Float:
    """Mean variance of the values of each column when they are rounded to a level at random, without bias.

    A value x between the levels l and u has the variance (u - x)(x - l) (ZipML, section 3).

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Values in [-1, 1].
    base_bits : int
        Base planes of even levels, 1 to 8.
    levels : LevelTable or None
        Levels of each column; None for even ones.
    scale : float
        Factor between values and the levels of the table.
    weights : _Float of shape (rows,) or None
        Weight of each row; None for equal weights.

    Returns
    -------
    _Float of shape (features,)
        Variances.
    """
    total: _Float = np.zeros(values.shape[1])
    groups = (
        []
        if levels is None
        else _groups(np.asarray(levels.values * 2.0 ** (1 - levels.bits) / scale, dtype=np.float64))
    )
    for part, block in iterate_blocks(values):
        if levels is None:
            above = (block + 1) * 2.0 ** (base_bits - 1)
            above -= np.floor(above)
            variances = above * (1 - above) * 4.0 ** (1 - base_bits)
        else:
            variances = _variances(block, groups)
        total += variances.sum(axis=0) if weights is None else weights[part] @ variances
    return np.asarray(total / (values.shape[0] if weights is None else weights.sum()))


def _groups(levels: _Float) -> list[tuple[_Float, npt.NDArray[np.int64]]]:
    """The levels that columns have, each with its columns: those of shared levels come together."""
    tables, group = np.unique(levels, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(group.ravel()))[:-1])
    return list(zip(tables, parts, strict=True))


def _variances(block: npt.NDArray[np.floating], groups: list[tuple[_Float, npt.NDArray[np.int64]]]) -> _Float:
    """The variance of each value of a block, for the levels of each column."""
    found = np.empty(block.shape)
    for own, columns in groups:
        value = np.clip(block[:, columns], own[0], own[-1])
        below = np.clip(np.searchsorted(own, value, side="right") - 1, 0, own.size - 2)
        found[:, columns] = (own[below + 1] - value) * (value - own[below])
    return found
