"""ZipML's greedy merging, as a historical baseline (Zhang et al., section 3, after Acharya et al.'s histograms).

Initially every value is a level. Each round pairs up neighbouring intervals, and merges all but the m most expensive pairs.

The result has at most twice the minimal variance of K intervals if m >= 2 (K - 1). Proof: a merged interval without an optimal
level strictly inside costs no more than the optimum there. There are at most K - 1 other intervals. When one of them was
merged, it cost no more than any of the m pairs that remained in that round. At least m - (K - 1) of these pairs have no optimal
level inside, and together they cost at most the optimum. So each of the other intervals costs at most 1 / (K - 1) of it.
"""

import numpy as np

from .problem import Floats

__all__ = ["guaranteed_count", "merge_greedily"]


def guaranteed_count(count: int) -> int:
    """The number of levels whose minimal variance is at least half that of greedily merged ones.

    Parameters
    ----------
    count : int
        Number of greedily merged levels.

    Returns
    -------
    int
        Number of optimal levels.
    """
    return (count - 2) // 4 + 2


def merge_greedily(x: Floats, mass: Floats, count: int) -> Floats:
    """Levels that remain after merging, in O(N log N) time.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Increasing values, more than ``count``.
    mass : npt.NDArray[np.float64] of shape (N,)
        Weight of each value.
    count : int
        Number of levels.

    Returns
    -------
    npt.NDArray[np.float64] of shape (count,)
        The levels in increasing order.
    """
    kept = (count - 2) // 2
    # For each interval: mass inside, its moments about the lower and the upper end, variance. Merging only adds to them
    inside, lower, upper, variance = np.zeros((4, x.size - 1))
    while x.size > count:
        pairs = inside.size // 2
        left, right = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
        a, b, c = x[: 2 * pairs - 1 : 2], x[1 : 2 * pairs : 2], x[2 : 2 * pairs + 1 : 2]
        middle = mass[1 : 2 * pairs : 2]
        joint = variance[left] + variance[right] + (c - b) * lower[left] + (b - a) * upper[right]
        joint += middle * (b - a) * (c - b)
        order = np.argsort(joint, kind="stable")
        chosen = np.sort(order[: min(pairs - kept, x.size - count)])
        at = 2 * chosen
        a, b, c, middle = a[chosen], b[chosen], c[chosen], middle[chosen]
        lower[at] += lower[at + 1] + (b - a) * (inside[at + 1] + middle)
        upper[at] += upper[at + 1] + (c - b) * (inside[at] + middle)
        inside[at] += inside[at + 1] + middle
        variance[at] = joint[chosen]
        stay = np.ones(inside.size, dtype=bool)
        stay[at + 1] = False
        inside, lower, upper, variance = inside[stay], lower[stay], upper[stay], variance[stay]
        stay = np.insert(stay, 0, True)  # the lower end of a dropped interval is dropped
        stay[1:-1], stay[-1] = stay[2:].copy(), True
        x, mass = x[stay], mass[stay]
    return x
