"""Arrays and data frames of Dask, read chunk by chunk where they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .grouped_rows import GroupedRows

__all__ = ["ChunkRows", "computed", "is_lazy"]


def is_lazy(what: Any) -> bool:
    """Whether an object is one of Dask's collections, which are computed when they are needed."""
    return hasattr(what, "__dask_graph__")


def computed(what: Any) -> Any:
    """A collection's contents; any other object as it is."""
    return what.compute() if is_lazy(what) else what


class ChunkRows(GroupedRows):
    """Rows of an array or data frame of Dask. Who reads a row computes its chunk, so workers compute their own parts.

    Parameters
    ----------
    what : dask.array.Array or dask.dataframe.DataFrame of shape (rows, columns)
        Real numbers. Sizes of chunks that are not known are computed.
    source : str
        Name of the data in messages.

    Raises
    ------
    DataError
        It has another number of dimensions, or holds no real numbers.
    """

    def __init__(self, what: Any, source: str) -> None:
        array = what.to_dask_array(lengths=True) if hasattr(what, "to_dask_array") else what
        if array.ndim != 2 or array.dtype.kind not in "fiub":
            raise DataError(
                f"{source} must have rows of columns of real numbers, and is a Dask collection of {array.ndim} dimensions of "
                f"{array.dtype}: select columns of numbers, of two dimensions"
            )
        if np.isnan(np.sum(array.chunks[0])):
            array = array.compute_chunk_sizes()
        self._array, self._source = array.rechunk({1: -1}), source
        kind = np.float32 if array.dtype == np.float32 else np.float64
        super().__init__(self._array.chunks[0], array.shape[1], kind)

    def __reduce__(self) -> tuple[Any, ...]:
        return ChunkRows, (self._array, self._source)

    def _read(self, number: int) -> npt.NDArray[np.floating]:
        found: npt.NDArray[Any] = self._array.blocks[number].compute(scheduler="synchronous")
        return found.astype(self.kind, copy=False)

    def select_columns(self, places: Sequence[int]) -> ChunkRows:
        """Some of the columns, by their numbers among these."""
        return ChunkRows(self._array[:, list(places)], self._source)
