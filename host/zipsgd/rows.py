"""Rows of numbers that may be larger than memory, and iteration over them block by block.

All statistics of a data set (ranges, a loss, levels) are computed from the same blocks, whether the set is an array or stays in
its file, and whatever its memory layout. So the results agree to the last bit.
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
    "evenly_spaced",
    "in_memory",
    "iterate_blocks",
    "ranges",
    "select_columns",
]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

_BLOCK_VALUES = 1 << 18
"""Values of a block: few enough for the second-level cache. The last bits of sums over a set depend on it."""


class Rows(Protocol):
    """Real numbers of shape (rows, columns) whose rows are read on request, such as an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """tuple[int, int]: Rows and columns."""

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]:
        """Read some of the rows, as an array of shape (selected rows, columns)."""


def evenly_spaced(count: int, most: int) -> _Index:
    """Numbers of evenly spaced rows.

    Parameters
    ----------
    count : int
        Number of rows there are.
    most : int
        Most rows to take.

    Returns
    -------
    npt.NDArray[np.int64] of shape (taken,)
        Row numbers in ascending order, with the first and the last one if two or more are taken; all of them if there are no
        more than ``most``.
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _index(columns: Sequence[int]) -> slice | list[int]:
    """An index that selects ``columns`` of an array: a slice, which needs no copy, if they are consecutive."""
    first = columns[0] if columns else 0
    last = first + len(columns)
    return slice(first, last) if list(columns) == list(range(first, last)) else list(columns)


class ColumnSelection:
    """Columns of an array that stays where it is, such as in a file. Rows are read on request.

    They are returned as float32 if the array holds float32, and else as float64.

    Parameters
    ----------
    array : npt.NDArray[np.generic] of shape (rows, columns)
        Real numbers, such as ``numpy.load(path, mmap_mode="r")``.
    columns : Sequence[int], optional
        Indices of the selected columns; by default all.
    """

    def __init__(self, array: npt.NDArray[np.generic], columns: Sequence[int] | None = None) -> None:
        self._array = array.view(np.ndarray)  # indexing a memmap is slow
        self._columns = tuple(range(array.shape[1])) if columns is None else tuple(columns)
        self._view, self._index = self._array, _index(self._columns)
        if isinstance(self._index, slice):  # reading rows of a view does not copy the other columns
            self._view, self._index = self._array[:, self._index], slice(None)
        self._kind = np.float32 if array.dtype == np.float32 else np.float64

    @property
    def shape(self) -> tuple[int, int]:
        """tuple[int, int]: Rows and selected columns."""
        return self._array.shape[0], len(self._columns)

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]:
        return self._view[rows][:, self._index].astype(self._kind, copy=False)

    def select_columns(self, places: Sequence[int]) -> "ColumnSelection":
        """Some of the selected columns.

        Parameters
        ----------
        places : Sequence[int]
            Indices among the selected columns.

        Returns
        -------
        ColumnSelection
            The columns.
        """
        return ColumnSelection(self._array, [self._columns[place] for place in places])


class RowSelection:
    """Selected rows, possibly repeated, of a matrix that is not copied. Rows are returned as dense arrays.

    Parameters
    ----------
    matrix : Rows or a SciPy sparse matrix in CSR format, of shape (rows, columns)
        Real numbers.
    index : npt.NDArray[np.int64] of shape (selected,)
        Indices of the selected rows.
    """

    def __init__(self, matrix: Any, index: _Index) -> None:
        self._matrix = matrix
        self._index = index

    @property
    def shape(self) -> tuple[int, int]:
        """tuple[int, int]: Selected rows and columns."""
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
    """Some columns of rows: a view of an array if the columns are consecutive, else a copy.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        The rows.
    columns : Sequence[int]
        Indices of at least one column.

    Returns
    -------
    Rows of shape (rows, selected columns)
        The columns.
    """
    if hasattr(rows, "select_columns"):
        selected: Rows = rows.select_columns(columns)
        return selected
    return np.asarray(rows)[:, _index(columns)]


def iterate_blocks(rows: Rows) -> Iterator[tuple[slice, npt.NDArray[np.floating]]]:
    """Iterate over all rows in order, in contiguous blocks of at most 2^18 values.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        The rows.

    Yields
    ------
    part : slice
        Row numbers of the block.
    block : npt.NDArray[np.floating] of shape (rows of the block, columns)
        The values.
    """
    count, columns = rows.shape
    size = max(1, _BLOCK_VALUES // max(1, columns))
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        yield part, np.ascontiguousarray(rows[part])


def column(rows: Rows, number: int) -> _Float:
    """One column as a vector.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        The rows.
    number : int
        Index of the column.

    Returns
    -------
    npt.NDArray[np.float64] of shape (rows,)
        The values.
    """
    return np.concatenate(
        [block[:, 0].astype(np.float64) for _, block in iterate_blocks(select_columns(rows, [number]))]
    )


def in_memory(rows: Rows) -> npt.NDArray[np.float32]:
    """All rows as one array.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        The rows.

    Returns
    -------
    npt.NDArray[np.float32] of shape (rows, columns)
        The values.
    """
    array = np.empty(rows.shape, dtype=np.float32)
    for part, block in iterate_blocks(rows):
        array[part] = block
    return array


class Ranges(NamedTuple):
    """Range and mean of each column.

    Parameters
    ----------
    low, high, mean : npt.NDArray[np.float64] of shape (columns,)
        Smallest value, largest value, and mean.
    """

    low: _Float
    high: _Float
    mean: _Float


def ranges(rows: Rows) -> Ranges:
    """Range and mean of each column, computed in one pass.

    Parameters
    ----------
    rows : Rows of shape (rows, columns)
        The rows.

    Returns
    -------
    Ranges
        A mean whose sum exceeds float64 is infinite or NaN.
    """
    low, high = np.full((2, rows.shape[1]), [[np.inf], [-np.inf]])
    total = np.zeros(rows.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for _, block in iterate_blocks(rows):
            low = np.minimum(low, block.min(axis=0))
            high = np.maximum(high, block.max(axis=0))
            total += block.sum(axis=0, dtype=np.float64)
    return Ranges(low, high, total / rows.shape[0])
