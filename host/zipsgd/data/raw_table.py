"""A table with named columns whose label is not separated yet."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zipsgd.rows import Rows, column, select_columns

from .errors import DataError
from .table import LABEL_SEPARATOR, Table

__all__ = ["RawTable"]


@dataclass(frozen=True)
class RawTable:
    """All columns of a file.

    Parameters
    ----------
    values : Rows of shape (rows, columns)
        float32 or float64 numbers.
    names : tuple[str, ...]
        Names of the columns.
    source : str
        Name of the data in messages.
    headed : bool
        Whether the names come from the file.

    Raises
    ------
    DataError
        There are no rows, or two columns have the same name.
    """

    values: Rows
    names: tuple[str, ...]
    source: str
    headed: bool = False

    def __post_init__(self) -> None:
        if len(self.values.shape) != 2 or self.values.shape[0] == 0:
            raise DataError(
                f"{self.source}: the shape is {self.values.shape}; rows and columns are needed, with at least one row"
            )
        twice = next((name for i, name in enumerate(self.names) if name in self.names[:i]), None)
        if twice is not None:
            raise DataError(f"{self.source}: two columns are called {twice!r}; rename one")

    def index(self, label: str | int) -> int:
        """Index of a column.

        Parameters
        ----------
        label : str | int
            Name or number of the column.

        Returns
        -------
        int
            Its index, from 0.

        Raises
        ------
        DataError
            There is no such column.
        """
        count = len(self.names)
        if isinstance(label, str):
            if label in self.names:
                return self.names.index(label)
            try:
                label = int(label)
            except ValueError:
                raise DataError(
                    f"{self.source}: no column {label!r}; columns: {', '.join(self.names)}"
                ) from None
        if not -count <= label < count:
            raise DataError(f"{self.source}: no column {label}; there are {count}, numbered from 0")
        return label % count

    def split(self, labels: Sequence[str | int]) -> Table:
        """Separate labels from features.

        Parameters
        ----------
        labels : Sequence[str | int]
            Names or numbers of the labels' columns; the last column if there are none.

        Returns
        -------
        Table
            Features and labels.

        Raises
        ------
        DataError
            There is no such column, or none is left for features.
        """
        if len(self.names) < 2:
            raise DataError(
                f"{self.source}: each row has only one value; at least one feature and the label are needed"
            )
        places = [self.index(label) for label in labels or [len(self.names) - 1]]
        kept = [i for i in range(len(self.names)) if i not in places]
        if len(set(places)) < len(places) or not kept:
            raise DataError(
                f"{self.source}: {len(places)} labels of {len(self.names)} columns; name each label once, and leave a column "
                f"to learn from"
            )
        columns = [column(self.values, place) for place in places]
        return Table(
            select_columns(self.values, kept),
            columns[0] if len(columns) == 1 else np.stack(columns, axis=1),
            tuple(self.names[i] for i in kept),
            self.source,
            LABEL_SEPARATOR.join(self.names[place] for place in places),
        )
