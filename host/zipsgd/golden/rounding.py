"""Stochastic rounding and saturation of integers that stand for fixed-point numbers."""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LFSR_BITS

__all__ = ["Int", "align_draw", "saturate", "stochastic_round"]

Int = npt.NDArray[np.int64]


def align_draw(bits: Int, drop: int) -> Int:
    """Random bits to add below a cut of ``drop`` bits, from a draw of 31.

    The lowest ``drop`` of them; where ``drop`` is more than 31, the draw stands at the top of the cut, which leaves a bias
    of less than 2^-31 of the rounded unit.
    """
    if drop > LFSR_BITS:
        return bits << (drop - LFSR_BITS)
    return bits & ((1 << drop) - 1)


def stochastic_round(value: Int, drop: int, bits: Int) -> Int:
    """``value / 2^drop`` rounded to one of the two integers around it, up with a probability equal to the fraction.

    ``bits`` is uniform in [0, 2^drop); a value that is an exact multiple of 2^drop comes out exact for all of them.
    """
    return (value + bits) >> drop


def saturate(value: Int, width: int, flag: int) -> tuple[Int, int]:
    """``value`` clamped to a signed number of ``width`` bits, and ``flag`` if anything was clamped (else 0)."""
    limit = 1 << (width - 1)
    clamped = np.clip(value, -limit, limit - 1)
    return clamped, flag if np.any(clamped != value) else 0
