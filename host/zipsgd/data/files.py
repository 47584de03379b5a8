"""A user's own files: CSV, NPY, NPZ, LIBSVM."""

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
    """Raises :class:`DataError` unless ``path`` is a file with something in it."""
    if not path.exists():
        from .sets import SETS

        raise DataError(f"no file {path}, and no set of that name; named sets: {', '.join(SETS)}")
    if path.is_dir() or (path.is_file() and path.stat().st_size == 0):
        raise DataError(f"{path} is {'a folder' if path.is_dir() else 'empty'}; a data file is needed")


def read_raw_table(path: Path, memory: int) -> RawTable:
    """A file that is one table: NPY or text."""
    return read_npy(path, memory) if path.suffix.lower() == ".npy" else read_csv(path)


def load_file(
    path: str | Path, *, label: str | int | Sequence[str | int] | None = None, memory: int | None = None
) -> Table:
    """Features and labels from a file, by its suffix.

    ``.npy``
        One array of shape (rows, columns), ``label`` an index.
    ``.npz``
        Arrays ``X`` and ``y``.
    ``.libsvm``, ``.svm``, ``.svmlight``
        ``label index:value ...``, indices from 1.
    any other (``.csv``, ``.tsv``, ``.txt``, ``.dat``, ...)
        One row a sample, separated by comma, semicolon, tab or blanks, with or without a header line. ``label`` names the
        label's column, by its header or its index from 0 (negative from the end); by default the last. Several of them are
        several outputs.

    An NPY file's array, or X of an NPZ file that is not compressed, stays on disk if it would take more than ``memory`` bytes
    (default: of :func:`zipsgd.memory.default_memory`); its rows are then read when they are asked for.

    Raises :class:`DataError`, which names file, line and column.
    """
    if memory is None:
        memory = default_memory()
    path = Path(path)
    check_file(path)
    suffix = path.suffix.lower()
    if suffix != ".npz" and suffix not in LIBSVM_SUFFIXES:
        labels = [] if label is None else [label] if isinstance(label, str | int) else list(label)
        return read_raw_table(path, memory).split(labels)
    if label:
        raise DataError(f"{path}: the label's place is fixed in this kind of file; name no column for it")
    return npz_table(path, memory) if suffix == ".npz" else read_libsvm(path)
