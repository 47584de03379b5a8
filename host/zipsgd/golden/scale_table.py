"""Scaling of raw words on a device: what becomes of a converter's words before they are rounded (``docs/sensor.md``).

A raw word r of b bits is a two's complement number or, in *offset binary*, that number plus 2^(b-1). Each column has a centre c
and a scale s, and so have the labels. The scaled value is

    a = (r - c) s / 2^F,    F = b - 1 + SCALE_FRAC

in units of 2^-F an integer, exactly. So nothing is rounded before the stochastic rounding, and whoever knows c and s knows what
a stands for. At s = 2^SCALE_FRAC half of the converter's range becomes 1.

A value outside [-1, 1] becomes the nearer end, and is reported.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.raw_words import CENTRE_BITS, LEAST_RAW_BITS, MOST_RAW_BITS, SCALE_BITS, value_frac

from .rounding import Int

__all__ = ["ScaleTable", "signed_words"]

_Flags = npt.NDArray[np.bool_]


def signed_words(raw: Int, raw_bits: int, offset_binary: _Flags) -> Int:
    """Raw words as signed numbers.

    Parameters
    ----------
    raw : npt.NDArray[np.int64] of shape (samples, rows)
        Raw words, as the converter gives them.
    raw_bits : int
        Bits of a raw word.
    offset_binary : npt.NDArray[np.bool_] of shape (rows,)
        Which of them are offset binary.

    Returns
    -------
    npt.NDArray[np.int64] of shape (samples, rows)
        Numbers in -2^(b-1)..2^(b-1) - 1.

    Raises
    ------
    ValueError
        A word does not have so many bits.
    """
    half = 1 << (raw_bits - 1)
    signed = raw - half * offset_binary
    if ((signed < -half) | (signed >= half)).any():
        raise ValueError(
            f"raw words of {raw_bits} bits are in {-half}..{half - 1}, or in 0..{2 * half - 1} if they are offset binary"
        )
    return np.asarray(signed)


@dataclass(frozen=True, eq=False)
class ScaleTable:
    """Centre and scale of each column, and of the labels in the last row.

    Parameters
    ----------
    raw_bits : int
        Bits of a raw word, 8 to 16.
    centre : npt.NDArray[np.int64] of shape (rows,)
        The signed number that becomes 0.
    scale : npt.NDArray[np.int64] of shape (rows,)
        0 to 2^15 - 1.
    offset_binary : npt.NDArray[np.bool_] of shape (rows,)
        Whether the raw words are offset binary.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    raw_bits: int
    centre: Int
    scale: Int
    offset_binary: _Flags

    def __post_init__(self) -> None:
        if not LEAST_RAW_BITS <= self.raw_bits <= MOST_RAW_BITS:
            raise ValueError(
                f"raw words have {LEAST_RAW_BITS} to {MOST_RAW_BITS} bits, not {self.raw_bits}: shift or extend them"
            )
        half, top = 1 << (self.raw_bits - 1), (1 << SCALE_BITS) - 1
        for name, low, high in (("centre", -half, half - 1), ("scale", 0, top)):
            words = getattr(self, name)
            if words.min() < low or words.max() > high:
                raise ValueError(f"the {name} of a column must be in {low}..{high}")

    def words(self) -> Int:
        """The table as words of its window, a row each: from the low end centre, scale, and a bit for offset binary.

        Returns
        -------
        npt.NDArray[np.int64] of shape (rows,)
            Words of 32 bits.
        """
        centre = self.centre & ((1 << CENTRE_BITS) - 1)
        flag = self.offset_binary.astype(np.int64) << (CENTRE_BITS + SCALE_BITS)
        return centre | self.scale << CENTRE_BITS | flag

    def scaled(self, raw: Int) -> tuple[Int, _Flags]:
        """Scaled values.

        Parameters
        ----------
        raw : npt.NDArray[np.int64] of shape (samples, rows)
            Raw words, as the converter gives them.

        Returns
        -------
        values : npt.NDArray[np.int64] of shape (samples, rows)
            In units of 2^-F, from -2^F to 2^F, both included.
        saturated : npt.NDArray[np.bool_] of shape (samples, rows)
            Which of them were outside.

        Raises
        ------
        ValueError
            A raw word has too many bits.
        """
        exact = (signed_words(raw, self.raw_bits, self.offset_binary) - self.centre) * self.scale
        one = 1 << value_frac(self.raw_bits)
        values = np.clip(exact, -one, one)
        return values, values != exact
