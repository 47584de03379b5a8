"""Features and labels in the units of the data, from a file or from arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Rows, RowSelection, iterate_blocks, ranges, select_columns

from .columns import place_of
from .errors import DataError

__all__ = ["LABEL_SEPARATOR", "Table", "check_finite"]


LABEL_SEPARATOR = ", "
"""Between the names of several labels."""


def check_finite(features: Rows, names: Sequence[str], source: str) -> None:
    """Check that all features are finite.

    Parameters
    ----------
    features : Rows of shape (rows, columns)
        The features.
    names : Sequence[str]
        Names of the columns.
    source : str
        Beginning of error messages.

    Raises
    ------
    DataError
        A value is NaN or infinite. The message names the first one.
    """
    first, count = "", 0
    for part, block in iterate_blocks(features):
        bad = ~np.isfinite(block)
        if not bad.any():
            continue
        if not first:
            row, column = np.argwhere(bad)[0]
            first = f"column {names[column]!r} is {block[row, column]} in row {part.start + row + 1}"
        count += int(bad.sum())
    if count:
        raise DataError(
            f"{source}: {first} ({count} such values in all): leave those rows out or fill them in"
        )


@dataclass(frozen=True)
class Table:
    """A data set in its own units.

    Parameters
    ----------
    features : Rows of shape (rows, columns)
        float32 or float64 numbers: an array, or a :class:`zipsgd.rows.ColumnSelection` of a file that is larger than memory.
    labels : npt.NDArray[np.float64] of shape (rows,) or (rows, outputs), or npt.NDArray[np.str_] of shape (rows,)
        One label per row: numbers, or classes as text.
    names : tuple[str, ...]
        Names of the columns.
    source : str
        Name of the data in messages.
    label_name : str
        Name of the label's column.
    categories : mapping of str to sequence of str
        The columns that were made columns of 0 and 1 (``name=value``), with the values of each.

    Raises
    ------
    DataError
        The shapes do not match, or a value is not finite.
    """

    features: Rows
    labels: npt.NDArray[Any]
    names: tuple[str, ...]
    source: str
    label_name: str = "label"
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.features.shape
        if len(shape) != 2 or self.labels.ndim not in (1, 2) or self.labels.shape[0] != shape[0]:
            raise DataError(
                f"{self.source}: features of shape {shape} and labels of shape {self.labels.shape} do not match; features must "
                f"have the shape (rows, columns) and labels (rows,), one label per row, or (rows, outputs)"
            )
        if 0 in shape or 0 in self.labels.shape:
            raise DataError(
                f"{self.source} holds no data: {self.features.shape[0]} rows of {self.features.shape[1]} features"
            )
        if len(self.names) != self.features.shape[1]:
            raise DataError(
                f"{self.source}: there are {len(self.names)} names for {self.features.shape[1]} columns"
            )
        check_finite(self.features, self.names, self.source)
        if self.textual:
            return
        bad = np.argwhere(~np.isfinite(self.labels))
        if bad.size:
            raise DataError(
                f"{self.source}: the label is {self.labels[tuple(bad[0])]} in row {bad[0][0] + 1} ({len(bad)} such labels in "
                f"all): leave those rows out"
            )

    @property
    def textual(self) -> bool:
        """bool: Whether the labels are text."""
        return self.labels.dtype.kind == "U"

    @classmethod
    def from_arrays(
        cls,
        features: Any,
        labels: Any,
        names: Sequence[str] | None = None,
        source: str = "the arrays",
    ) -> "Table":
        """A table of arrays.

        Features that are mapped from a file (``numpy.load(path, mmap_mode="r")``, or a slice of that) stay there.

        Parameters
        ----------
        features : array, data frame or sparse matrix of shape (rows, columns)
            Real numbers.
        labels : array or series of shape (rows,) or (rows, outputs)
            Real numbers, or classes as text.
        names : Sequence[str], optional
            Names of the columns; by default those of a data frame.
        source : str
            Name of the data in messages.

        Returns
        -------
        Table
            The table.

        Raises
        ------
        DataError
            The arrays do not hold real numbers, the shapes do not match, or a value is not finite.
        """
        from .inputs import as_features, as_target  # which need tables

        values, found = as_features(features, f"{source}, features")
        targets, label = as_target(labels, f"{source}, labels")
        return cls(values, targets, tuple(found if names is None else names), source, label)

    def without_constant_columns(self) -> "Table":
        """The table without columns that are constant.

        Returns
        -------
        Table
            The table.

        Raises
        ------
        DataError
            All columns are constant.
        """
        low, high, _ = ranges(self.features)
        kept = np.flatnonzero(low < high).tolist()
        if not kept:
            raise DataError(f"{self.source}: all columns are constant; there is nothing to learn from")
        return self.select_columns(kept)

    def select_columns(self, places: Sequence[int]) -> "Table":
        """The table with some of its columns.

        Parameters
        ----------
        places : Sequence[int]
            Indices of the columns.

        Returns
        -------
        Table
            The table.
        """
        return replace(
            self,
            features=select_columns(self.features, places),
            names=tuple(self.names[place] for place in places),
        )

    def without_columns(self, columns: Sequence[str | int]) -> "Table":
        """The table without some columns.

        Parameters
        ----------
        columns : Sequence[str | int]
            Their names or numbers.

        Returns
        -------
        Table
            The table.

        Raises
        ------
        DataError
            There is no such column, or none would be left.
        """
        if not columns:
            return self
        left_out = {place_of(self, column) for column in columns}
        kept = [place for place in range(len(self.names)) if place not in left_out]
        if not kept:
            raise DataError(f"{self.source}: all columns are ignored; leave one to learn from")
        return self.select_columns(kept)

    def split(self, share: float, seed: int) -> tuple["Table", "Table"]:
        """Split the rows at random into training rows and rows that are held out. Rows are not copied.

        Parameters
        ----------
        share : float
            Share of the rows that are held out, between 0 and 1.
        seed : int
            Seed of the random selection.

        Returns
        -------
        tuple[Table, Table]
            Training rows, and held-out rows.

        Raises
        ------
        DataError
            One of the two would have no rows.
        """
        rows = len(self.labels)
        count = round(rows * share) if 0 < share < 1 else 0
        if not 0 < count < rows:
            raise DataError(
                f"{self.source}: the share of rows to hold out must be between 0 and 1 and leave at least one of the {rows} "
                f"rows on either side, which {share:g} does not"
            )
        drawn = np.random.default_rng(seed).permutation(rows)
        return self.take(np.sort(drawn[count:])), self.take(np.sort(drawn[:count]))

    def with_rows(self, features: Rows, labels: npt.NDArray[np.float64]) -> "Table":
        """The same columns with other rows, which are not checked.

        Parameters
        ----------
        features : Rows of shape (rows, columns)
            Finite numbers.
        labels : npt.NDArray[np.float64] of shape (rows,) or (rows, outputs)
            Finite numbers.

        Returns
        -------
        Table
            The other rows.
        """
        other = object.__new__(type(self))
        vars(other).update({**vars(self), "features": features, "labels": labels})
        return other

    def take(self, index: npt.NDArray[np.int64]) -> "Table":
        """Select rows, which may repeat. Rows are neither copied nor checked again.

        Parameters
        ----------
        index : npt.NDArray[np.int64] of shape (selected,)
            Numbers of the rows.

        Returns
        -------
        Table
            The selected rows.
        """
        return self.with_rows(RowSelection(self.features, index), self.labels[index])
