"""What the heads of a run are to learn: a number for each output, or +-1 for each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Scaling, Table
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE

from .objective import Objective
from .result import class_name

__all__ = ["Labels", "Targets", "classes_of"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_MOST_CLASSES = 1000
_FEW_CLASSES = 20
"""So many are classes however few rows there are."""


@dataclass(frozen=True)
class Labels:
    """What rows are labelled with: numbers, or classes.

    Parameters
    ----------
    values : _Float of shape (rows, heads)
        Of numbers, as they are; of classes +1 for a row of the head's class, else -1.
    numbers : npt.NDArray[np.int16] of shape (rows,) or None
        Of classes: the number of each row's class.
    """

    values: _Float
    numbers: npt.NDArray[np.int16] | None = None

    @classmethod
    def of_classes(cls, numbers: _Int, count: int) -> "Labels":
        """Labels of class ``numbers``, shape (rows,), among ``count`` classes.

        Two classes share one head, whose +1 is the second class.
        """
        heads = np.arange(count) if count > 2 else np.array([1])
        # A device with as many heads as classes takes the class's number in place of a label for each head
        return cls(np.where(numbers[:, None] == heads, 1.0, -1.0), numbers.astype(np.int16))

    @property
    def heads(self) -> int:
        """Models trained side by side."""
        return int(self.values.shape[1])

    def take(self, rows: _Int) -> "Labels":
        """The labels of some rows."""
        return Labels(self.values[rows], None if self.numbers is None else self.numbers[rows])


@dataclass(frozen=True)
class Targets:
    """Labels, and how they are scaled for the device: a label t becomes (t - centre) / spread.

    Parameters
    ----------
    labels : Labels
        In the user's units.
    centre, spread : tuple of float
        Of each head.
    """

    labels: Labels
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, labels: Labels, objective: Objective, former: Sequence[Scaling] | None = None) -> "Targets":
        """Scale numbers to [-1, 1], and classes as the loss has them.

        Parameters
        ----------
        former : sequence of Scaling or None
            Scalings that are to be kept, but made wider where these numbers need it.

        Raises
        ------
        DataError
            Numbers so large that their range is beyond float64.
        """
        if labels.numbers is not None:
            spread = objective.scale if objective.polynomial else (1 << LABEL_FRAC) / LABEL_ONE
            return cls(labels, (0.0,) * labels.heads, (spread,) * labels.heads)
        centres, spreads = [], []
        for head, target in enumerate(labels.values.T):
            low, high = float(target.min()), float(target.max())
            known = None if former is None else former[head]
            centre = float(np.clip(target.mean(), low, high)) if known is None else known.label_centre
            spread = max(high - centre, centre - low, 0.0 if known is None else known.label_spread) or 1.0
            if not np.isfinite(spread):
                raise DataError("y: values near the largest float64; divide them by a constant first")
            centres.append(centre)
            spreads.append(spread)
        return cls(labels, tuple(centres), tuple(spreads))

    def scaled(self, labels: Labels) -> _Float:
        """Other labels, scaled as these, shape (rows, heads)."""
        return np.asarray((labels.values - self.centre) / self.spread)

    def scalings(self, columns: Scaling) -> tuple[Scaling, ...]:
        """The scaling of each head, with the same ``columns``."""
        return tuple(columns.with_labels(*label) for label in zip(self.centre, self.spread, strict=True))


def classes_of(table: Table) -> tuple[_Float, _Int]:
    """The different labels of a table, ascending, and the number of each row's label among them.

    Raises
    ------
    DataError
        Where the labels are too few or too many to be classes.
    """
    if table.labels.ndim > 1:
        raise DataError(
            f"{table.source}: the labels have {table.labels.shape[1]} columns; a classifier takes one column of classes"
        )
    classes, numbers = np.unique(table.labels, return_inverse=True)
    rows = table.labels.size
    if classes.size == 1:
        raise DataError(
            f"{table.source}: every {table.label_name!r} is {class_name(classes[0])}; a classifier needs rows of two classes"
        )
    if classes.size > _MOST_CLASSES or (classes.size > _FEW_CLASSES and 2 * classes.size > rows):
        raise DataError(
            f"{table.source}: {table.label_name!r} has {classes.size:,} different values in {rows:,} rows, which looks like "
            f"regression: leave out --classify (in Python: classify=True), or name the column of the classes with --label"
        )
    return classes, numbers.astype(np.int64)
