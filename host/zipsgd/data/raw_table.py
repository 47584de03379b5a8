"""One array of numbers with named columns, the label's among them or not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zipsgd.rows import Rows, column, select_columns

from .errors import DataError
from .table import LABEL_SEPARATOR, Table

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

    def index(self, label: str | int) -> int:
        """Index of a column by its name or number."""
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
        """The columns of the labels, by name or number (none: the last column), and the others as features."""
        if len(self.names) < 2:
            raise DataError(
                f"{self.source}: each row has one value; at least one feature and the label are needed"
            )
        places = [self.index(label) for label in labels or [len(self.names) - 1]]
        kept = [i for i in range(len(self.names)) if i not in places]
        if len(set(places)) < len(places) or not kept:
            raise DataError(
                f"{self.source}: {len(places)} labels of {len(self.names)} columns; name each label once, and leave a column to "
                f"learn from"
            )
        columns = [column(self.values, place) for place in places]
        return Table(
            select_columns(self.values, kept),
            columns[0] if len(columns) == 1 else np.stack(columns, axis=1),
            tuple(self.names[i] for i in kept),
            self.source,
            LABEL_SEPARATOR.join(self.names[place] for place in places),
        )
