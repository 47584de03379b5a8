"""One array of numbers with named columns, the label's among them or not."""

from dataclasses import dataclass

from zipsgd.rows import Rows, column, select_columns

from .errors import DataError
from .table import Table

__all__ = ["RawTable"]


@dataclass(frozen=True)
class RawTable:
    """ColumnSelection of a file. ``values``: float32 or float64; ``headed``: the names are the file's own."""

    values: Rows
    names: tuple[str, ...]
    source: str
    headed: bool = False

    def __post_init__(self) -> None:
        if len(self.values.shape) != 2 or self.values.shape[0] == 0:
            raise DataError(f"{self.source}: shape {self.values.shape}; rows of columns are needed")
        twice = next((name for i, name in enumerate(self.names) if name in self.names[:i]), None)
        if twice is not None:
            raise DataError(f"{self.source}: two columns are called {twice!r}; rename one")

    def index(self, label: str | int | None) -> int:
        """Index of a column by its name or number; of the last by None."""
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
        """The label's column, and the others as features."""
        if len(self.names) < 2:
            raise DataError(
                f"{self.source}: each row has one value; at least one feature and the label are needed"
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
