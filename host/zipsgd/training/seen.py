"""What is known of the rows of a stream so far: ranges, means and what the automatic step size depends on."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled
from zipsgd.packing.kernels import read_only
from zipsgd.rows import Rows, iterate_blocks

from .state import State
from .steps import SAMPLED, Spread, spread_of

__all__ = ["Columns", "Seen"]

_Float = npt.NDArray[np.float64]

_SINGLE = 256
"""Most rows from which the spread is measured where rows come singly: the eigenvalue of a single row tells nothing."""
_SEVERAL = 8
"""Rows for each column from which a model is not arbitrary."""


@compiled
def _widened(block: npt.NDArray[np.floating], low: _Float, high: _Float) -> bool:
    """Widen ranges by the rows of ``block``. Returns whether one has grown."""
    wider = False
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            value = np.float64(block[i, j])
            if value < low[j]:
                low[j], wider = value, True
            if value > high[j]:
                high[j], wider = value, True
    return wider


@compiled
def _count_in(block: npt.NDArray[np.floating], before: int, values: _Float) -> bool:
    """Add the rows of ``block`` to the statistics of ``before`` rows, by Welford's method. Returns whether a range grew."""
    low, high, mean, squares, unit = values
    wider = _widened(block, low, high)
    if wider:
        for j in range(
            low.size
        ):  # squares are in units near the range, since those of the values may not be float64
            half = high[j] * 0.5 - low[j] * 0.5
            if half > 0:
                near = math.ldexp(1.0, math.frexp(half)[1] - 1)
                if squares[j] > 0:
                    squares[j] *= (unit[j] / near) ** 2
                unit[j] = near
    for i in range(block.shape[0]):
        share = 1.0 / (before + i + 1)
        for j in range(block.shape[1]):
            value = np.float64(block[i, j])
            away = value - mean[j]
            mean[j] += away * share
            squares[j] += away / unit[j] * ((value - mean[j]) / unit[j])
    return wider


@dataclass(frozen=True)
class Columns:
    """Range, mean and spread of some columns over all rows so far.

    Parameters
    ----------
    values : _Float of shape (5, columns)
        Least value, greatest value, mean, sum of the squared distances from the mean, and the unit of these distances. The
        others are in the units of the data.
    wider : bool
        Whether the last rows have widened the range of a column.
    """

    values: _Float
    wider: bool = False

    @classmethod
    def of_ranges(cls, low: _Float, high: _Float) -> "Columns":
        """Columns of which only the ranges are known.

        Parameters
        ----------
        low, high : _Float of shape (columns,)
            Least and greatest value.

        Returns
        -------
        Columns
            The ranges, of no rows.
        """
        return cls(np.stack([low, high, np.zeros(low.size), np.zeros(low.size), np.ones(low.size)]))

    @classmethod
    def none(cls, columns: int) -> "Columns":
        """The statistics of no rows.

        Parameters
        ----------
        columns : int
            Number of columns.

        Returns
        -------
        Columns
            Empty ranges.
        """
        return cls.of_ranges(np.full(columns, np.inf), np.full(columns, -np.inf))

    @property
    def low(self) -> _Float:
        """_Float of shape (columns,): Least value."""
        found: _Float = self.values[0]
        return found

    @property
    def high(self) -> _Float:
        """_Float of shape (columns,): Greatest value."""
        found: _Float = self.values[1]
        return found

    @property
    def mean(self) -> _Float:
        """_Float of shape (columns,): Mean."""
        found: _Float = self.values[2]
        return found

    @property
    def varies(self) -> npt.NDArray[np.bool_]:
        """npt.NDArray[np.bool_] of shape (columns,): Whether each column has had two different values."""
        return self.low < self.high

    def with_rows(self, rows: Rows, before: int) -> "Columns":
        """The statistics with more rows.

        Parameters
        ----------
        rows : Rows of shape (rows, columns)
            The rows.
        before : int
            Number of rows so far.

        Returns
        -------
        Columns
            The new statistics. Where a sum exceeds float64, mean and squares are not finite.
        """
        values, wider = self.values.copy(), False
        for part, block in iterate_blocks(rows):
            wider |= _count_in(read_only(block), before + part.start, values)
        return Columns(values, wider)


@dataclass(frozen=True)
class Seen:
    """What is known of all rows of a stream so far.

    Parameters
    ----------
    rows : int
        Number of rows.
    features : Columns
        Statistics of the features.
    labels : Columns
        Statistics of the labels of each head.
    epochs : float
        How many epochs the calls so far count as, for the schedule of the step size.
    measured : int
        Number of rows that ``share`` and ``variance`` are from.
    share : float
        Largest eigenvalue of A^T A / rows over the mean squared length of a row, each of scaled rows: 1 if all rows are
        multiples of one row, and 1 / columns if all directions are alike.
    variance : float
        As in :class:`.steps.Spread`.
    fitted : bool
        Whether the model had been trained on a whole set before.
    """

    rows: int
    features: Columns
    labels: Columns
    epochs: float = 0.0
    measured: int = 0
    share: float = 1.0
    variance: float = 0.0
    fitted: bool = False

    @property
    def settled(self) -> bool:
        """bool: Whether a model follows from the rows: there are several for each column."""
        return self.fitted or self.rows >= _SEVERAL * self.features.low.size

    @classmethod
    def none(cls, columns: int, heads: int) -> "Seen":
        """The state before the first row.

        Parameters
        ----------
        columns : int
            Number of columns.
        heads : int
            Number of heads.

        Returns
        -------
        Seen
            Empty statistics.
        """
        return cls(0, Columns.none(columns), Columns.none(heads))

    @classmethod
    def of_model(cls, state: State) -> "Seen":
        """What a trained model tells of its rows: the ranges that its scaling covers.

        Parameters
        ----------
        state : State
            The state after some epochs.

        Returns
        -------
        Seen
            Ranges, without means. A column without any weight counts as one that has not varied, since every scaling suits it.
        """
        first, used = state.scalings[0], state.words.any(axis=1)
        centre = np.array([scaling.label_centre for scaling in state.scalings])
        away = np.where(used, [scaling.label_spread for scaling in state.scalings], 0.0)
        spread = np.where(state.words[:, :-1].any(axis=0), first.spread, 0.0)
        return cls(
            0,
            Columns.of_ranges(first.centre - spread, first.centre + spread),
            Columns.of_ranges(centre - away, centre + away),
            float(state.epochs),
            fitted=True,
        )

    def with_rows(self, features: Rows, labels: _Float) -> "Seen":
        """The statistics with more rows.

        Parameters
        ----------
        features : Rows of shape (rows, columns)
            Features in the units of the data.
        labels : _Float of shape (rows, heads)
            Labels in the units of the data.

        Returns
        -------
        Seen
            The new statistics.
        """
        return replace(
            self,
            rows=self.rows + features.shape[0],
            features=self.features.with_rows(features, self.rows),
            labels=self.labels.with_rows(labels, self.rows),
        )

    def with_spread(self, values: Rows, base_bits: int, samples_per_value: int) -> "Seen":
        """The statistics with the spread of scaled rows, unless it is known from enough rows already.

        Parameters
        ----------
        values : Rows of shape (rows, features)
            Scaled rows, with the intercept's column.
        base_bits, samples_per_value : int
            See :func:`.steps.largest_step`.

        Returns
        -------
        Seen
            The new statistics.
        """
        if self.measured >= (SAMPLED if values.shape[0] > 1 else _SINGLE):
            return self
        found = spread_of(values, base_bits, samples_per_value)
        measured = self.measured + values.shape[0]
        part = values.shape[0] / measured
        return replace(
            self,
            measured=measured,
            share=self.share + (found.largest / found.length - self.share) * part,
            variance=self.variance + (found.variance - self.variance) * part,
        )

    def spread(self, centre: _Float, spread: _Float) -> Spread:
        """What the automatic step size depends on, over all rows so far.

        Parameters
        ----------
        centre, spread : _Float of shape (columns,)
            Scaling of the columns.

        Returns
        -------
        Spread
            Length, variance and largest eigenvalue.
        """
        _, _, mean, squares, unit = self.features.values
        moments = squares / self.rows * (unit / spread) ** 2 + ((mean - centre) / spread) ** 2
        length = 1.0 + float(moments.sum())
        return Spread(length, self.variance, self.share * length)
