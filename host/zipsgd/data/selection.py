"""The table that a user wants of the columns of a file: which column is the label, which are features, which are left out."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Rows, column, select_columns

from .cells import quoted, special_text, unread_number
from .columns import Columns, Texts, place_of
from .errors import DataError
from .naming import listed
from .one_hot import category_name, expand, values_of
from .reading import Reading
from .table import LABEL_SEPARATOR, Table

__all__ = ["describe", "materialised", "refuse_text", "table_of"]

_log = logging.getLogger(__name__)

_ALL = "all"
_SHOWN = 6


def describe(source: str, what: str, names: Sequence[str] = (), headed: bool | None = None) -> None:
    """Log what has been read.

    Parameters
    ----------
    source : str
        Name of the data.
    what : str
        The numbers of rows and features, and the label.
    names : sequence of str
        Names of the columns in the file.
    headed : bool or None
        Whether they come from a header; None where a format has no header line.
    """
    header = {True: f"; header: yes ({listed(names, _SHOWN)})", False: "; header: no", None: ""}[headed]
    _log.info("%s: %s%s", source, what, header)


def refuse_text(columns: Columns, place: int) -> DataError:
    """The error for a column of text that is to be a feature."""
    name = columns.names[place]
    where, values = columns.examples(place)
    reason = unread_number(values[0]) or special_text(values[0], name) if values else None
    if reason is None:
        reason = (
            f"text, such as {', '.join(map(repr, values))}: --one-hot {quoted(name)} makes a column of 0 and 1 of each value, "
            f"--ignore {quoted(name)} leaves the column out (in Python: one_hot=[{name!r}] or ignore=[{name!r}])"
        )
    return DataError(f"{columns.source}, {where}, column {name!r}: {reason}")


def materialised(rows: Rows, memory: int) -> Rows:
    """Rows as an array if they fit into ``memory`` bytes; otherwise the rows themselves."""
    size = rows[:0].dtype.itemsize * rows.shape[0] * rows.shape[1]
    return rows if isinstance(rows, np.ndarray) or size > memory else rows[:]


def _one_hot_places(columns: Columns, reading: Reading, kept: Sequence[int]) -> list[int]:
    """The columns of categories among ``kept``, in the order of the file."""
    places: set[int] = set()
    for wanted in reading.categories:
        if wanted == _ALL and _ALL not in columns.names:
            places |= {place for place in kept if columns.is_text(place)}
            continue
        place = place_of(columns, wanted)
        if place not in kept:
            raise DataError(
                f"{columns.source}: column {columns.names[place]!r} cannot be one-hot: it is the label, or ignored"
            )
        places.add(place)
    return sorted(places)


def _labels(columns: Columns, reading: Reading, ignored: set[int]) -> list[int]:
    """The places of the labels."""
    count = len(columns.names)
    if count - len(ignored) < 2:
        besides = f" besides the {len(ignored)} ignored" if ignored else ""
        raise DataError(
            f"{columns.source}: each row has only one value{besides}; at least one feature and the label are needed"
        )
    if not reading.labels:
        return [max(place for place in range(count) if place not in ignored)]
    places = [place_of(columns, label) for label in reading.labels]
    if ignored & set(places):
        raise DataError(f"{columns.source}: a column is ignored and the label at once; name another")
    if len(set(places)) < len(places) or len(places) == count - len(ignored):
        raise DataError(
            f"{columns.source}: {len(places)} labels of {count - len(ignored)} columns; name each label once, and leave a "
            f"column to learn from"
        )
    return places


def table_of(columns: Columns, reading: Reading) -> Table:
    """Separate labels from features.

    Parameters
    ----------
    columns : Columns
        All columns.
    reading : Reading
        Which is which.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        There is no such column, none is left for features, or a feature is text.
    """
    names = columns.names
    ignored = {place_of(columns, name) for name in reading.ignored}
    labels = _labels(columns, reading, ignored)
    kept = [place for place in range(len(names)) if place not in ignored and place not in labels]
    hot = _one_hot_places(columns, reading, kept)
    for place in kept:
        if columns.is_text(place) and place not in hot:
            raise refuse_text(columns, place)
    classes = [place for place in labels if columns.is_text(place)]
    if classes and len(labels) > 1:
        where, shown = columns.examples(classes[0])
        raise DataError(
            f"{columns.source}, {where}, column {names[classes[0]]!r}: text, such as {shown[0]!r}; one of several outputs "
            f"must be numbers"
        )
    for place in classes:
        where, shown = columns.examples(place)
        reason = unread_number(shown[0]) if shown else None
        if reason is not None:
            raise DataError(f"{columns.source}, {where}, column {names[place]!r}: {reason}")
    plain = [place for place in kept if place not in hot]
    numbers = sorted({*plain, *labels} - set(classes))
    values, texts = columns.read(numbers, [*hot, *classes])
    if not values.shape[0]:
        raise DataError(f"{columns.source} holds no rows of numbers")
    found: npt.NDArray[Any] = (
        texts[-1] if classes else _stacked(values, [numbers.index(place) for place in labels])
    )
    categories = {names[p]: values_of(text, names[p], columns.source) for p, text in zip(hot, texts)}
    order: list[str | tuple[str, str]] = []
    for place in kept:
        name = names[place]
        order += [(name, value) for value in categories[name]] if place in hot else [name]
    named: dict[str, Texts] = {names[place]: text for place, text in zip(hot, texts)}
    features = expand(
        select_columns(values, [numbers.index(place) for place in plain]),
        named,
        categories,
        order,
        [names[place] for place in plain],
        columns.source,
    )
    return Table(
        materialised(features, reading.memory),
        found,
        tuple(item if isinstance(item, str) else category_name(*item) for item in order),
        columns.source,
        LABEL_SEPARATOR.join(names[place] for place in labels),
        categories,
    )


def _stacked(values: Rows, places: Sequence[int]) -> npt.NDArray[np.float64]:
    """Columns as labels, shape (rows,) or (rows, outputs)."""
    columns = [column(values, place) for place in places]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
