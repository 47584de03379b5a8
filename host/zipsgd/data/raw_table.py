"""A table with named columns whose label is not separated yet."""

from dataclasses import dataclass

from zipsgd.rows import Rows, column, select_columns

from .errors import DataError
from .table import Table

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

    def index(self, label: str | int | None) -> int:
        """Index of a column.

        Parameters
        ----------
        label : str | int | None
            Name or number of the column; None for the last one.

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
        if label is None:
            return count - 1
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

    def split(self, label: str | int | None) -> Table:
        """Separate the label from the features.

        Parameters
        ----------
        label : str | int | None
            Name or number of the label's column; None for the last one.

        Returns
        -------
        Table
            Features and labels.

        Raises
        ------
        DataError
            There is no such column, or it is the only one.
        """
        if len(self.names) < 2:
            raise DataError(
                f"{self.source}: each row has only one value; at least one feature and the label are needed"
            )
        index = self.index(label)
        kept = [i for i in range(len(self.names)) if i != index]
        return Table(
            select_columns(self.values, kept),
            column(self.values, index),
            tuple(self.names[i] for i in kept),
            self.source,
            self.names[index],
        )
