"""Whatever a user has at hand as a table: arrays, data frames, sparse matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.rows import ColumnSelection, Rows, RowSelection

from .arrays import as_labels, as_rows, column_names, of_objects
from .columns import first_values
from .dask_rows import ChunkRows, computed, is_lazy
from .errors import DataError
from .table import LABEL_SEPARATOR, Table

__all__ = ["as_features", "as_table", "as_target"]


def as_table(X: Any, y: Any = None, *, source: str = "X") -> Table:
    """A table of features and labels.

    Parameters
    ----------
    X : Table, array, data frame or sparse matrix of shape (rows, columns)
        A table has its labels, and is returned as it is. Columns of a data frame keep their names. An array that is mapped from
        a file (``numpy.load(path, mmap_mode="r")``) stays there; a sparse matrix stays sparse; Dask's collections are computed
        chunk by chunk.
    y : array or series of shape (rows,) or (rows, outputs)
        The labels, numbers or classes as text; left out of a table.
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
    labels, label = as_target(y, "y")
    return Table(features, labels, tuple(names), source, label)


def as_target(y: Any, what: str) -> tuple[npt.NDArray[Any], str]:
    """Labels of an array, series or data frame, and their name.

    Parameters
    ----------
    y : array, series or data frame of shape (rows,) or (rows, outputs)
        Numbers, or classes as text.
    what : str
        Beginning of error messages.

    Returns
    -------
    npt.NDArray[np.float64] or npt.NDArray[np.str_]
        The labels.
    str
        Their name, "label" if they have none.

    Raises
    ------
    DataError
        They hold something else, or a value is missing.
    """
    y = computed(y)
    if hasattr(y, "columns") and hasattr(y, "to_numpy"):
        columns = [_column(y[name], f"{what}, column {name!r}") for name in y.columns]
        array = np.column_stack(columns) if columns else np.empty((len(y), 0))
    else:
        array = _column(y, what) if hasattr(y, "to_numpy") else np.asarray(y)
    label = getattr(y, "name", None)
    if not isinstance(label, str):
        label = LABEL_SEPARATOR.join(map(str, getattr(y, "columns", ()))) or "label"
    return as_labels(array, what), label


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
    if is_lazy(X):
        rows = ChunkRows(X, source)
        return rows, [str(name) for name in X.columns] if hasattr(X, "columns") else column_names(
            rows.shape[1]
        )
    if hasattr(X, "tocsr"):
        matrix = X.tocsr()
        if matrix.dtype.kind not in "fiub":
            raise DataError(f"{source}: holds {matrix.dtype}, not real numbers")
        return RowSelection(matrix, np.arange(matrix.shape[0])), column_names(matrix.shape[1])
    if hasattr(X, "columns") and hasattr(X, "to_numpy"):
        return _frame(X, source), [str(name) for name in X.columns]
    array: npt.NDArray[Any] = X if isinstance(X, np.memmap) else np.asarray(X)
    if array.ndim != 2:
        raise DataError(
            f"{source} has the shape {array.shape}, and rows of columns are needed, (rows, columns): of one row give X[:1], of "
            f"one column X[:, None]"
        )
    return as_rows(array, source), column_names(array.shape[1])


def _frame(frame: Any, source: str) -> Rows:
    """The numbers of a data frame. Raises DataError, which names the first column that holds none."""
    names = list(frame.columns)
    kinds = {getattr(kind, "kind", "O") if isinstance(kind, np.dtype) else "O" for kind in frame.dtypes}
    if kinds <= set("fiu"):
        return as_rows(frame.to_numpy(), source)
    columns = [_column(frame[name], f"{source}: column {name!r}") for name in names]
    for name, values in zip(names, columns):
        if values.dtype.kind not in "fiub":
            shown = ", ".join(map(repr, first_values(values.tolist())))
            raise DataError(
                f"{source}: column {name!r} holds no real numbers but {values.dtype}, such as {shown}: leave it out, or make a "
                f"column of 0 and 1 of each value, for instance by pandas.get_dummies(X, columns=[{name!r}], dtype=float)"
            )
    if not columns:
        return np.empty((len(frame), 0))
    narrow = all(values.dtype == np.float32 for values in columns)
    return np.column_stack(columns).astype(np.float32 if narrow else np.float64, copy=False)


def _column(series: Any, what: str) -> npt.NDArray[Any]:
    """The values of a series, without a type of its own. Raises DataError for a missing value of a nullable type."""
    if not isinstance(series.dtype, np.dtype):
        empty = np.asarray(series.isna() if hasattr(series, "isna") else series.is_null(), dtype=bool)
        if empty.any():
            raise DataError(
                f"{what} has no value in row {int(np.argmax(empty)) + 1} ({int(empty.sum())} such rows in all): leave those "
                f"rows out or fill them in"
            )
    values = np.asarray(series)
    return of_objects(values, what) if values.dtype.kind == "O" else values
