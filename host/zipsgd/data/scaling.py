"""Scaling of data to the datapath's range, and of models back to the units of the data."""

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.rows import Rows, in_memory, ranges

from .errors import DataError
from .table import Table

if TYPE_CHECKING:
    from zipsgd.packing import ScaledRows

__all__ = ["Scaling"]

_log = logging.getLogger(__name__)

_Float = npt.NDArray[np.float64]
LABEL_TOP = (1 << LABEL_FRAC) - 1


@dataclass(frozen=True)
class Scaling:
    """Affine maps of columns and labels to the datapath's range.

    A column x becomes a = (x - centre) / spread in [-1, 1], and a label y becomes b = (y - label_centre) / label_spread.

    The centre of a column is its mean or near it, and the spread is the largest distance from it. So nothing is clipped, and
    the inverse is exact. A last column with the constant +1 belongs to the intercept; +1 is an exact level at any precision.

    Parameters
    ----------
    centre, spread : npt.NDArray[np.float64] of shape (columns,)
        Centre and spread of each column.
    label_centre, label_spread : float
        Centre and spread of the labels.
    """

    centre: _Float
    spread: _Float
    label_centre: float
    label_spread: float

    @classmethod
    def fit(cls, table: Table, steps: int | None = None) -> "Scaling":
        """The scaling of a table.

        Columns that never vary are scaled to 0, so that their weights stay 0; they are logged. So are constant labels.

        Parameters
        ----------
        table : Table
            Features and labels; of several columns of labels, one scaling for all.
        steps : int or None
            Scale a column's least and greatest value to multiples of 1 / steps, so that levels on that grid enclose the column
            exactly. Its centre moves by half a step at most.

        Raises
        ------
        DataError
            Values near the largest float64.
        """
        low, high, mean = ranges(table.features)
        never = np.flatnonzero(low == high)
        if never.size:
            _log.info(
                "%s: %d of %d columns never vary (%s%s): their weights stay 0",
                table.source,
                never.size,
                len(table.names),
                ", ".join(repr(table.names[column]) for column in never[:5]),
                ", ..." if never.size > 5 else "",
            )
        with np.errstate(over="ignore", invalid="ignore"):
            centre = np.clip(mean, low, high)
            above, below = high - centre, centre - low
            spread = np.maximum(above, below)
            if steps is not None:
                spread = (high - low) * (steps / np.rint((high - low) / spread * steps))
                nearer = high - low - spread  # distance from the centre to the nearer end; 0 is exact
                centre = np.where(above >= below, low + nearer, high - nearer)
            centre[never], spread[never] = low[never], 1
            lowest, highest = table.labels.min(), table.labels.max()
            label_centre = np.clip(table.labels.mean(), lowest, highest)
            label_spread = max(highest - label_centre, label_centre - lowest) or 1.0
        if not np.isfinite([*spread, label_spread]).all():
            raise DataError(
                f"{table.source}: some values are near the largest float64; divide columns or labels by a constant first"
            )
        return cls(centre, spread, float(label_centre), float(label_spread))

    def with_labels(self, centre: float, spread: float) -> "Scaling":
        """The same scaling of columns, with another one of labels."""
        return replace(self, label_centre=centre, label_spread=spread)

    def rows(self, values: Rows, scale: float = 1.0) -> "ScaledRows":
        """Scaled features and the constant column, all times ``scale``. Each row is scaled when it is read.

        Parameters
        ----------
        values : Rows of shape (rows, columns)
            Features in the units of the data. New values outside the fitted range are clipped.
        scale : float
            Factor of the scaled features.

        Returns
        -------
        ScaledRows of shape (rows, columns + 1)
            float32 rows.
        """
        from zipsgd.packing import ScaledRows  # numba takes a second to import

        return ScaledRows(values, self.centre, self.spread, scale)

    def features(self, values: Rows) -> npt.NDArray[np.float32]:
        """Scaled features and the constant column as an array.

        Parameters
        ----------
        values : Rows of shape (rows, columns)
            Features in the units of the data.

        Returns
        -------
        npt.NDArray[np.float32] of shape (rows, columns + 1)
            Features in [-1, 1].
        """
        return in_memory(self.rows(values))

    def labels(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
        """Scaled labels.

        Parameters
        ----------
        values : npt.NDArray[np.floating]
            Labels in the units of the data.

        Returns
        -------
        npt.NDArray[np.int16]
            In units of 2^-15, saturated.
        """
        scaled = np.rint((values - self.label_centre) / self.label_spread * (LABEL_TOP + 1))
        words: npt.NDArray[np.int16] = np.clip(scaled, -LABEL_TOP - 1, LABEL_TOP).astype(np.int16)
        return words

    def coefficients(self, model: _Float) -> tuple[_Float, float]:
        """Convert a model to the units of the data.

        Parameters
        ----------
        model : npt.NDArray[np.float64] of shape (columns + 1,)
            The model in scaled units, with the intercept last.

        Returns
        -------
        coef : npt.NDArray[np.float64] of shape (columns,)
            Weights in the units of the data.
        intercept : float
            Intercept in the units of the data.
        """
        coef = model[:-1] / self.spread * self.label_spread
        return coef, float(self.label_centre + model[-1] * self.label_spread - coef @ self.centre)

    def model(self, coef: _Float, intercept: float) -> _Float:
        """The inverse of :meth:`coefficients`.

        Parameters
        ----------
        coef : npt.NDArray[np.float64] of shape (columns,)
            Weights in the units of the data.
        intercept : float
            Intercept in the units of the data.

        Returns
        -------
        npt.NDArray[np.float64] of shape (columns + 1,)
            The model in scaled units, with the intercept last.
        """
        constant = (intercept - self.label_centre + coef @ self.centre) / self.label_spread
        return np.append(coef * self.spread / self.label_spread, constant)

    def as_dict(self) -> dict[str, Any]:
        """The scaling as a dictionary for JSON.

        Returns
        -------
        dict[str, Any]
            The attributes, with arrays as lists.
        """
        return {
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "label_centre": self.label_centre,
            "label_spread": self.label_spread,
        }
