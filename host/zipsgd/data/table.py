"""Features and labels in the units of the data, from a file or from arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.rows import ColumnSelection, Rows, RowSelection, iterate_blocks, ranges, select_columns

from .errors import DataError

__all__ = ["LABEL_SEPARATOR", "Table", "as_labels", "as_rows", "check_finite", "column_names"]


LABEL_SEPARATOR = ", "
"""Between the names of several labels."""


def column_names(count: int, first: int = 0) -> tuple[str, ...]:
    """Names for columns without names: ``column 0`` and so on.

    Parameters
    ----------
    count : int
        Number of columns.
    first : int
        Number of the first column.

    Returns
    -------
    tuple[str, ...]
        The names.
    """
    return tuple(f"column {i}" for i in range(first, first + count))


def _check_numbers(array: npt.NDArray[np.generic], what: str) -> None:
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what}: the type is {array.dtype}, but must be real numbers; encode classes as numbers, such as 0, 1 and 2"
        )


def as_labels(array: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.float64]:
    """Convert an array to labels. A single column becomes a vector.

    Parameters
    ----------
    array : npt.NDArray[np.generic] of shape (rows,) or (rows, 1)
        Real numbers.
    what : str
        Beginning of error messages.

    Returns
    -------
    npt.NDArray[np.float64] of shape (rows,)
        The labels.

    Raises
    ------
    DataError
        The array does not hold real numbers.
    """
    _check_numbers(array, what)
    labels = array.astype(np.float64)
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def as_rows(array: npt.NDArray[np.generic], what: str) -> Rows:
    """Convert an array to float32 or float64. An array that is mapped from a file stays there.

    Parameters
    ----------
    array : npt.NDArray[np.generic] of shape (rows, columns)
        Real numbers.
    what : str
        Beginning of error messages.

    Returns
    -------
    Rows of shape (rows, columns)
        The rows.

    Raises
    ------
    DataError
        The array does not hold real numbers.
    """
    _check_numbers(array, what)
    if isinstance(array, np.memmap) and array.ndim == 2:
        return ColumnSelection(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)  # type: ignore[return-value]


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
    labels : npt.NDArray[np.float64] of shape (rows,)
        One label per row.
    names : tuple[str, ...]
        Names of the columns.
    source : str
        Name of the data in messages.
    label_name : str
        Name of the label's column.

    Raises
    ------
    DataError
        The shapes do not match, or a value is not finite.
    """

    features: Rows
    labels: npt.NDArray[np.float64]
    names: tuple[str, ...]
    source: str
    label_name: str = "label"

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
        bad = np.argwhere(~np.isfinite(self.labels))
        if bad.size:
            raise DataError(
                f"{self.source}: the label is {self.labels[tuple(bad[0])]} in row {bad[0][0] + 1} ({len(bad)} such labels in "
                f"all): leave those rows out"
            )

    @classmethod
    def from_arrays(
        cls,
        features: npt.ArrayLike,
        labels: npt.ArrayLike,
        names: Sequence[str] | None = None,
        source: str = "the arrays",
    ) -> "Table":
        """A table of arrays.

        Features that are mapped from a file (``numpy.load(path, mmap_mode="r")``, or a slice of that) stay there.

        Parameters
        ----------
        features : npt.ArrayLike of shape (rows, columns)
            Real numbers.
        labels : npt.ArrayLike of shape (rows,) or (rows, 1)
            Real numbers.
        names : Sequence[str], optional
            Names of the columns.
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
        array = features if isinstance(features, np.memmap) else np.asarray(features)
        values = as_rows(array, f"{source}, features")
        targets = as_labels(np.asarray(labels), f"{source}, labels")
        if names is None:
            names = column_names(array.shape[1] if array.ndim == 2 else 0)
        return cls(values, targets, tuple(names), source)

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
