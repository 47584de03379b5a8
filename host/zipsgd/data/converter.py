"""A/D converters: what their words stand for, and the table by which a device scales the words itself."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.golden.scale_table import ScaleTable
from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.protocol.raw_words import SCALE_BITS, value_frac

from .errors import DataError
from .scaling import Scaling

__all__ = ["Converter"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Converter:
    """The converters of all columns, and last that of the labels: a word w stands for ``zero + step * w``.

    Parameters
    ----------
    raw_bits : int
        Bits of a word, 8 to 16.
    zero : npt.NDArray[np.float64] of shape (columns + 1,)
        What the word 0 stands for.
    step : npt.NDArray[np.float64] of shape (columns + 1,)
        What one unit stands for; positive.
    offset_binary : bool
        Words are 0..2^b - 1, and not -2^(b-1)..2^(b-1) - 1.
    """

    raw_bits: int
    zero: _Float
    step: _Float
    offset_binary: bool = False

    @classmethod
    def of_ranges(
        cls, low: npt.ArrayLike, high: npt.ArrayLike, raw_bits: int, *, offset_binary: bool = False
    ) -> "Converter":
        """Converters whose lowest and highest word stand for given values.

        Parameters
        ----------
        low, high : npt.ArrayLike of shape (columns + 1,)
            Ends of each converter's range, the labels' last.
        raw_bits : int
            Bits of a word.
        offset_binary : bool
            As of the class.

        Returns
        -------
        Converter
            The converters.

        Raises
        ------
        DataError
            A range is empty.
        """
        lowest, highest = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        if not (lowest < highest).all():
            column = int(np.argmin(lowest < highest))
            raise DataError(
                f"the converter of column {column} has the range {lowest[column]:g} to {highest[column]:g}: "
                f"the low end must be below the high one"
            )
        step = (highest - lowest) / ((1 << raw_bits) - 1)
        first = 0 if offset_binary else -(1 << (raw_bits - 1))
        return cls(raw_bits, lowest - step * first, step, offset_binary)

    @property
    def _first(self) -> int:
        """The lowest word."""
        return 0 if self.offset_binary else -(1 << (self.raw_bits - 1))

    def _nearest(self, values: _Float) -> _Int:
        return np.rint((values - self.zero) / self.step).astype(np.int64)

    def words(self, values: _Float) -> _Int:
        """What the converters make of values: the nearest word. Values beyond the range become its ends.

        Parameters
        ----------
        values : npt.NDArray[np.float64] of shape (rows, columns + 1)
            Features and labels in the units of the data.

        Returns
        -------
        npt.NDArray[np.int64] of shape (rows, columns + 1)
            Raw words.
        """
        return np.clip(self._nearest(values), self._first, self._first + (1 << self.raw_bits) - 1)

    def values(self, words: _Int) -> _Float:
        """What words stand for.

        Parameters
        ----------
        words : npt.NDArray[np.int64] of shape (rows, columns + 1)
            Raw words.

        Returns
        -------
        npt.NDArray[np.float64] of shape (rows, columns + 1)
            Features and labels in the units of the data.
        """
        return self.zero + self.step * words

    def table(self, scaling: Scaling) -> ScaleTable:
        """The table by which a device scales the words as nearly like a scaling as it can, without going beyond [-1, 1].

        A scale has few bits, so a column may reach 1 at a slightly larger distance from its centre than in ``scaling``.
        :meth:`scaling` tells what the device does, exactly.

        Parameters
        ----------
        scaling : Scaling
            The scaling of columns and labels in the units of the data.

        Returns
        -------
        ScaleTable
            The table, with a row for each column and the last one for the labels.

        Raises
        ------
        DataError
            The centre of a column is beyond its converter's range, or its spread is much larger than that range.
        """
        centre = np.append(scaling.centre, scaling.label_centre)
        spread = np.append(scaling.spread, scaling.label_spread)
        middle = self._nearest(centre)
        farthest = np.maximum(
            self._nearest(centre + spread) - middle, middle - self._nearest(centre - spread)
        )
        one = np.full(centre.size, 1 << value_frac(self.raw_bits))
        one[-1] -= one[-1] >> LABEL_FRAC  # the largest label is below 1
        scale = np.minimum(one // np.maximum(farthest, 1), (1 << SCALE_BITS) - 1)
        last = self._first + (1 << self.raw_bits) - 1
        beyond = (middle < self._first) | (middle > last) | (scale == 0)
        if beyond.any():
            column = int(np.argmax(beyond))
            what = "the labels" if column == centre.size - 1 else f"column {column}"
            raise DataError(
                f"{what}: {centre[column]:g} ± {spread[column]:g} is to become [-1, 1], which is far beyond the range of the "
                f"converter, {self.values(np.array(self._first))[column]:g} to {self.values(np.array(last))[column]:g}: choose "
                f"the scaling from values that it has converted"
            )
        half = (1 << (self.raw_bits - 1)) * self.offset_binary
        return ScaleTable(self.raw_bits, middle - half, scale, np.full(centre.size, self.offset_binary))

    def scaling(self, table: ScaleTable, constant: float = 1.0) -> Scaling:
        """What a device does that scales words by a table, as a scaling in the units of the data.

        :meth:`.Scaling.coefficients` turns the device's model back into these units.

        Parameters
        ----------
        table : ScaleTable
            The device's table; no scale may be 0.
        constant : float
            As of :class:`.Scaling`.

        Returns
        -------
        Scaling
            The scaling.
        """
        half = (1 << (self.raw_bits - 1)) * self.offset_binary
        centre = self.values(table.centre + half)
        spread = self.step * ((1 << value_frac(table.raw_bits)) / table.scale)
        return Scaling(centre[:-1], spread[:-1], float(centre[-1]), float(spread[-1]), constant=constant)
