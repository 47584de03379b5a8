"""ZipML's greedy merging, as a historical baseline (Zhang et al., section 3, after Acharya et al.'s histograms).

For stochastic rounding, every value is a level initially. Each round pairs up neighbouring intervals, and merges all but the m
most expensive pairs. For nearest rounding, every value is a cell initially, and cells are merged in the same way; levels are
their means.

The result has at most twice the minimal variance of K intervals, or twice the least error of K cells, if m >= 2 (K - 1).
Proof: a merged interval without an optimal level strictly inside costs no more than the optimum there. There are at most K - 1
other intervals. When one of them was merged, it cost no more than any of the m pairs that remained in that round. At least
m - (K - 1) of these pairs have no optimal level inside, and together they cost at most the optimum. So each of the other
intervals costs at most 1 / (K - 1) of it.
"""

import numpy as np

from .problem import Floats, Indices

__all__ = ["distinct_values", "guaranteed_cells", "guaranteed_count", "merge_cells", "merge_greedily"]


def distinct_values(x: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The distinct ones of sorted values, and the weight of each.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Values in ascending order.
    weights : npt.NDArray[np.float64] of shape (N,) or (0,)
        Their weights; none if all are 1.

    Returns
    -------
    x, mass : npt.NDArray[np.float64]
        Increasing values, and the sum of the weights of each.
    """
    start = np.flatnonzero(np.diff(x, prepend=-np.inf))
    if weights.size:
        return x[start], np.add.reduceat(weights, start)
    return x[start], np.diff(start, append=x.size).astype(np.float64)


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


def guaranteed_cells(count: int) -> int:
    """The number of cells whose least error is at least half that of greedily merged ones.

    Parameters
    ----------
    count : int
        Number of greedily merged cells.

    Returns
    -------
    int
        Number of optimal cells.
    """
    return (count - 1) // 4 + 1


def _cheapest(costs: Floats, count: int) -> Indices:
    """The indices of so many pairs of the least costs, in ascending order; of equal costs the first ones."""
    return np.sort(np.argsort(costs, kind="stable")[:count])


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
        chosen = _cheapest(joint, min(pairs - kept, x.size - count))
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


def merge_cells(x: Floats, mass: Floats, count: int) -> Floats:
    """The means of the cells that remain after merging, in O(N log N) time.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Increasing values, more than ``count``.
    mass : npt.NDArray[np.float64] of shape (N,)
        Weight of each value.
    count : int
        Number of cells, at least 1.

    Returns
    -------
    npt.NDArray[np.float64] of shape (count,)
        The means in increasing order.
    """
    kept = (count - 1) // 2
    means, mass, error = x.copy(), mass.copy(), np.zeros(x.size)
    while means.size > count:
        pairs = means.size // 2
        left, right = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
        joint_mass = mass[left] + mass[right]
        way = means[right] - means[left]
        shift = mass[right] / joint_mass * way
        joint = error[left] + error[right] + mass[left] * shift * way
        chosen = _cheapest(joint, min(pairs - kept, means.size - count))
        at = 2 * chosen
        means[at] += shift[chosen]
        mass[at], error[at] = joint_mass[chosen], joint[chosen]
        stay = np.ones(means.size, dtype=bool)
        stay[at + 1] = False
        means, mass, error = means[stay], mass[stay], error[stay]
    return means
