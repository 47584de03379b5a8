"""Rows for prediction: the columns that a model was trained on, found in other data."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.memory import default_memory
from zipsgd.rows import Rows, column, select_columns

from .cells import boolean_of, is_missing, number_of
from .columns import Columns, Texts
from .errors import DataError
from .files import columns_of
from .libsvm_file import read_libsvm
from .naming import listed
from .numpy_file import read_npz
from .one_hot import category_name, expand
from .reading import Reading
from .selection import describe, materialised, refuse_text
from .sets import SETS, load_set
from .source import format_of, regular_file, title
from .table import LABEL_SEPARATOR, Table, check_finite

__all__ = ["arrange", "load_rows"]

_log = logging.getLogger(__name__)

_Labels = npt.NDArray[Any]
_NO_SCORE = "%s: the label is missing in some rows, so that there is no score"
_MADE_UP = re.compile(r"column (\d+)")


def _find_columns(names: Sequence[str], columns: Sequence[str]) -> list[int] | None:
    """Indices of ``columns`` among ``names``; None if one is missing."""
    places = {name: place for place, name in enumerate(names)}
    return [places[name] for name in columns] if places.keys() >= set(columns) else None


def _made_up(names: Sequence[str]) -> bool:
    """Whether columns have no names of their own, but those of :func:`.column_names`."""
    return all(_MADE_UP.fullmatch(name) for name in names)


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
        f"{listed(missing)} missing"
    )


@dataclass(frozen=True)
class _Wanted:
    """What a model was trained on.

    Parameters
    ----------
    columns : sequence of str
        Names of its features.
    label : str
        Name of its label.
    categories : mapping of str to sequence of str
        The columns that were made columns of 0 and 1, with the values of each.
    """

    columns: Sequence[str]
    label: str
    categories: Mapping[str, Sequence[str]]

    @property
    def order(self) -> list[str | tuple[str, str]]:
        """list of str or (str, str): The features: columns of numbers, and columns of categories with a value."""
        known = {
            category_name(name, value): (name, value)
            for name in self.categories
            for value in self.categories[name]
        }
        return [known.get(name, name) for name in self.columns]

    @property
    def sources(self) -> list[str]:
        """list of str: The columns of a file that the features are made of, in order."""
        return list(dict.fromkeys(item if isinstance(item, str) else item[0] for item in self.order))

    @property
    def labels(self) -> list[str]:
        """list of str: The labels' columns."""
        return self.label.split(LABEL_SEPARATOR)

    def numbers(self, names: Sequence[str]) -> list[int] | None:
        """The numbers of made-up names; None if one is not made up."""
        found = [_MADE_UP.fullmatch(name) for name in names]
        return None if None in found else [int(match[1]) for match in found if match is not None]

    def places_by_number(self, count: int) -> tuple[list[int], list[int]]:
        """Places of features and labels in a file without names that has ``count`` columns, the label among them or not.

        Features of a model without names are where they were when it was trained. If it was trained on a format in which the
        label has a place of its own, the last of one more columns is the label.
        """
        features, sources = self.numbers(self.sources), self.sources
        if count == len(sources):
            return list(range(count)), []
        labels = self.numbers(self.labels)
        if features is not None and labels is not None and count > max(features, default=0):
            return features, labels if max(labels) < count else []
        if features is not None and labels is None and count == len(sources) + 1:
            return list(range(len(sources))), [count - 1]
        return [], []


def load_rows(
    source: str | Path,
    columns: Sequence[str],
    label: str,
    *,
    memory: int | None = None,
    format: str | None = None,
    header: bool | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Rows, _Labels | None]:
    """Load features for a model that was trained on ``columns``, and labels if the source has them.

    Columns are found by their names, and no other columns are read. If the model or the source has no names, columns are found
    by their places: where they were in a file without a header that included the label, or in order, with or without the label.

    Parameters
    ----------
    source : str | Path
        A file or a named set, as for :func:`zipsgd.data.load`.
    columns : Sequence[str]
        Names of the features when the model was trained.
    label : str
        Name of the label when the model was trained.
    memory : int, optional
        Bytes that the features may take in memory, as for :func:`zipsgd.data.load`.
    format : str, optional
        The format of the file, as for :func:`zipsgd.data.load`.
    header : bool, optional
        Whether the first line of a text file is a header, as for :func:`zipsgd.data.load`.
    categories : Mapping[str, Sequence[str]], optional
        The model's columns of categories, with the values of each. A value that is none of them is 0 in all their columns, and
        logged as a warning.

    Returns
    -------
    features : Rows of shape (rows, features)
        The features in the order of ``columns``.
    labels : array of shape (rows,) or (rows, outputs), or None
        The labels, numbers or text; None if the source does not have them in all rows.

    Raises
    ------
    DataError
        A column is missing, or a value is not finite.
    """
    wanted = _Wanted(columns, label, categories or {})
    memory = default_memory() if memory is None else memory
    if str(source) in SETS:
        table = load_set(str(source))
        return arrange(table.features, table.names, columns, str(source)), table.labels
    path, name = Path(source), title(source)
    with regular_file(path) as file:
        kind = format_of(file, str(path), format)
        if kind in ("npz", "libsvm"):
            values, labels = _fixed(file, name, kind, wanted, memory)
        else:
            found = columns_of(file, name, kind, Reading(format=format, header=header, memory=memory))
            values, labels = _of_columns(found, kind, wanted, memory)
    check_finite(values, columns, name)
    return values, labels


def _fixed(file: Path, source: str, kind: str, wanted: _Wanted, memory: int) -> tuple[Rows, _Labels | None]:
    """Features and labels of a format in which the label has a place of its own."""
    numbers = wanted.numbers(wanted.columns)
    labels: _Labels | None
    if kind == "npz":
        values, labels = read_npz(file, source, memory)
        least = 0
        if labels is not None:
            Table(
                values, labels, tuple(map(str, range(values.shape[1]))), source
            )  # checks that the shapes match
    else:
        # Missing values are 0, and the model may have more columns than occur here
        least = 1 if numbers is not None and wanted.label == "label" and 0 not in numbers else 0
        table = read_libsvm(file, source, max(numbers) if numbers and least else len(wanted.columns))
        values, labels = table.features, table.labels
    count = values.shape[1]
    own = wanted.label == ("y" if kind == "npz" else "label")
    if count == len(wanted.columns):
        places = list(range(count))
    elif (
        own and numbers and least <= min(numbers) and max(numbers) - least < count
    ):  # where they were in such a file
        places = [number - least for number in numbers]
    else:
        raise _missing(source, [f"column {i}" for i in range(count)], wanted.columns)
    describe(source, _contents(values.shape[0], len(places), labels, wanted))
    return select_columns(values, places), labels


def _contents(rows: int, features: int, labels: _Labels | None, wanted: _Wanted) -> str:
    label = "no labels" if labels is None else f"label {wanted.label!r}"
    return f"{rows:,} rows of the model's {features:,} features, {label}"


def _of_columns(columns: Columns, kind: str, wanted: _Wanted, memory: int) -> tuple[Rows, _Labels | None]:
    """Features and labels of a format of columns."""
    names = columns.names
    places = _find_columns(names, wanted.sources) if columns.headed else None
    labels: list[int] = []
    if places is not None:
        labels = _find_columns(names, [wanted.label]) or _find_columns(names, wanted.labels) or []
    elif not columns.headed or wanted.numbers(wanted.sources) is not None:
        places, labels = wanted.places_by_number(len(names))
    if not places:
        raise _missing(columns.source, names, wanted.sources)
    place_of_name = dict(zip(wanted.sources, places))
    plain = [name for name in wanted.sources if name not in wanted.categories]
    hot = [name for name in wanted.sources if name in wanted.categories]
    for name in plain:
        if columns.is_text(place_of_name[name]):
            raise refuse_text(columns, place_of_name[name])
    wanted_numbers = [place_of_name[name] for name in plain]
    # A label in a place that is a feature's, too, is none: the file has other columns than the one trained on
    labels = [place for place in labels if place not in places]
    # In a file of text, a label may be missing in some rows; elsewhere its type tells what it is
    as_text = [place for place in labels if kind == "csv" or columns.is_text(place)]
    values, texts = columns.read(
        wanted_numbers, [*(place_of_name[name] for name in hot), *as_text], missing=as_text
    )
    named: dict[str, Texts] = dict(zip(hot, texts))
    rows = expand(values, named, wanted.categories, wanted.order, plain, columns.source)
    found = _labels_of(texts[len(hot) :], columns) if as_text else _numbers_of(labels, columns)
    said = _contents(rows.shape[0], len(wanted.columns), found, wanted)
    describe(columns.source, said, names, columns.headed if kind == "csv" else None)
    return materialised(rows, memory), found


def _numbers_of(places: Sequence[int], columns: Columns) -> _Labels | None:
    """Labels that are numbers; None if there are none, or one is missing."""
    if not places:
        return None
    try:
        found = [column(columns.read([place])[0], 0) for place in places]
    except DataError:
        found = []
    if not found or not np.isfinite(found).all():
        _log.info(_NO_SCORE, columns.source)
        return None
    return found[0] if len(found) == 1 else np.stack(found, axis=1)


def _labels_of(texts: Sequence[Texts], columns: Columns) -> _Labels | None:
    """Labels that were read as text: numbers if all are, or else text; None if one is missing."""
    if not texts:
        return None
    found: list[_Labels] = []
    for text in texts:
        if any(is_missing(cell, text=True) for cell in np.unique(text)):
            _log.info(_NO_SCORE, columns.source)
            return None
        values, places = np.unique(text, return_inverse=True)
        numbers = [
            number_of(value) if boolean_of(value) is None else boolean_of(value) for value in values.tolist()
        ]
        found.append(text if None in numbers else np.array(numbers, dtype=np.float64)[places])
    return found[0] if len(found) == 1 else np.stack(found, axis=1)
