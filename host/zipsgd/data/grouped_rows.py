"""Rows that are read by groups, such as the row groups of a file."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["GroupedRows", "group_starts"]


def group_starts(counts: Sequence[int]) -> npt.NDArray[np.int64]:
    """Where groups of rows begin.

    Parameters
    ----------
    counts : sequence of int
        Number of rows of each group.

    Returns
    -------
    npt.NDArray[np.int64] of shape (groups + 1,)
        Number of the first row of each group, and the number of rows.
    """
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


class GroupedRows(ABC):
    """Rows of numbers, see :class:`zipsgd.rows.Rows`. A group is read when one of its rows is, and the last one is kept.

    Parameters
    ----------
    counts : sequence of int
        Number of rows of each group.
    columns : int
        Number of columns.
    kind : type
        float32 or float64.
    """

    def __init__(self, counts: Sequence[int], columns: int, kind: type[np.floating]) -> None:
        self.kind = kind
        self._starts, self._columns = group_starts(counts), columns
        self._lock = threading.Lock()  # windows are packed in a thread of their own
        self._forget()

    def _forget(self) -> None:
        self._kept, self._values = -1, np.empty((0, self._columns), dtype=self.kind)

    @abstractmethod
    def _read(self, number: int) -> npt.NDArray[np.floating]:
        """Read a group."""

    @property
    def shape(self) -> tuple[int, int]:
        """tuple[int, int]: Rows and columns."""
        return int(self._starts[-1]), self._columns

    def _group(self, number: int) -> npt.NDArray[np.floating]:
        if number != self._kept:
            self._forget()  # free it before the next one is read
            self._values = self._read(number)
            self._kept = number
        return self._values

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]:
        index = np.arange(*rows.indices(self.shape[0])) if isinstance(rows, slice) else np.asarray(rows)
        result: npt.NDArray[np.floating] = np.empty((index.size, self._columns), dtype=self.kind)
        group = np.searchsorted(self._starts, index, side="right") - 1
        with self._lock:
            wanted = np.unique(group).tolist()
            for number in sorted(wanted, key=lambda one: one != self._kept):  # the kept one first
                here = group == number
                result[here] = self._group(number)[index[here] - self._starts[number]]
        return result
