"""Arrays as features and as labels."""

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.rows import ColumnSelection, Rows

from .errors import DataError

__all__ = ["as_labels", "as_rows", "class_name", "column_names", "of_objects"]


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
        array = of_objects(array, what)
    if array.dtype.kind in "UT":
        return array.astype(np.str_)
    _check_numbers(array, what)
    return array.astype(np.float64)


def _kind(value: object) -> str:
    """What an object stands for: text, a number, a missing value, or anything else."""
    if isinstance(value, str):
        return "text"
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return "missing"
    if not isinstance(value, Real | Decimal | np.bool_):
        return "other"
    return "number" if value == value else "missing"


def of_objects(array: npt.NDArray[np.generic], what: str) -> npt.NDArray[Any]:
    """Python's objects as numbers or as text.

    Parameters
    ----------
    array : npt.NDArray[np.object_] of any shape
        The objects.
    what : str
        Beginning of error messages.

    Returns
    -------
    npt.NDArray[np.float64] or npt.NDArray[np.str_]
        The same values.

    Raises
    ------
    DataError
        One is missing or something else, or there are both numbers and text.
    """
    values = array.reshape(-1).tolist()
    kinds = list(map(_kind, values))
    if set(kinds) == {"number"}:
        return array.astype(np.float64)
    if set(kinds) <= {"text"}:
        return array.astype(np.str_)
    for kind, cure in (
        ("missing", "leave that row out or fill it in"),
        ("other", "make it a number or text"),
    ):
        if kind in kinds:
            index = kinds.index(kind)
            row = index // (array.size // len(array)) + 1
            raise DataError(f"{what}: the value in row {row} is {values[index]}: {cure}")
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
    return array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)
