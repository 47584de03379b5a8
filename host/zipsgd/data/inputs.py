"""Whatever a user has at hand as a table: arrays, data frames, sparse matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.rows import ColumnSelection, Rows, RowSelection

from .errors import DataError
from .table import LABEL_SEPARATOR, Table, as_labels, as_rows, column_names

__all__ = ["as_features", "as_table"]


def as_table(X: Any, y: Any = None, *, source: str = "X") -> Table:
    """A table of features and labels.

    Parameters
    ----------
    X : Table, array, data frame or sparse matrix of shape (rows, columns)
        A table has its labels, and is returned as it is. Columns of a data frame keep their names. An array that is mapped from
        a file (``numpy.load(path, mmap_mode="r")``) stays there; a sparse matrix stays sparse.
    y : array or series of shape (rows,) or (rows, outputs)
        The labels; left out of a table.
    source : str
        What messages call the data.

    Raises
    ------
    DataError
        Where the shapes do not fit, or a value is not a finite real number.
    """
    if isinstance(X, Table):
        if y is not None:
            raise DataError(f"{X.source}: a table has its labels; leave out y")
        return X
    if y is None:
        raise DataError("y is missing: give the labels beside X, or a table of zipsgd.load")
    features, names = as_features(X, source)
    labels = as_labels(np.asarray(y), "y")
    label = getattr(y, "name", None)
    if not isinstance(label, str):
        label = LABEL_SEPARATOR.join(map(str, getattr(y, "columns", ()))) or "label"
    return Table(features, labels, tuple(names), source, label)


def as_features(X: Any, source: str) -> tuple[Rows, Sequence[str]]:
    """Rows of an array, data frame or sparse matrix, and the names of their columns.

    Raises
    ------
    DataError
        Where a column holds no real numbers.
    """
    if isinstance(X, Table):
        return X.features, X.names
    if isinstance(X, ColumnSelection | RowSelection):
        return X, column_names(X.shape[1])
    if hasattr(X, "tocsr"):
        matrix = X.tocsr()
        if matrix.dtype.kind not in "fiub":
            raise DataError(f"{source}: holds {matrix.dtype}, not real numbers")
        return RowSelection(matrix, np.arange(matrix.shape[0])), column_names(matrix.shape[1])
    if hasattr(X, "columns") and hasattr(X, "to_numpy"):
        _check_frame(X, source)
        return as_rows(X.to_numpy(), source), [str(name) for name in X.columns]
    array: npt.NDArray[Any] = X if isinstance(X, np.memmap) else np.asarray(X)
    if array.ndim != 2:
        raise DataError(
            f"{source} has the shape {array.shape}, and rows of columns are needed, (rows, columns): of one row give X[:1], of "
            f"one column X[:, None]"
        )
    return as_rows(array, source), column_names(array.shape[1])


def _check_frame(frame: Any, source: str) -> None:
    """Raises DataError, which names the first column that holds no numbers."""
    for name in frame.columns:
        if np.asarray(frame[name]).dtype.kind not in "fiub":
            raise DataError(
                f"{source}: column {name!r} holds no real numbers: leave it out, or encode it as numbers, a column for each "
                f"category"
            )
