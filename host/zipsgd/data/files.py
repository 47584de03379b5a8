"""Data files of a user: CSV, NPY, NPZ and LIBSVM."""

from collections.abc import Sequence
from pathlib import Path

from zipsgd.memory import default_memory

from .csv_file import read_csv
from .errors import DataError
from .libsvm_file import read_libsvm
from .numpy_file import npz_table, read_npy
from .raw_table import RawTable
from .table import Table

__all__ = ["LIBSVM_SUFFIXES", "check_file", "load_file", "read_raw_table"]

LIBSVM_SUFFIXES = (".libsvm", ".svm", ".svmlight")


def check_file(path: Path) -> None:
    """Check that a path is a file with contents.

    Parameters
    ----------
    path : Path
        The path.

    Raises
    ------
    DataError
        It is not.
    """
    if not path.exists():
        from difflib import get_close_matches

        from .sets import SETS

        near = get_close_matches(str(path), SETS, 1)
        guess = f"did you mean {near[0]}? Named sets" if near else "named sets"
        raise DataError(f"there is no file {path}, and no set of that name; {guess}: {', '.join(SETS)}")
    if path.is_dir() or (path.is_file() and path.stat().st_size == 0):
        raise DataError(f"{path} is {'a folder' if path.is_dir() else 'empty'}; a data file is needed")


def read_raw_table(path: Path, memory: int) -> RawTable:
    """Read a file that holds one table: NPY or text.

    Parameters
    ----------
    path : Path
        The file.
    memory : int
        Bytes that the table may take in memory.

    Returns
    -------
    RawTable
        All columns.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    return read_npy(path, memory) if path.suffix.lower() == ".npy" else read_csv(path)


def load_file(
    path: str | Path, *, label: str | int | Sequence[str | int] | None = None, memory: int | None = None
) -> Table:
    """Load features and labels from a file.

    The suffix determines the format:

    ``.npy``
        One array of shape (rows, columns). ``label`` is an index.
    ``.npz``
        Arrays ``X`` and ``y``.
    ``.libsvm``, ``.svm``, ``.svmlight``
        Lines ``label index:value ...`` with indices from 1.
    any other (``.csv``, ``.tsv``, ``.txt``, ``.dat``, ...)
        One row per sample, separated by commas, semicolons, tabs or blanks, with or without a header line.

    Parameters
    ----------
    path : str | Path
        The file.
    label : str | int | Sequence[str | int], optional
        Column of the label: its header, or its index from 0 (negative from the end). By default the last column. Several
        columns are several outputs.
    memory : int, optional
        Bytes that the features may take in memory; by default :func:`zipsgd.memory.default_memory`. If the array of an NPY
        file, or X of an uncompressed NPZ file, needs more, it stays on disk, and its rows are read on request.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        The file cannot be used. The message names file, line and column.
    """
    if memory is None:
        memory = default_memory()
    path = Path(path)
    check_file(path)
    suffix = path.suffix.lower()
    if suffix != ".npz" and suffix not in LIBSVM_SUFFIXES:
        labels = [] if label is None else [label] if isinstance(label, str | int) else list(label)
        return read_raw_table(path, memory).split(labels)
    if label is not None:
        raise DataError(
            f"{path}: the label has a fixed place in this format: leave out the name of the label's column"
        )
    return npz_table(path, memory) if suffix == ".npz" else read_libsvm(path)
