"""NPY and NPZ files."""

import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Rows, column, select_columns

from .arrays import as_labels, as_rows, class_name, column_names
from .columns import Texts, first_values
from .errors import DataError
from .table import Table

__all__ = ["ArrayColumns", "npz_table", "read_npy", "read_npz"]

# For broken files, NumPy's readers raise nearly every kind of exception, hence `except Exception`.

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_SHOWN = 100
"""Rows from which a few values are shown."""
_LOCAL_HEADER = 30
"""Bytes of the header of a ZIP member. The last four are the lengths of the name and of the extra field before the data."""


def _fits(array: npt.NDArray[np.generic], memory: int) -> bool:
    """Whether ``array`` takes at most ``memory`` bytes as float32 or float64."""
    return array.size * (4 if array.dtype == np.float32 else 8) <= memory


@dataclass(frozen=True)
class ArrayColumns:
    """The columns of an array, see :class:`.columns.Columns`.

    Parameters
    ----------
    values : Rows of shape (rows, columns)
        float32 or float64 numbers.
    source : str
        Name of the data in messages.
    """

    values: Rows
    source: str
    headed: ClassVar[bool] = False

    @property
    def names(self) -> tuple[str, ...]:
        """tuple[str, ...]: Made-up names of the columns."""
        return column_names(self.values.shape[1])

    def is_text(self, place: int) -> bool:
        """Whether a column holds text: never."""
        return False

    def examples(self, place: int) -> tuple[str, list[str]]:
        """The first row, and a few values, see :meth:`.columns.Columns.examples`."""
        return "row 1", first_values([class_name(value) for value in column(self.values[:_SHOWN], place)])

    def read(
        self, numbers: Sequence[int], texts: Sequence[int] = (), *, missing: Sequence[int] = ()
    ) -> tuple[Rows, list[Texts]]:
        """Read some columns, see :meth:`.columns.Columns.read`. Numbers as text are as short as can be."""
        found = [
            np.array([class_name(value) for value in column(self.values, place)], dtype=str)
            for place in texts
        ]
        return select_columns(self.values, numbers), found


def read_npy(path: Path, source: str, memory: int) -> ArrayColumns:
    """Read one array of shape (rows, columns).

    Parameters
    ----------
    path : Path
        The file.
    source : str
        Its name in messages.
    memory : int
        Bytes that the array may take in memory. A larger array stays in the file.

    Returns
    -------
    ArrayColumns
        All columns.

    Raises
    ------
    DataError
        The file does not hold one array of real numbers.
    """
    try:
        array: npt.NDArray[np.generic] = np.load(path, allow_pickle=False, mmap_mode="r")
        if not isinstance(array, np.ndarray):
            raise ValueError("it holds several arrays; give it the suffix .npz")
        if _fits(array, memory):
            array = np.load(path, allow_pickle=False)
    except Exception as error:
        raise DataError(f"{source} is not a NumPy array file: {error}") from None
    if array.ndim != 2 or not array.shape[0]:
        raise DataError(
            f"{source}: the shape is {array.shape}; rows and columns are needed, with at least one row"
        )
    return ArrayColumns(as_rows(array, source), source)


def _mapped(path: Path, member: str) -> npt.NDArray[np.generic] | None:
    """An array of an archive, mapped from the file; None if it is compressed."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        info = archive.NameToInfo.get(member)
        if info is None or info.compress_type != zipfile.ZIP_STORED:
            return None
        file.seek(info.header_offset + _LOCAL_HEADER - 4)
        file.seek(sum(struct.unpack("<HH", file.read(4))), 1)
        shape, transposed, kind = _HEADERS[np.lib.format.read_magic(file)](file)
        if kind.hasobject:
            raise ValueError("it holds Python objects")
        return np.memmap(path, kind, "r", file.tell(), shape=shape, order="F" if transposed else "C")


def read_npz(path: Path, source: str, memory: int) -> tuple[Rows, npt.NDArray[Any] | None]:
    """Read the arrays ``X`` of shape (rows, columns) and ``y`` of shape (rows,).

    Parameters
    ----------
    path : Path
        The file.
    source : str
        Its name in messages.
    memory : int
        Bytes that X may take in memory. A larger array stays in the file, unless it is compressed.

    Returns
    -------
    features : Rows of shape (rows, columns)
        X.
    labels : array of shape (rows,) or None
        y, numbers or text, if the archive holds it.

    Raises
    ------
    DataError
        The file does not hold such arrays.
    """
    try:
        features = _mapped(path, "X.npy")
        with np.load(path, allow_pickle=False) as arrays:
            kept = arrays.files
            if features is None or _fits(features, memory):
                features = arrays.get("X")
            labels = arrays.get("y")
        for array in (features, labels):
            if not isinstance(array, np.ndarray | None):  # NumPy returns members in other formats as bytes
                raise ValueError("a member called X or y is not an array")
    except Exception as error:
        raise DataError(f"{source} is not a NumPy archive: {error}") from None
    if features is None:
        raise DataError(f"{source} must hold arrays X and y; it holds {', '.join(kept) or 'none'}")
    values = as_rows(features, f"{source}, X")
    if len(values.shape) != 2:
        raise DataError(f"{source}, X: the shape is {values.shape}, but must be (rows, columns)")
    return values, None if labels is None else as_labels(labels, f"{source}, labels")


def npz_table(path: Path, source: str, memory: int) -> Table:
    """Read an archive as a table.

    Parameters
    ----------
    path : Path
        The file.
    source : str
        Its name in messages.
    memory : int
        Bytes that X may take in memory, as for :func:`read_npz`.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        The file does not hold such arrays.
    """
    values, labels = read_npz(path, source, memory)
    if labels is None:
        raise DataError(f"{source} holds X but not y, the array of labels")
    return Table(values, labels, column_names(values.shape[1]), source, "y")
