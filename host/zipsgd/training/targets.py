"""The targets of the heads: numbers for regression, +-1 for each class for classification."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Scaling, Table
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE

from .class_names import class_name
from .objective import Objective

__all__ = ["Labels", "Targets", "classes_of"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_MOST_CLASSES = 1000
_FEW_CLASSES = 20
"""Up to this many distinct labels are taken for classes, however few rows there are."""


@dataclass(frozen=True)
class Labels:
    """Labels of rows: numbers, or classes.

    Parameters
    ----------
    values : _Float of shape (rows, heads)
        For regression the labels. For classification +1 if the row belongs to the head's class, and -1 otherwise.
    numbers : npt.NDArray[np.int16] of shape (rows,) or None
        For classification the class number of each row; None for regression.
    """

    values: _Float
    numbers: npt.NDArray[np.int16] | None = None

    @classmethod
    def of_classes(cls, numbers: _Int, count: int) -> "Labels":
        """Labels for classification. Two classes share one head, with +1 for the second class.

        Parameters
        ----------
        numbers : npt.NDArray[np.int64] of shape (rows,)
            Class number of each row.
        count : int
            Number of classes.

        Returns
        -------
        Labels
            The labels.
        """
        heads = np.arange(count) if count > 2 else np.array([1])
        # A device with as many heads as classes receives the class number instead of a label for each head
        return cls(np.where(numbers[:, None] == heads, 1.0, -1.0), numbers.astype(np.int16))

    @property
    def heads(self) -> int:
        """int: Number of models that are trained side by side."""
        return int(self.values.shape[1])

    def take(self, rows: _Int) -> "Labels":
        """The labels of some rows.

        Parameters
        ----------
        rows : npt.NDArray[np.int64] of shape (taken,)
            Row numbers.

        Returns
        -------
        Labels
            The labels of these rows.
        """
        return Labels(self.values[rows], None if self.numbers is None else self.numbers[rows])


@dataclass(frozen=True)
class Targets:
    """Labels and their scaling for the device: a label t becomes (t - centre) / spread.

    Parameters
    ----------
    labels : Labels
        Labels in their own units.
    centre, spread : tuple of float
        Scaling of each head.
    """

    labels: Labels
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, labels: Labels, objective: Objective, former: Sequence[Scaling] | None = None) -> "Targets":
        """Choose the scaling: numbers to [-1, 1], and classes as the loss requires.

        Parameters
        ----------
        labels : Labels
            Labels in their own units.
        objective : Objective
            The loss.
        former : sequence of Scaling or None
            Scalings to keep, but widened where the numbers exceed their range; None for new ones.

        Returns
        -------
        Targets
            Labels and scaling.

        Raises
        ------
        DataError
            The range of the numbers exceeds float64.
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
        """Scale other labels in the same way.

        Parameters
        ----------
        labels : Labels
            Labels in their own units.

        Returns
        -------
        _Float of shape (rows, heads)
            Scaled labels.
        """
        return np.asarray((labels.values - self.centre) / self.spread)

    def scalings(self, columns: Scaling) -> tuple[Scaling, ...]:
        """The scaling of each head.

        Parameters
        ----------
        columns : Scaling
            Scaling of the columns, which all heads share.

        Returns
        -------
        tuple of Scaling
            Scalings of columns and labels.
        """
        return tuple(columns.with_labels(*label) for label in zip(self.centre, self.spread, strict=True))


def classes_of(table: Table) -> tuple[_Float, _Int]:
    """The classes of a table.

    Parameters
    ----------
    table : Table
        A table with one column of labels.

    Returns
    -------
    _Float of shape (classes,)
        The distinct labels in ascending order.
    npt.NDArray[np.int64] of shape (rows,)
        Class number of each row.

    Raises
    ------
    DataError
        There is only one class, or so many distinct labels that they look like numbers to predict.
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
