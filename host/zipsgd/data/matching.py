"""Rows for prediction: the columns that a model was trained on, found in other data."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zipsgd.memory import default_memory
from zipsgd.rows import Rows, column, select_columns

from .errors import DataError
from .files import LIBSVM_SUFFIXES, check_file, read_raw_table
from .libsvm_file import read_libsvm
from .numpy_file import read_npz
from .raw_table import RawTable
from .sets import SETS, load_set
from .table import LABEL_SEPARATOR, Table, check_finite, column_names

__all__ = ["arrange", "load_rows"]

_Floats = npt.NDArray[np.float64]


def _find_columns(names: Sequence[str], columns: Sequence[str]) -> list[int] | None:
    """Indices of ``columns`` among ``names``; None if one is missing."""
    places = {name: place for place, name in enumerate(names)}
    return [places[name] for name in columns] if places.keys() >= set(columns) else None


def _made_up(names: Sequence[str]) -> bool:
    """Whether columns have no names of their own, but those of :func:`.column_names`."""
    return all(re.fullmatch(r"column \d+", name) for name in names)


def arrange(rows: Rows, names: Sequence[str], columns: Sequence[str], source: str) -> Rows:
    """Columns in the order in which a model was trained on them.

    Parameters
    ----------
    rows : Rows of shape (rows, len(names))
        The data.
    names : Sequence[str]
        Names of their columns.
    columns : Sequence[str]
        Names of the model's columns. They are found by name; columns without names are taken as they come.
    source : str
        What messages call the data.

    Returns
    -------
    Rows of shape (rows, len(columns))
        The model's columns.

    Raises
    ------
    DataError
        A column is missing, or there are more or fewer of them.
    """
    if _made_up(names) or _made_up(columns):
        if len(names) != len(columns):
            raise DataError(f"the model takes {len(columns)} columns, and {source} has {len(names)}")
        return rows
    places = _find_columns(names, columns)
    if places is None:
        raise _missing(source, names, columns)
    return rows if places == list(range(len(names))) else select_columns(rows, places)


def _missing(source: str, names: Sequence[str], columns: Sequence[str]) -> DataError:
    if _made_up(columns):
        return DataError(
            f"{source} has {len(names)} columns, and the model was trained on {len(columns)} without names: give data with the "
            f"same columns in the same order"
        )
    missing = [repr(name) for name in columns if name not in names]
    return DataError(
        f"{source} has {len(names)} columns, but not all of the {len(columns)} that the model was trained on: "
        f"{', '.join(missing[:5])}{', ...' * (len(missing) > 5)} missing"
    )


def load_rows(
    source: str | Path, columns: Sequence[str], label: str, *, memory: int | None = None
) -> tuple[Rows, _Floats | None]:
    """Load features for a model that was trained on ``columns``, and labels if the source has them.

    Columns are found by their names, and other columns are ignored. If the model or the file has no names, columns have the
    names that :func:`.load_file` gives to a file that includes a label. A file without the label's column may have the other
    columns in order.

    Parameters
    ----------
    source : str | Path
        A file or a named set, as for :func:`zipsgd.data.load`.
    columns : Sequence[str]
        Names of the features when the model was trained.
    label : str
        Name of the label when the model was trained.
    memory : int, optional
        Bytes that the features may take in memory, as for :func:`.load_file`.

    Returns
    -------
    features : Rows of shape (rows, features)
        The features in the order of ``columns``.
    labels : npt.NDArray[np.float64] of shape (rows,) or None
        The labels, if the source has them.

    Raises
    ------
    DataError
        A column is missing, or a value is not finite.
    """
    if memory is None:
        memory = default_memory()
    source, path = str(source), Path(source)
    suffix = path.suffix.lower()
    raw: RawTable | None = None
    labels: _Floats | None = None
    values: Rows
    if source not in SETS:
        check_file(path)
    if source in SETS:
        table = load_set(source)
        values, labels, names = table.features, table.labels, table.names
    elif suffix == ".npz":
        values, labels = read_npz(path, memory)
        names = column_names(values.shape[1])
        if labels is not None:
            Table(values, labels, names, source)  # checks that the shapes match
    elif suffix in LIBSVM_SUFFIXES:
        # Missing values are 0, and the model may have more columns than occur here
        indices = [name.removeprefix("column ") for name in columns]
        table = read_libsvm(path, max((int(index) for index in indices if index.isdigit()), default=0))
        values, labels, names = table.features, table.labels, table.names
    else:
        raw = read_raw_table(path, memory)
        values, names = raw.values, raw.names

    places = _find_columns(names, columns)
    if places is None:
        if (raw is not None and raw.headed and not _made_up(columns)) or len(names) != len(columns):
            raise _missing(source, names, columns)
        places = list(range(len(columns)))
    elif raw is not None:
        wanted = [label] if label in names else label.split(LABEL_SEPARATOR)
        if all(name in names for name in wanted):
            found = [column(values, names.index(name)) for name in wanted]
            labels = found[0] if len(found) == 1 else np.stack(found, axis=1)
    features = select_columns(values, places)
    check_finite(features, columns, source)
    return features, labels
