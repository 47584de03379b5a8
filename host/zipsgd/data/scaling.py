"""Scaling to the datapath's range, and back to the data's units."""

from dataclasses import dataclass
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

_Float = npt.NDArray[np.float64]
LABEL_TOP = (1 << LABEL_FRAC) - 1


@dataclass(frozen=True)
class Scaling:
    """Affine maps: a = (x - centre) / spread in [-1, 1] for each column, b = (y - label_centre) / label_spread.

    The centre is a column's mean, or near it, and the spread its largest distance from it, so that nothing is clipped and the
    way back is exact. Behind the columns stands one of constant +1, an exact level at any precision, for the intercept.
    """

    centre: _Float
    spread: _Float
    label_centre: float
    label_spread: float

    @classmethod
    def fit(cls, table: Table, steps: int | None = None, *, constant: bool = False) -> "Scaling":
        """The scaling of a table.

        With ``constant``, columns and labels may be constant: they are scaled to 0, so that such a column's weight stays 0.

        With ``steps``, a column's least and greatest value are scaled to multiples of 1 / steps, for which its centre moves by
        half a step at most: levels on that grid then enclose the column exactly.

        Raises :class:`DataError` where a column or the labels never vary otherwise.
        """
        low, high, mean = ranges(table.features)
        never = np.flatnonzero(low == high)
        if never.size and not constant:
            names = ", ".join(repr(table.names[column]) for column in never[:5])
            more = ", ..." if never.size > 5 else ""
            raise DataError(
                f"{table.source}: {never.size} of {len(table.names)} columns never vary ({names}{more}): they can teach "
                f"nothing; leave them out (on the command line: --drop-constant)"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            centre = np.clip(mean, low, high)
            above, below = high - centre, centre - low
            spread = np.maximum(above, below)
            if steps is not None:
                spread = (high - low) * (steps / np.rint((high - low) / spread * steps))
                nearer = high - low - spread  # from the centre to the end that is less far: 0 is exact
                centre = np.where(above >= below, low + nearer, high - nearer)
            centre[never], spread[never] = low[never], 1
            lowest, highest = table.labels.min(), table.labels.max()
            label_centre = np.clip(table.labels.mean(), lowest, highest)
            label_spread = max(highest - label_centre, label_centre - lowest) or 1.0
        if not np.isfinite([*spread, label_spread]).all():
            raise DataError(
                f"{table.source}: values near the largest float64; divide the columns (or the labels) by a constant first"
            )
        if lowest == highest and not constant:
            raise DataError(f"{table.source}: every label is {lowest:g}; there is nothing to learn")
        return cls(centre, spread, float(label_centre), float(label_spread))

    def rows(self, values: Rows, scale: float = 1.0) -> "ScaledRows":
        """Features in [-1, 1] with the constant column, all times ``scale``; each row is scaled when it is asked for.

        float32 of shape (rows, columns + 1). Values outside the fitted range are clipped: new rows may lie there.
        """
        from zipsgd.packing import ScaledRows  # numba takes a second to import

        return ScaledRows(values, self.centre, self.spread, scale)

    def features(self, values: Rows) -> npt.NDArray[np.float32]:
        """The same as an array, without a scale."""
        return in_memory(self.rows(values))

    def labels(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
        """Labels in units of 2^-15."""
        scaled = np.rint((values - self.label_centre) / self.label_spread * (LABEL_TOP + 1))
        words: npt.NDArray[np.int16] = np.clip(scaled, -LABEL_TOP - 1, LABEL_TOP).astype(np.int16)
        return words

    def coefficients(self, model: _Float) -> tuple[_Float, float]:
        """coef and intercept in the data's units, of a model in scaled units, shape (columns + 1,)."""
        coef = model[:-1] / self.spread * self.label_spread
        return coef, float(self.label_centre + model[-1] * self.label_spread - coef @ self.centre)

    def model(self, coef: _Float, intercept: float) -> _Float:
        """The way back from :meth:`coefficients`: a model in scaled units, shape (columns + 1,)."""
        constant = (intercept - self.label_centre + coef @ self.centre) / self.label_spread
        return np.append(coef * self.spread / self.label_spread, constant)

    def as_dict(self) -> dict[str, Any]:
        return {
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "label_centre": self.label_centre,
            "label_spread": self.label_spread,
        }
