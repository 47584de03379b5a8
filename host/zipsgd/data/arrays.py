"""Arrays as features and as labels."""

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.rows import ColumnSelection, Rows

from .errors import DataError

__all__ = ["as_labels", "as_rows", "class_name", "column_names"]


def column_names(count: int, first: int = 0) -> tuple[str, ...]:
    """Names for columns without names: ``column 0`` and so on.

    Parameters
    ----------
    count : int
        Number of columns.
    first : int
        Number of the first column.

    Returns
    -------
    tuple[str, ...]
        The names.
    """
    return tuple(f"column {i}" for i in range(first, first + count))


def class_name(label: float | str) -> str:
    """The text of a class label, such as "3" for 3.0.

    Parameters
    ----------
    label : float or str
        The label.

    Returns
    -------
    str
        The shortest decimal number, or the text itself.
    """
    return label if isinstance(label, str) else np.format_float_positional(label, trim="-")


def _check_numbers(array: npt.NDArray[np.generic], what: str) -> None:
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what}: the type is {array.dtype}, but must be real numbers; encode classes as numbers, such as 0, 1 and 2"
        )


def as_labels(array: npt.NDArray[np.generic], what: str) -> npt.NDArray[Any]:
    """Convert an array to labels. A single column becomes a vector.

    Parameters
    ----------
    array : npt.NDArray[np.generic] of shape (rows,) or (rows, 1)
        Real numbers, or text.
    what : str
        Beginning of error messages.

    Returns
    -------
    npt.NDArray[np.float64] or npt.NDArray[np.str_] of shape (rows,)
        The labels.

    Raises
    ------
    DataError
        The array holds neither, or a value is missing.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind == "O":
        array = _of_objects(array, what)
    if array.dtype.kind in "UT":
        return array.astype(np.str_)
    _check_numbers(array, what)
    return array.astype(np.float64)


def _of_objects(array: npt.NDArray[np.generic], what: str) -> npt.NDArray[Any]:
    """Python's objects as numbers or as text. Raises DataError for a missing value, and for numbers beside text."""
    values = array.reshape(-1).tolist()
    kinds = {
        "text"
        if isinstance(value, str)
        else "number"
        if isinstance(value, Real | np.bool_) and value == value
        else "none"
        for value in values
    }
    if kinds <= {"text"}:
        return array.astype(np.str_)
    if kinds == {"number"}:
        return array.astype(np.float64)
    if "none" in kinds:
        index, value = next(
            (i, v)
            for i, v in enumerate(values)
            if not isinstance(v, str) and not (isinstance(v, Real | np.bool_) and v == v)
        )
        row = index // (array.size // len(array)) + 1
        raise DataError(f"{what}: the value in row {row} is {value}: leave that row out or fill it in")
    raise DataError(f"{what}: there are numbers beside text; make all of them text, or all of them numbers")


def as_rows(array: npt.NDArray[np.generic], what: str) -> Rows:
    """Convert an array to float32 or float64. An array that is mapped from a file stays there.

    Parameters
    ----------
    array : npt.NDArray[np.generic] of shape (rows, columns)
        Real numbers.
    what : str
        Beginning of error messages.

    Returns
    -------
    Rows of shape (rows, columns)
        The rows.

    Raises
    ------
    DataError
        The array does not hold real numbers.
    """
    _check_numbers(array, what)
    if isinstance(array, np.memmap) and array.ndim == 2:
        return ColumnSelection(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)  # type: ignore[return-value]
