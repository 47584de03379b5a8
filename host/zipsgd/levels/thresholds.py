"""Bounds on the positions of optimal thresholds, from Lloyd's step.

In an optimal set for nearest rounding, each threshold lies halfway between the means of the two cells beside it (Lloyd, *Least
squares quantization in PCM*, IEEE Transactions on Information Theory 28, 1982). Both means increase with all thresholds. So if
each optimal threshold is at most h_j, it is also at most the point that Lloyd's step makes of h_(j-1), h_j and h_(j+1); a lower
bound follows in the same way. Starting from the ends of the line, the step is repeated, and gives brackets that contain every
optimal set. No value lies exactly halfway in an optimal set: in the other cell it would cost less. A bound on the rounding
errors of the means only widens a bracket.
"""

import numpy as np

from zipsgd.compiled import compiled

from .cells import cell_mean
from .problem import Floats, Indices, Problem, position, sums_at

__all__ = ["bound_distances", "improve_thresholds", "initial_thresholds", "keep_apart", "tighten_thresholds"]

_RELATIVE, _ABSOLUTE = 2.0**-50, 2.0**-96
"""Bounds on the rounding errors of a midpoint: relative to its means, and of the prefix sums relative to number and mass."""


def initial_thresholds(size: int, count: int) -> tuple[Indices, Indices]:
    """Brackets that exclude nothing but empty cells.

    Parameters
    ----------
    size : int
        Number of points, with the one in front.
    count : int
        Number of cells.

    Returns
    -------
    low, high : npt.NDArray[np.int64] of shape (count + 1,)
        First and last possible point of each threshold.
    """
    low, high = np.arange(count + 1), np.arange(size - 1 - count, size)
    high[0], low[-1] = 0, size - 1
    return low, high


@compiled
def _mean_between(problem: Problem, a: int, c: int) -> tuple[float, float]:
    """The mean position of the points after ``a`` up to ``c``, and a bound on its rounding error.

    Parameters
    ----------
    problem : Problem
        The points.
    a, c : int
        Thresholds a < c.

    Returns
    -------
    mean : float
        The mean.
    error : float
        The bound.
    """
    sums = sums_at(problem, c)
    mean, mass = cell_mean(sums_at(problem, a), sums)
    if mass == 0.0:
        lowest, highest = position(problem, a + 1), position(problem, c)
        return (lowest + highest) / 2, (highest - lowest) / 2
    return mean, _RELATIVE * abs(mean) + _ABSOLUTE * problem.x.size * (sums[0] / mass)


@compiled
def _last_up_to(problem: Problem, limit: float, first: int, last: int, near: int) -> int:
    """The last point in first..last whose position is at most ``limit``; ``first`` if there is none. Searches from ``near``."""
    low, high = first, last
    step = 1
    if position(problem, near) <= limit:
        low = near
        while low + step <= last and position(problem, low + step) <= limit:
            low += step
            step *= 2
        high = min(high, low + step)
    else:
        high = near
        while high - step >= first and position(problem, high - step) > limit:
            high -= step
            step *= 2
        low = max(low, high - step)
    while low < high:
        middle = (low + high + 1) // 2
        if position(problem, middle) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def _sweep(problem: Problem, ends: Indices, low: Indices, high: Indices, direction: int) -> bool:
    """Move each threshold in turn halfway between the means beside it, within its bracket, and return whether one moved.

    With ``direction`` 1 or -1, the thresholds are upper or lower ends of brackets, and move only inwards.
    """
    moved = False
    left, left_error = _mean_between(problem, ends[0], ends[1])
    for j in range(1, ends.size - 1):
        right, right_error = _mean_between(problem, ends[j], ends[j + 1])
        middle = (left + right) / 2 + direction * (left_error + right_error)
        first, last = max(ends[j - 1] + 1, low[j]), min(ends[j + 1] - 1, high[j])
        if first > last:
            left, left_error = right, right_error
            continue
        m = _last_up_to(problem, middle, first, last, min(max(ends[j], first), last))
        if m != ends[j] and (ends[j] - m) * direction >= 0:
            ends[j] = m
            moved = True
            left, left_error = _mean_between(problem, m, ends[j + 1])
        else:
            left, left_error = right, right_error
    return moved


@compiled
def keep_apart(problem: Problem, low: Indices, high: Indices) -> None:
    """Exclude empty cells, and thresholds between equal values: an optimal set has neither.

    Parameters
    ----------
    problem : Problem
        The points; there are at least as many distinct ones as cells.
    low, high : npt.NDArray[np.int64] of shape (count + 1,)
        First and last possible point of each threshold; narrowed in place.
    """
    for j in range(1, low.size - 1):
        at = max(low[j], low[j - 1] + 1)
        low[j] = _last_up_to(problem, position(problem, at), at, high[j], at) if at < high[j] else at
    for j in range(low.size - 2, 0, -1):
        at = min(high[j], high[j + 1] - 1)
        value = position(problem, at)
        if at > low[j] and position(problem, at + 1) == value:
            at = _last_up_to(problem, np.nextafter(value, -np.inf), low[j], at, at)
        high[j] = at


@compiled
def tighten_thresholds(problem: Problem, low: Indices, high: Indices, sweeps: int) -> None:
    """Tighten brackets in place, in O(count log N) per sweep.

    Parameters
    ----------
    problem : Problem
        The points.
    low, high : npt.NDArray[np.int64] of shape (count + 1,)
        First and last possible point of each threshold.
    sweeps : int
        Maximum number of sweeps.
    """
    for ends, direction in ((high, 1), (low, -1)):
        for _ in range(sweeps):
            moved = _sweep(problem, ends, low, high, direction)
            keep_apart(problem, low, high)
            if not moved:
                break


@compiled
def improve_thresholds(problem: Problem, ends: Indices, low: Indices, high: Indices, sweeps: int) -> None:
    """Improve a solution in place by Lloyd's step, within the brackets, in O(count log N) per sweep.

    Parameters
    ----------
    problem : Problem
        The points.
    ends : npt.NDArray[np.int64] of shape (count + 1,)
        Thresholds as indices of points.
    low, high : npt.NDArray[np.int64] of shape (count + 1,)
        First and last possible point of each threshold.
    sweeps : int
        Maximum number of sweeps.
    """
    for _ in range(sweeps):
        if not _sweep(problem, ends, low, high, 0):
            break


@compiled
def bound_distances(problem: Problem, low: Indices, high: Indices) -> Floats:
    """Upper bounds on the distances of neighbouring levels, from the largest and smallest means of their cells.

    Parameters
    ----------
    problem : Problem
        The points.
    low, high : npt.NDArray[np.int64] of shape (count + 1,)
        First and last possible point of each threshold.

    Returns
    -------
    npt.NDArray[np.float64] of shape (count + 1,)
        For each threshold, the largest distance of the levels beside it; 0 for the outer two.
    """
    distances = np.zeros(low.size)
    for j in range(1, low.size - 1):
        below, error = _mean_between(problem, low[j - 1], low[j])
        above, more = _mean_between(problem, high[j], high[j + 1])
        distances[j] = max(above - below, 0.0) + error + more
    return distances
