"""ZipML's greedy merging, the historical baseline (Zhang et al., section 3, after Acharya et al.'s histograms).

Begin with every value as a level. In each round pair up neighbouring intervals, and merge the pairs that would cost least: all
but m of them.

The result has at most twice the least variance of K intervals if m >= 2 (K - 1). For its intervals without an optimal level
strictly inside cost no more than the optimum there. The others, at most K - 1, each cost no more when made than any of the m
pairs left in that round, of which at least m - (K - 1) have no optimal level inside, and those cost the optimum at most
together: so each costs at most 1 / (K - 1) of it.
"""

import numpy as np

from .problem import Floats

__all__ = ["guaranteed_count", "merge_greedily"]


def guaranteed_count(count: int) -> int:
    """How many levels have a least variance of at least half that of ``count`` merge_greedily ones."""
    return (count - 2) // 4 + 2


def merge_greedily(x: Floats, mass: Floats, count: int) -> Floats:
    """The ``count`` levels that are left of the increasing ``x``, more than ``count``. O(N log N) time."""
    kept = (count - 2) // 2
    # Of each interval: mass inside, its moments from the lower and to the upper end, variance. Merging only adds to them
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
        stay = np.insert(stay, 0, True)  # the lower end of a dropped interval goes
        stay[1:-1], stay[-1] = stay[2:].copy(), True
        x, mass = x[stay], mass[stay]
    return x
