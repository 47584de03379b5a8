"""Columns of categories as columns of 0 and 1, one for each value."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Rows, select_columns

from .cells import quoted
from .columns import Texts
from .errors import DataError

__all__ = ["OneHotRows", "category_name", "expand", "values_of"]

_log = logging.getLogger(__name__)

_MOST_VALUES = 1000
"""Values of one column, each of which becomes a feature."""


def category_name(column: str, value: str) -> str:
    """Name of the column of 0 and 1 for one value of a column of categories."""
    return f"{column}={value}"


class OneHotRows:
    """Rows of numbers with columns of 0 and 1 between them. Rows are expanded when they are read.

    Parameters
    ----------
    numbers : Rows of shape (rows, number columns)
        The numbers.
    codes : npt.NDArray[np.int32] of shape (rows, category columns)
        Number of each row's value in each column of categories; -1 for a value that has no column.
    layout : sequence of (int, int)
        For each column of the result, (-1, place among the numbers) or (place among the codes, number of the value).
    """

    def __init__(
        self, numbers: Rows, codes: npt.NDArray[np.int32], layout: Sequence[tuple[int, int]]
    ) -> None:
        self._numbers, self._codes, self._layout = numbers, codes, tuple(layout)

    @property
    def shape(self) -> tuple[int, int]:
        """tuple[int, int]: Rows and columns."""
        return self._codes.shape[0], len(self._layout)

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]:
        block, codes = self._numbers[rows], self._codes[rows]
        result: npt.NDArray[np.floating] = np.empty((len(codes), len(self._layout)), dtype=block.dtype)
        for place, (group, number) in enumerate(self._layout):
            result[:, place] = block[:, number] if group < 0 else codes[:, group] == number
        return result

    def select_columns(self, places: Sequence[int]) -> "OneHotRows":
        """Some of the columns, by their numbers among these."""
        return OneHotRows(self._numbers, self._codes, [self._layout[place] for place in places])


def values_of(column: Texts, name: str, source: str) -> tuple[str, ...]:
    """The different values of a column of categories, sorted.

    Parameters
    ----------
    column : array of shape (rows,)
        The column.
    name, source : str
        Its name, and that of the data, for messages.

    Returns
    -------
    tuple of str
        The values.

    Raises
    ------
    DataError
        There are more than 1,000.
    """
    values = tuple(np.unique(column).tolist())
    if len(values) > _MOST_VALUES:
        raise DataError(
            f"{source}: column {name!r} has {len(values):,} different values, such as {values[0]!r} and {values[1]!r}, and "
            f"each would become a feature; at most {_MOST_VALUES:,} can: --ignore {quoted(name)} leaves the column out (in "
            f"Python: ignore=[{name!r}])"
        )
    return values


def expand(
    numbers: Rows,
    texts: Mapping[str, Texts],
    categories: Mapping[str, Sequence[str]],
    order: Sequence[str | tuple[str, str]],
    names: Sequence[str],
    source: str,
) -> Rows:
    """Numbers and columns of categories as rows of numbers.

    Parameters
    ----------
    numbers : Rows of shape (rows, len(names))
        The columns of numbers.
    texts : mapping of str to array of shape (rows,)
        The columns of categories, by name.
    categories : mapping of str to sequence of str
        The values of each that have a column. Others are 0 in all of them, and logged as a warning.
    order : sequence of str or (str, str)
        The columns of the result: the name of a column of numbers, or the name of a column of categories and a value.
    names : sequence of str
        Names of the columns of numbers.
    source : str
        Name of the data in messages.

    Returns
    -------
    Rows of shape (rows, len(order))
        The rows.
    """
    if not texts:
        return (
            numbers
            if list(order) == list(names)
            else select_columns(numbers, [names.index(str(n)) for n in order])
        )
    codes = []
    for name, column in texts.items():
        known = np.array(categories[name], dtype=str)
        order_of = np.argsort(known)
        places = np.minimum(np.searchsorted(known, column, sorter=order_of), len(known) - 1)
        found = order_of[places]
        unknown = known[found] != column
        if unknown.any():
            row = int(np.argmax(unknown))
            _log.warning(
                "%s: column %r has %d values that the model was not trained on, such as %r in row %d: they count as none of "
                "the values that it knows",
                source,
                name,
                int(unknown.sum()),
                str(column[row]),
                row + 1,
            )
        codes.append(np.where(unknown, -1, found).astype(np.int32))
    groups = list(texts)
    layout = [
        (-1, names.index(item))
        if isinstance(item, str)
        else (groups.index(item[0]), list(categories[item[0]]).index(item[1]))
        for item in order
    ]
    return OneHotRows(numbers, np.stack(codes, axis=1), layout)
