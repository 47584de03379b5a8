"""Rows of numbers that may be more than memory holds: what is asked of them, and walks through them block by block.

Whatever is found out about a set (ranges, a loss, levels) is put together from the same blocks, whether it is an array or stays
in its file, and however an array lies in memory: so all of it is the same to the last bit.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "ColumnSelection",
    "Ranges",
    "RowSelection",
    "Rows",
    "column",
    "in_memory",
    "iterate_blocks",
    "ranges",
    "select_columns",
]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

_BLOCK_VALUES = 1 << 18
"""Of a block: few enough for the second-level cache. Sums over a set depend on it in their last bits."""


class Rows(Protocol):
    """Real numbers of shape (rows, columns), of which some rows at a time are asked for: an array, for one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]: ...


def _index(columns: Sequence[int]) -> slice | list[int]:
    """What picks ``columns`` of an array: a slice, which copies nothing, where they follow each other."""
    first = columns[0] if columns else 0
    last = first + len(columns)
    return slice(first, last) if list(columns) == list(range(first, last)) else list(columns)


class ColumnSelection:
    """ColumnSelection of an array that stays where it is, such as in a file: rows are read when they are asked for.

    They come as float32 if the array holds that, else as float64.

    Parameters
    ----------
    array : real numbers, shape (rows, columns), such as ``numpy.load(path, mmap_mode="r")``.
    columns : numbers of those to have; by default all.
    """

    def __init__(self, array: npt.NDArray[np.generic], columns: Sequence[int] | None = None) -> None:
        self._array = array.view(np.ndarray)  # a memmap's own indexing is slow
        self._columns = tuple(range(array.shape[1])) if columns is None else tuple(columns)
        self._view, self._index = self._array, _index(self._columns)
        if isinstance(self._index, slice):  # rows of a view are copied without the other columns
            self._view, self._index = self._array[:, self._index], slice(None)
        self._kind = np.float32 if array.dtype == np.float32 else np.float64

    @property
    def shape(self) -> tuple[int, int]:
        return self._array.shape[0], len(self._columns)

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]:
        return self._view[rows][:, self._index].astype(self._kind, copy=False)

    def select_columns(self, places: Sequence[int]) -> "ColumnSelection":
        """Some of the columns, by their numbers among these."""
        return ColumnSelection(self._array, [self._columns[place] for place in places])


class RowSelection:
    """Some rows, maybe more than once, of a matrix that stays as it is; what is asked for comes dense.

    Parameters
    ----------
    matrix : real numbers of shape (rows, columns): :class:`Rows`, or a sparse matrix of SciPy's in CSR format.
    index : of the rows, shape (chosen,).
    """

    def __init__(self, matrix: Any, index: _Index) -> None:
        self._matrix = matrix
        self._index = index

    @property
    def shape(self) -> tuple[int, int]:
        return self._index.size, self._matrix.shape[1]

    @property
    def sparse(self) -> bool:
        """Whether the matrix is a sparse one."""
        return hasattr(self._matrix, "toarray") or getattr(self._matrix, "sparse", False)

    def __getitem__(self, rows: slice | _Index, /) -> npt.NDArray[np.floating]:
        block = self._matrix[self._index[rows]]
        dense: npt.NDArray[np.floating] = block.toarray() if hasattr(block, "toarray") else block
        return dense

    def select_columns(self, places: Sequence[int]) -> "RowSelection":
        """Some of the columns, by their numbers among these."""
        if hasattr(self._matrix, "toarray"):
            return RowSelection(self._matrix[:, list(places)], self._index)
        return RowSelection(select_columns(self._matrix, places), self._index)


def select_columns(rows: Rows, columns: Sequence[int]) -> Rows:
    """Some columns, at least one: of an array a view where they follow each other, else a copy."""
    return (
        rows.select_columns(columns)
        if isinstance(rows, ColumnSelection | RowSelection)
        else np.asarray(rows)[:, _index(columns)]
    )


def iterate_blocks(rows: Rows) -> Iterator[tuple[slice, npt.NDArray[np.floating]]]:
    """Blocks of all rows in order, contiguous, and where each one is."""
    count, columns = rows.shape
    size = max(1, _BLOCK_VALUES // max(1, columns))
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        yield part, np.ascontiguousarray(rows[part])


def column(rows: Rows, number: int) -> _Float:
    """One column as a vector."""
    return np.concatenate(
        [block[:, 0].astype(np.float64) for _, block in iterate_blocks(select_columns(rows, [number]))]
    )


def in_memory(rows: Rows) -> npt.NDArray[np.float32]:
    """All of ``rows`` as one array."""
    array = np.empty(rows.shape, dtype=np.float32)
    for part, block in iterate_blocks(rows):
        array[part] = block
    return array


class Ranges(NamedTuple):
    """Of each column, float64 of shape (columns,): the least value, the greatest one and the mean."""

    low: _Float
    high: _Float
    mean: _Float


def ranges(rows: Rows) -> Ranges:
    """In one pass. A mean whose sum is beyond float64 is infinite, or not a number."""
    low, high = np.full((2, rows.shape[1]), [[np.inf], [-np.inf]])
    total = np.zeros(rows.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for _, block in iterate_blocks(rows):
            low = np.minimum(low, block.min(axis=0))
            high = np.maximum(high, block.max(axis=0))
            total += block.sum(axis=0, dtype=np.float64)
    return Ranges(low, high, total / rows.shape[0])
