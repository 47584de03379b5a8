"""Sources of training data (named sets, files and arrays), and the scaling of data."""

import logging
from collections.abc import Sequence
from pathlib import Path

from .arrays import class_name
from .converter import Converter
from .errors import DataError
from .files import load_file
from .inputs import as_features, as_table
from .matching import arrange, load_rows
from .reading import Reading
from .scaling import Scaling
from .sets import SETS, load_set
from .source import FORMATS
from .table import Table

__all__ = [
    "FORMATS",
    "SETS",
    "Converter",
    "DataError",
    "Reading",
    "Scaling",
    "Table",
    "arrange",
    "as_features",
    "as_table",
    "class_name",
    "load",
    "load_file",
    "load_rows",
    "load_set",
]

_log = logging.getLogger(__name__)


def load(
    source: str | Path,
    *,
    label: str | int | Sequence[str | int] | None = None,
    memory: int | None = None,
    format: str | None = None,
    header: bool | None = None,
    ignore: str | int | Sequence[str | int] = (),
    one_hot: str | int | Sequence[str | int] = (),
) -> Table:
    """Load a named set or a file. What was read, and the download of a set, is logged.

    These formats are recognised by suffix or, with any other suffix, by their first bytes:

    csv
        Text, one row per sample, separated by commas, semicolons, tabs or blanks, with or without a header line. Blank lines,
        and lines that begin with # or @, are passed over. Numbers have decimal points or, unless commas separate them, decimal
        commas; true and false are 1 and 0.
    libsvm (``.libsvm``, ``.svm``, ``.svmlight``)
        Lines ``label index:value ...`` with ascending indices from 1.
    npy, npz (``.npy``, ``.npz``)
        One array of shape (rows, columns), or arrays ``X`` and ``y``.
    parquet, arrow (``.parquet``, ``.pq``, ``.arrow``, ``.feather``, ``.ipc``)
        Columns of numbers, booleans and text.

    Text may be compressed by gzip, bzip2 or xz. A label of text is the name of a class.

    Parameters
    ----------
    source : str | Path
        Name of a set, or path of a file or pipe; ``-`` is standard input.
    label : str | int | Sequence[str | int], optional
        Column of the label: its header, or its number from 0 (negative from the end). By default the last column. Several
        columns are several outputs.
    memory : int, optional
        Bytes that the features may take in memory; by default :func:`zipsgd.memory.default_memory`. If the array of an NPY
        file, X of an uncompressed NPZ file, or a Parquet or Arrow file needs more, it stays on disk, and its rows are read on
        request.
    format : str, optional
        One of csv, libsvm, npy, npz, parquet and arrow.
    header : bool, optional
        Whether the first line of a text file is a header. By default it is one if it has names where other rows have numbers,
        or plainly numbers the columns (:func:`zipsgd.data.csv_layout.layout_of`).
    ignore : str | int | Sequence[str | int], optional
        Columns to leave out.
    one_hot : str | int | Sequence[str | int], optional
        Columns of categories: each value becomes a column of 0 and 1, called ``name=value``. "all" means every column of text.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        The set or the file cannot be loaded. The message names file, line and column.
    """
    words = {} if memory is None else {"memory": memory}
    reading = Reading(label, format, header, ignore, one_hot, **words)
    if str(source) not in SETS:
        return load_file(source, **vars(reading))
    if label is not None:
        raise DataError(f"the set {source} already has a label: leave out the name of the label's column")
    if reading.categories or format is not None or header is not None:
        raise DataError(f"the set {source} is no file: leave out what says how to read one")
    return load_set(str(source), _log.info).without_columns(reading.ignored)
