"""Scaling of data to the datapath's range, and of models back to the units of the data."""

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.rows import Ranges, Rows, in_memory, iterate_blocks, ranges

from .clipping import Clipped
from .errors import DataError
from .naming import listed
from .scaling_kinds import KINDS
from .table import Table

if TYPE_CHECKING:
    from zipsgd.packing import ScaledRows

__all__ = ["Scaling"]

_log = logging.getLogger(__name__)

_Float = npt.NDArray[np.float64]
LABEL_TOP = (1 << LABEL_FRAC) - 1
_ROUNDING = 1e-9
"""Scaled values beyond 1 by less than this are rounding errors."""


@dataclass(frozen=True)
class Scaling:
    """Affine maps of columns and labels to the datapath's range.

    A column x becomes a = (x - centre) / spread in [-1, 1], and a label y becomes b = (y - label_centre) / label_spread.

    How the centre and the spread are chosen is the *kind* of scaling (:data:`zipsgd.data.scaling_kinds.KINDS`). With "range",
    the centre of a column is its mean or near it, and the spread is the largest distance from it. So nothing is clipped, and
    the inverse is exact. A last column with the constant +1 belongs to the intercept; +1 is an exact level at any precision. A
    model without an intercept has the constant 0 there, so that the weight behind it stays 0.

    Parameters
    ----------
    centre, spread : npt.NDArray[np.float64] of shape (columns,)
        Centre and spread of each column.
    label_centre, label_spread : float
        Centre and spread of the labels.
    clipped : tuple of Clipped
        The columns of which the kind clips values; empty if none is clipped. Predictions clip these columns alike.
    constant : float
        The last column's value: 1, or 0 for a model without an intercept.
    """

    centre: _Float
    spread: _Float
    label_centre: float
    label_spread: float
    clipped: tuple[Clipped, ...] = ()
    constant: float = 1.0

    @classmethod
    def fit(
        cls,
        table: Table,
        steps: int | None = None,
        kind: str = "range",
        clip: float = 0.001,
        found: Ranges | None = None,
    ) -> "Scaling":
        """The scaling of a table.

        Columns that never vary are scaled to 0, so that their weights stay 0; they are logged. So are constant labels.

        Parameters
        ----------
        table : Table
            Features and labels; of several columns of labels, one scaling for all.
        steps : int or None
            Scale a column's least and greatest value to multiples of 1 / steps, so that levels on that grid enclose the column
            exactly. Its centre moves by half a step at most.
        kind : str
            One of :data:`zipsgd.data.scaling_kinds.KINDS`.
        clip : float
            Share of the values that "quantile" clips, and "standard" of normally distributed ones; above 0 and below 0.5.
        found : Ranges or None
            Range and mean of each column, if they are known.

        Returns
        -------
        Scaling
            The scaling.

        Raises
        ------
        DataError
            Values near the largest float64.
        """
        found = ranges(table.features) if found is None else found
        clips = KINDS[kind].clips
        never = np.flatnonzero(found.low == found.high)
        if never.size:
            _log.info(
                "%s: %d of %d columns never vary (%s): their weights stay 0",
                table.source,
                never.size,
                len(table.names),
                listed([repr(table.names[column]) for column in never]),
            )
        with np.errstate(over="ignore", invalid="ignore"):
            ends = KINDS[kind].ends(table.features, found, clip)
            (centre, low, high), spread = ends, ends.spread
            if clips:  # values beyond the nearer end are only clipped at the distance of the farther one
                low, high = np.maximum(found.low, centre - spread), np.minimum(found.high, centre + spread)
            if steps is not None:
                spread = (high - low) * (steps / np.rint((high - low) / spread * steps))
                nearer = high - low - spread  # distance from the centre to the nearer end; 0 is exact
                centre = np.where(high - centre >= centre - low, low + nearer, high - nearer)
            spread[spread == 0] = 1
            centre[never], spread[never] = found.low[never], 1
            lowest, highest = table.labels.min(), table.labels.max()
            label_centre = np.clip(table.labels.mean(), lowest, highest)
            label_spread = max(highest - label_centre, label_centre - lowest) or 1.0
        if not np.isfinite([*spread, label_spread]).all():
            raise DataError(
                f"{table.source}: some values are near the largest float64; divide columns or labels by a constant first"
            )
        scaling = cls(centre, spread, float(label_centre), float(label_spread))
        return replace(scaling, clipped=scaling.count_clipped(table)) if clips else scaling

    def count_clipped(self, table: Table) -> tuple[Clipped, ...]:
        """The columns with values beyond the ends, found in one pass over the rows.

        Parameters
        ----------
        table : Table
            The rows.

        Returns
        -------
        tuple of Clipped
            The columns, with the share of their values that is clipped.
        """
        beyond = np.zeros(self.centre.size, dtype=np.int64)
        for _, block in iterate_blocks(table.features):
            beyond += np.count_nonzero(np.abs((block - self.centre) / self.spread) > 1 + _ROUNDING, axis=0)
        low, high = self.centre - self.spread, self.centre + self.spread
        return tuple(
            Clipped(
                column,
                table.names[column],
                float(low[column]),
                float(high[column]),
                float(count / len(table.labels)),
            )
            for column, count in enumerate(beyond)
            if count
        )

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

        return ScaledRows(values, self.centre, self.spread, scale, self.constant)

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
            "clipped": [asdict(each) for each in self.clipped],
            "constant": self.constant,
        }
