"""Features and labels as they come from a file or from arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import DataError

__all__ = ["Table", "as_numbers", "check_finite", "column_names"]


def column_names(count: int, first: int = 0) -> tuple[str, ...]:
    """Names of columns that have none."""
    return tuple(f"column {i}" for i in range(first, first + count))


def as_numbers(array: npt.NDArray[np.generic], what: str) -> npt.NDArray[np.floating]:
    """``array`` as float32 or float64. Raises :class:`DataError`, which begins with ``what``, where it holds anything else."""
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what}: holds {array.dtype}, not real numbers; encode classes as numbers (two classes: -1 and 1)"
        )
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)  # type: ignore[return-value]


def check_finite(features: npt.NDArray[np.floating], names: Sequence[str], source: str) -> None:
    """Raises :class:`DataError` that names the first NaN or infinity."""
    bad = ~np.isfinite(features)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{source}: column {names[column]!r} is {features[row, column]} in row {row + 1} ({int(bad.sum())} such values in "
            f"all): leave those rows out or fill them in"
        )


@dataclass(frozen=True)
class Table:
    """A data set in its own units.

    ``features``: float32 or float64, shape (rows, columns). ``labels``: float64, shape (rows,). ``names``: of the columns.
    ``source``: what messages call it. ``label_name``: of the label's column.

    Raises :class:`DataError` where the shapes do not fit, or a value is not finite.
    """

    features: npt.NDArray[np.floating]
    labels: npt.NDArray[np.float64]
    names: tuple[str, ...]
    source: str
    label_name: str = "label"

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1]:
            raise DataError(
                f"{self.source}: features of shape {self.features.shape} and labels of shape {self.labels.shape} do not go "
                f"together; features must be (rows, columns) and labels (rows,): one label a row"
            )
        if 0 in self.features.shape:
            raise DataError(
                f"{self.source} holds no data: {self.features.shape[0]} rows of {self.features.shape[1]} features"
            )
        if len(self.names) != self.features.shape[1]:
            raise DataError(f"{self.source}: {len(self.names)} names for {self.features.shape[1]} columns")
        check_finite(self.features, self.names, self.source)
        bad = np.flatnonzero(~np.isfinite(self.labels))
        if bad.size:
            raise DataError(
                f"{self.source}: the label is {self.labels[bad[0]]} in row {bad[0] + 1} ({bad.size} such labels in all): leave "
                f"those rows out"
            )

    @classmethod
    def from_arrays(
        cls,
        features: npt.ArrayLike,
        labels: npt.ArrayLike,
        names: Sequence[str] | None = None,
        source: str = "the arrays",
    ) -> "Table":
        """A table of anything that NumPy takes for an array: (rows, columns) and (rows,) or (rows, 1)."""
        values = as_numbers(np.asarray(features), f"{source}, features")
        targets = as_numbers(np.asarray(labels), f"{source}, labels").astype(np.float64)
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        if names is None:
            names = column_names(values.shape[1] if values.ndim == 2 else 0)
        return cls(values, targets, tuple(names), source)

    def without_constant_columns(self) -> "Table":
        """The table without the columns that never vary."""
        kept = np.flatnonzero(np.ptp(self.features, axis=0) > 0)
        if not kept.size:
            raise DataError(f"{self.source}: no column ever varies; there is nothing to learn from")
        names = tuple(self.names[i] for i in kept)
        return Table(self.features[:, kept], self.labels, names, self.source, self.label_name)
