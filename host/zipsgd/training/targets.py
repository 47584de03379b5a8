"""The targets of the heads: numbers for regression, +-1 for each class for classification."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Scaling, Table, class_name
from zipsgd.data.spread import INNER_SHARE, far, inner
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE, MODEL_INT

from .objective import Objective

__all__ = ["Labels", "Targets", "classes_of", "label_ends"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_MOST_CLASSES = 1000
_FEW_CLASSES = 20
"""Up to this many distinct labels are taken for classes, however few rows there are."""

_ROOM = 0.9 * (1 << MODEL_INT)
"""Weights up to this fit: the range of a weight ends at 2^MODEL_INT."""
_TARGET = 0.5 * (1 << MODEL_INT)
"""Weights that do not fit are made at most this large."""


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
    clipped : tuple of int
        Number of labels of each head that are clipped.
    """

    labels: Labels
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    clipped: tuple[int, ...]

    @classmethod
    def fit(
        cls, labels: Labels, objective: Objective, *, clip: bool = False, centred: bool = True
    ) -> "Targets":
        """Choose the scaling: numbers to [-1, 1], and classes as the loss requires.

        Parameters
        ----------
        labels : Labels
            Labels in their own units.
        objective : Objective
            The loss.
        clip : bool
            Clip numbers far beyond all others, see :func:`label_ends`.
        centred : bool
            Numbers are centred at their mean. Otherwise 0 stays 0.

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
            return cls(labels, (0.0,) * labels.heads, (spread,) * labels.heads, (0,) * labels.heads)
        centres, spreads, clipped = [], [], []
        for target in labels.values.T:
            ends = label_ends(target) if clip else None
            low, high = ends or (float(target.min()), float(target.max()))
            kept = target if ends is None else np.clip(target, low, high)
            centre = float(np.clip(kept.mean(), low, high)) if centred else 0.0
            spread = max(high - centre, centre - low) or 1.0
            if not np.isfinite(spread):
                raise DataError("y: values near the largest float64; divide them by a constant first")
            centres.append(centre)
            spreads.append(spread)
            clipped.append(int(np.count_nonzero((target < low) | (target > high))))
        return cls(labels, tuple(centres), tuple(spreads), tuple(clipped))

    def with_room(self, weights: _Float) -> "Targets":
        """Make room for large weights: widen the spread of labels by a power of two, which shrinks all weights.

        A label loses a bit of 16 for each doubling. Nothing changes where the weights fit.

        Parameters
        ----------
        weights : _Float of shape (features, heads)
            The weights to expect with this scaling.

        Returns
        -------
        Targets
            The same labels, perhaps with a larger spread.
        """
        most = np.abs(weights).max(axis=0)
        doublings = np.ceil(np.log2(np.where(most > _ROOM, most / _TARGET, 1.0)))
        wider = tuple(spread * 2.0 ** int(k) for spread, k in zip(self.spread, doublings, strict=True))
        return replace(self, spread=wider)

    @property
    def signs(self) -> bool:
        """bool: Whether all labels of any head are the words of +1 and -1, as those of classes mostly are."""
        exact = (1 << LABEL_FRAC) / LABEL_ONE
        return self.labels.numbers is not None and all(
            ends == (0.0, exact) for ends in zip(self.centre, self.spread, strict=True)
        )

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


def label_ends(values: _Float) -> tuple[float, float] | None:
    """The range of labels without those far beyond all others.

    Parameters
    ----------
    values : _Float of shape (rows,)
        Labels.

    Returns
    -------
    tuple of float or None
        Least and greatest label to keep: as far from the mean of the others as these reach from end to end. None if no label
        is more than 20 times as far out as nearly all others.
    """
    column = values[:, None]
    least, most = values.min(), values.max()
    if not far(column, np.array([least]), np.array([most]))[0]:
        return None
    low, high, mean = (float(each[0]) for each in inner(column, INNER_SHARE))
    return max(float(least), mean - (high - low)), min(float(most), mean + (high - low))


def classes_of(table: Table) -> tuple[npt.NDArray[Any], _Int]:
    """The classes of a table.

    Parameters
    ----------
    table : Table
        A table with one column of labels.

    Returns
    -------
    npt.NDArray[np.float64] or npt.NDArray[np.str_] of shape (classes,)
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
            f"{table.source}: every {table.label_name!r} is {class_name(classes.tolist()[0])}; a classifier needs "
            f"rows of two classes"
        )
    if classes.size > _MOST_CLASSES or (classes.size > _FEW_CLASSES and 2 * classes.size > rows):
        raise DataError(
            f"{table.source}: {table.label_name!r} has {classes.size:,} different values in {rows:,} rows, which looks like "
            f"regression: leave out --classify (in Python: classify=True), or name the column of the classes with --label"
        )
    return classes, numbers.astype(np.int64)
