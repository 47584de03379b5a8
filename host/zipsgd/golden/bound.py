"""How far quantisation may have moved a sample's score (ZipML, section 4.2: refetching)."""

import numpy as np

from zipsgd.protocol.formats import Refetch

from .rounding import Int

__all__ = ["score_bound"]


def score_bound(q3: Int, refetch: Refetch, spared: bool = False) -> int:
    """A bound on |z_1 - z| of any sample, in units of the last base plane times Q3's last bit.

    Each value is within Delta of its quantisation, so that ||Q3||_1 is a bound for certain. The errors are independent and of
    mean 0 too, and so, by Hoeffding's inequality, beyond 2 ||Q3||_2 once in 1,490 at most. The device takes no root: 2 sqrt(s)
    <= 2^k + s / 2^k for any k, and with k half the bits of s that is 6 % more at most.

    ``spared``: of a run whose ball spares the intercept, the square that the device has is without it. Quantisation does not
    move a feature that is 1 in all samples.
    """
    certain = int(np.abs(q3).sum())
    if refetch == Refetch.CERTAIN:
        return certain
    used = q3[:-1] if spared else q3
    squares = int((used * used).sum())
    half = squares.bit_length() // 2
    return min(certain, (1 << half) + (squares >> half) + 1)
