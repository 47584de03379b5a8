"""NPY and NPZ files."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .grid import Grid
from .table import Table, as_numbers, column_names

__all__ = ["npz_table", "read_npy", "read_npz"]

# NumPy's readers raise whatever broken bytes lead them to: nearly every kind of exception, hence `except Exception`.


def read_npy(path: Path) -> Grid:
    """One array of shape (rows, columns)."""
    try:
        array: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it holds several arrays; call it .npz")
    except Exception as error:
        raise DataError(f"{path} is no NumPy array file: {error}") from None
    values = as_numbers(array, str(path))
    return Grid(values, column_names(values.shape[1] if values.ndim == 2 else 0), str(path))


def read_npz(path: Path) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.float64] | None]:
    """Arrays ``X``, (rows, columns), and ``y``, (rows,); the latter None where there is none."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept = arrays.files
            features, labels = arrays.get("X"), arrays.get("y")
    except Exception as error:
        raise DataError(f"{path} is no NumPy archive: {error}") from None
    if features is None:
        raise DataError(f"{path} must hold arrays X and y; it holds {', '.join(kept) or 'none'}")
    values = as_numbers(features, f"{path}, X")
    if labels is not None:
        table = Table.from_arrays(values, labels, source=str(path))
        return table.features, table.labels
    if values.ndim != 2:
        raise DataError(f"{path}, X: shape {values.shape}; (rows, columns) are needed")
    return values, None


def npz_table(path: Path) -> Table:
    """The archive as a table."""
    features, labels = read_npz(path)
    if labels is None:
        raise DataError(f"{path} holds X but no array y, the labels")
    return Table.from_arrays(features, labels, source=str(path))
