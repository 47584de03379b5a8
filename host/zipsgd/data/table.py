"""Features and labels as they come from a file or from arrays."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.rows import ColumnSelection, Rows, RowSelection, iterate_blocks, ranges, select_columns

from .errors import DataError

__all__ = ["LABEL_SEPARATOR", "Table", "as_labels", "as_rows", "check_finite", "column_names"]


LABEL_SEPARATOR = ", "
"""Between the names of several labels."""


def column_names(count: int, first: int = 0) -> tuple[str, ...]:
    """Names of columns that have none."""
    return tuple(f"column {i}" for i in range(first, first + count))


def _check_numbers(array: npt.NDArray[np.generic], what: str) -> None:
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what}: holds {array.dtype}, not real numbers; encode classes as numbers, such as 0, 1 and 2"
        )


def as_labels(array: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.float64]:
    """``array`` as labels, a column of them as a vector. Raises :class:`DataError`, as :func:`as_rows`."""
    _check_numbers(array, what)
    labels = array.astype(np.float64)
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def as_rows(array: npt.NDArray[np.generic], what: str) -> Rows:
    """``array`` as float32 or float64. One that is mapped from a file stays there.

    Raises :class:`DataError`, which begins with ``what``, where it holds anything but real numbers.
    """
    _check_numbers(array, what)
    if isinstance(array, np.memmap) and array.ndim == 2:
        return ColumnSelection(array)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)  # type: ignore[return-value]


def check_finite(features: Rows, names: Sequence[str], source: str) -> None:
    """Raises :class:`DataError` that names the first NaN or infinity."""
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

    ``features``: float32 or float64, shape (rows, columns), an array or :class:`zipsgd.rows.ColumnSelection` of a file that is larger
    than memory. ``labels``: float64, shape (rows,). ``names``: of the columns. ``source``: what messages call it.
    ``label_name``: of the label's column.

    Raises :class:`DataError` where the shapes do not fit, or a value is not finite.
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
                f"{self.source}: features of shape {shape} and labels of shape {self.labels.shape} do not go together; features "
                f"must be (rows, columns) and labels (rows,): one label a row; or (rows, outputs)"
            )
        if 0 in shape or 0 in self.labels.shape:
            raise DataError(
                f"{self.source} holds no data: {self.features.shape[0]} rows of {self.features.shape[1]} features"
            )
        if len(self.names) != self.features.shape[1]:
            raise DataError(f"{self.source}: {len(self.names)} names for {self.features.shape[1]} columns")
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
        """A table of anything that NumPy takes for an array: (rows, columns) and (rows,) or (rows, 1).

        Features that are mapped from a file (``numpy.load(path, mmap_mode="r")``, or a slice of that) stay there.
        """
        array = features if isinstance(features, np.memmap) else np.asarray(features)
        values = as_rows(array, f"{source}, features")
        targets = as_labels(np.asarray(labels), f"{source}, labels")
        if names is None:
            names = column_names(array.shape[1] if array.ndim == 2 else 0)
        return cls(values, targets, tuple(names), source)

    def without_constant_columns(self) -> "Table":
        """The table without the columns that never vary."""
        low, high, _ = ranges(self.features)
        kept = np.flatnonzero(low < high).tolist()
        if not kept:
            raise DataError(f"{self.source}: no column ever varies; there is nothing to learn from")
        return self.select_columns(kept)

    def select_columns(self, places: Sequence[int]) -> "Table":
        """The table with some of its columns, by their numbers."""
        return replace(
            self,
            features=select_columns(self.features, places),
            names=tuple(self.names[place] for place in places),
        )

    def split(self, share: float, seed: int) -> tuple["Table", "Table"]:
        """Rows to train on, and a share of them held out, which the seed draws; no row is copied.

        Raises :class:`DataError` unless there are rows for both.
        """
        rows = len(self.labels)
        count = round(rows * share) if 0 < share < 1 else 0
        if not 0 < count < rows:
            raise DataError(
                f"{self.source}: of {rows} rows, a share between 0 and 1 that is at least a row can be held out, and {share:g} "
                f"is not"
            )
        drawn = np.random.default_rng(seed).permutation(rows)
        return self.take(np.sort(drawn[count:])), self.take(np.sort(drawn[:count]))

    def take(self, index: npt.NDArray[np.int64]) -> "Table":
        """The rows of ``index``, maybe more than once. No row is copied, or checked again."""
        taken = copy(self)
        object.__setattr__(taken, "features", RowSelection(self.features, index))
        object.__setattr__(taken, "labels", self.labels[index])
        return taken
