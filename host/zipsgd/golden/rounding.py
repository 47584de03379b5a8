"""Stochastic rounding and saturation of integers that represent fixed-point numbers."""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LFSR_BITS

__all__ = ["Int", "align_draw", "saturate", "stochastic_round"]

Int = npt.NDArray[np.int64]


def align_draw(bits: Int, drop: int) -> Int:
    """The random bits of a draw that are added before ``drop`` bits are cut off.

    These are the lowest ``drop`` bits. If ``drop`` exceeds 31, the draw is shifted to the top of the bits that are cut off,
    which leaves a bias of less than 2^-31 of the rounded unit.

    Parameters
    ----------
    bits : npt.NDArray[np.int64]
        Draws of 31 bits.
    drop : int
        Number of bits that are cut off.

    Returns
    -------
    npt.NDArray[np.int64]
        Random numbers in [0, 2^drop).
    """
    if drop > LFSR_BITS:
        return bits << (drop - LFSR_BITS)
    return bits & ((1 << drop) - 1)


def stochastic_round(value: Int, drop: int, bits: Int) -> Int:
    """``value / 2^drop`` rounded to one of its two neighbouring integers; the probability of rounding up is the fraction.

    A multiple of 2^drop is always rounded to its exact quotient.

    Parameters
    ----------
    value : npt.NDArray[np.int64]
        Numbers to round.
    drop : int
        Number of bits that are cut off.
    bits : npt.NDArray[np.int64]
        Uniform random numbers in [0, 2^drop).

    Returns
    -------
    npt.NDArray[np.int64]
        Rounded numbers.
    """
    return (value + bits) >> drop


def saturate(value: Int, width: int, flag: int) -> tuple[Int, int]:
    """Values clamped to signed numbers of ``width`` bits.

    Parameters
    ----------
    value : npt.NDArray[np.int64]
        Numbers to clamp.
    width : int
        Number of bits.
    flag : int
        Flag to return if a value was clamped.

    Returns
    -------
    clamped : npt.NDArray[np.int64]
        The clamped numbers.
    flag : int
        ``flag`` if any value was clamped, else 0.
    """
    limit = 1 << (width - 1)
    clamped = np.clip(value, -limit, limit - 1)
    return clamped, flag if np.any(clamped != value) else 0
