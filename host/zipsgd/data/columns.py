"""Columns of a file, of which a table takes some as features and one as label."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Rows

from .errors import DataError
from .naming import listed

__all__ = ["Columns", "Named", "Texts", "check_names", "first_values", "place_of"]

Texts = npt.NDArray[np.str_]
"""A column of text, shape (rows,)."""
_SHOWN = 20
"""Most names of columns in an error."""


class Named(Protocol):
    """What has named columns."""

    @property
    def source(self) -> str:
        """str: Name of the data in messages."""

    @property
    def names(self) -> tuple[str, ...]:
        """tuple[str, ...]: Names of the columns."""


class Columns(Named, Protocol):
    """All columns of a file, which are read on request.

    Attributes
    ----------
    source : str
        Name of the data in messages.
    names : tuple of str
        Names of the columns.
    headed : bool
        Whether the names come from the file.
    """

    @property
    def headed(self) -> bool:
        """bool: Whether the names come from the file."""

    def is_text(self, place: int) -> bool:
        """Whether a column holds text and no numbers."""

    def examples(self, place: int) -> tuple[str, list[str]]:
        """Where a column of text begins (such as "line 2"), and a few of its values."""

    def read(
        self, numbers: Sequence[int], texts: Sequence[int] = (), *, missing: Sequence[int] = ()
    ) -> tuple[Rows, list[Texts]]:
        """Read some columns, in one pass.

        Parameters
        ----------
        numbers : sequence of int
            Columns to read as numbers.
        texts : sequence of int
            Columns to read as text.
        missing : sequence of int
            Columns of text in which values may be missing.

        Returns
        -------
        Rows of shape (rows, len(numbers))
            float32 or float64 numbers.
        list of arrays of shape (rows,)
            The columns of text.

        Raises
        ------
        DataError
            A cell does not hold what is wanted. The message names it.
        """


def check_names(names: Sequence[str], source: str) -> None:
    """Raise DataError if two columns have the same name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{source}: two columns are called {name!r}; rename one")
        seen.add(name)


def place_of(columns: Named, column: str | int) -> int:
    """Index of a column.

    Parameters
    ----------
    columns : Columns or Table
        Named columns.
    column : str or int
        Name or number of one. A number is from 0, or negative from the end.

    Returns
    -------
    int
        Its index, from 0.

    Raises
    ------
    DataError
        There is no such column.
    """
    names, given = columns.names, column
    if isinstance(column, str):
        for name in (column, column.lstrip("# ")):
            if name in names:
                return names.index(name)
        try:
            column = int(column)
        except ValueError:
            raise DataError(
                f"{columns.source}: no column {given!r}; columns: {listed(names, _SHOWN)}"
            ) from None
    if not -len(names) <= column < len(names):
        raise DataError(f"{columns.source}: no column {column}; there are {len(names)}, numbered from 0")
    return column % len(names)


def first_values(values: Sequence[Any], most: int = 3) -> list[str]:
    """A few different values, as text."""
    return list(dict.fromkeys(map(str, values)))[:most]
