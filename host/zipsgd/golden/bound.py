"""How far quantisation may have moved a sample's score (ZipML, section 4.2: refetching)."""

from zipsgd.protocol.run import Refetch

from .rounding import Int

__all__ = ["score_bounds"]


def score_bounds(q3: Int, refetch: Refetch, spared: bool = False) -> tuple[int, int]:
    """How far the score z of any sample may lie below its reference and above, in units of the last base plane times Q3's last
    bit.

    For certain: the reference is the base's score, k^T Q3. Each value is between k and k + 1, so that the score lies as far
    below as Q3's negative words add up to, and as far above as the positive ones: an interval half as wide as that of ZipML's
    Delta ||Q3||_1 on either side of z_1.

    Likely: the reference is z_1. Its errors are independent and of mean 0, and so, by Hoeffding's inequality, beyond 2 ||Q3||_2
    once in 1,490 at most. The device takes no root: 2 sqrt(s) <= 2^k + s / 2^k for any k, and with k half the bits of s that is
    6 % more at most.

    ``spared``: of a run whose ball spares the intercept, the square that the device has is without it. Quantisation does not
    move a feature that is 1 in all samples.
    """
    if refetch == Refetch.CERTAIN:
        return int(-q3[q3 < 0].sum()), int(q3[q3 > 0].sum())
    used = q3[:-1] if spared else q3
    squares = int((used * used).sum())
    half = squares.bit_length() // 2
    bound = (1 << half) + (squares >> half) + 1
    return bound, bound
