"""Bounds on how far quantisation may have moved a sample's score (ZipML, section 4.2, refetching)."""

from zipsgd.protocol.run import Refetch

from .rounding import Int

__all__ = ["score_bounds"]


def score_bounds(q3: Int, refetch: Refetch, spared: bool = False) -> tuple[int, int]:
    """Bounds on how far the score z of an unquantised sample may lie below and above its reference score.

    *Certain* bound: the reference is the score of the base, k^T Q3. Each value lies between k and k + 1. So the score is at
    most the absolute sum of Q3's negative words below the reference, and at most the sum of its positive words above it. This
    interval is half as wide as ZipML's interval of Delta ||Q3||_1 on either side of z_1.

    *Likely* bound: the reference is z_1. Its quantisation errors are independent and have mean 0. So by Hoeffding's inequality
    the error exceeds 2 ||Q3||_2 in at most one sample of 1,490. The device computes no square root. Instead it uses
    2 sqrt(s) <= 2^k + s / 2^k, which holds for any k; with k half the number of bits of s, this is at most 6 % larger.

    Parameters
    ----------
    q3 : npt.NDArray[np.int64] of shape (features,)
        The rounded model that the dot product reads.
    refetch : Refetch
        Which bound to compute.
    spared : bool
        The run projects onto a ball that excludes the intercept. The device's sum of squares then excludes the intercept too.
        The bound still holds, because quantisation does not move a feature that is 1 in all samples.

    Returns
    -------
    tuple[int, int]
        Largest distance below and above the reference, in units of the last base plane times Q3's last bit.
    """
    if refetch == Refetch.CERTAIN:
        return int(-q3[q3 < 0].sum()), int(q3[q3 > 0].sum())
    used = q3[:-1] if spared else q3
    squares = int((used * used).sum())
    half = squares.bit_length() // 2
    bound = (1 << half) + (squares >> half) + 1
    return bound, bound
