"""Features and labels as they come from a file."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import DataError

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """A data set in its own units.

    ``features``: float32 or float64, shape (rows, columns). ``labels``: float64, shape (rows,). ``names``: of the columns.
    """

    features: npt.NDArray[np.floating]
    labels: npt.NDArray[np.float64]
    names: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.labels.shape != self.features.shape[:1]:
            raise DataError(
                f"{self.source}: features of shape {self.features.shape} and labels of shape {self.labels.shape} do not go "
                f"together; features must be (rows, columns) and labels (rows,)"
            )
        if 0 in self.features.shape:
            raise DataError(
                f"{self.source} holds no data: {self.features.shape[0]} rows of {self.features.shape[1]} features"
            )
        bad = ~np.isfinite(self.features)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise DataError(
                f"{self.source}: column {self.names[column]!r} is {self.features[row, column]} in row {row + 1} "
                f"({int(bad.sum())} such values in all): drop those rows or fill them in before training"
            )
        bad_labels = np.flatnonzero(~np.isfinite(self.labels))
        if bad_labels.size:
            raise DataError(
                f"{self.source}: the label is {self.labels[bad_labels[0]]} in row {bad_labels[0] + 1} ({bad_labels.size} such "
                f"labels in all): drop those rows"
            )

    def without_constant_columns(self) -> "Table":
        """The table without the columns that never vary."""
        kept = np.flatnonzero(np.ptp(self.features, axis=0) > 0)
        return Table(self.features[:, kept], self.labels, tuple(self.names[i] for i in kept), self.source)
