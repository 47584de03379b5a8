"""Data files of a user: text, LIBSVM, NPY, NPZ, Parquet and Arrow."""

import logging
from pathlib import Path
from typing import Any

from .cells import quoted
from .columnar_file import read_arrow, read_parquet
from .columns import Columns
from .csv_file import read_csv
from .errors import DataError
from .libsvm_file import read_libsvm
from .numpy_file import npz_table, read_npy
from .reading import Reading
from .selection import describe, table_of
from .source import format_of, regular_file, title
from .table import Table

__all__ = ["columns_of", "load_file"]

_log = logging.getLogger(__name__)

UNNAMED = "Unnamed: 0"
"""The first column, if its header is empty, as pandas calls it; pandas writes such a column for its index."""


def columns_of(path: Path, source: str, kind: str, reading: Reading) -> Columns:
    """The columns of a file that does not tell features and label apart.

    Parameters
    ----------
    path : Path
        The file.
    source : str
        Its name in messages.
    kind : str
        Its format: csv, npy, parquet or arrow.
    reading : Reading
        How to read it.

    Returns
    -------
    Columns
        Its columns.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    if kind == "csv":
        return read_csv(path, source, reading.header)
    if reading.header is not None:
        raise DataError(
            f"{source}: a header is of text files; leave out --header and --no-header (in Python: header)"
        )
    if kind == "npy":
        return read_npy(path, source, reading.memory)
    return (read_parquet if kind == "parquet" else read_arrow)(path, source)


def load_file(path: str | Path, **words: Any) -> Table:
    """Load features and labels from a file, a pipe or standard input.

    Parameters
    ----------
    path : str | Path
        The file; ``-`` is standard input. The formats are described by :func:`zipsgd.data.load`.
    words
        Fields of :class:`Reading`, such as ``label="price"``.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        The file cannot be used. The message names file, line and column.
    """
    reading = Reading(**words)
    path = Path(path)
    source = title(path)
    with regular_file(path) as file:
        kind = format_of(file, str(path), reading.format)
        if kind in ("npz", "libsvm"):
            return _fixed(file, source, kind, reading)
        columns = columns_of(file, source, kind, reading)
        table = table_of(columns, reading)
    describe(source, _contents(table), columns.names, columns.headed if kind == "csv" else None)
    if table.names[0] == UNNAMED:
        _log.info(
            "%s: the first column has no name; if it only counts rows: --ignore %s", source, quoted(UNNAMED)
        )
    return table


def _contents(table: Table) -> str:
    rows, features = table.features.shape
    return f"{rows:,} rows of {features:,} features, label {table.label_name!r}"


def _fixed(file: Path, source: str, kind: str, reading: Reading) -> Table:
    """A table of a format in which the label has a place of its own."""
    if reading.labels:
        raise DataError(
            f"{source}: the label has a fixed place in this format: leave out the name of the label's column"
        )
    if reading.categories or reading.header is not None:
        option = (
            "--one-hot (in Python: one_hot)"
            if reading.categories
            else "--header and --no-header (in Python: header)"
        )
        raise DataError(f"{source}: this format holds numbers alone, without a header; leave out {option}")
    table = npz_table(file, source, reading.memory) if kind == "npz" else read_libsvm(file, source)
    table = table.without_columns(reading.ignored)
    describe(source, _contents(table))
    return table
