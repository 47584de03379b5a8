"""Bounds on the positions of the optimal levels, from the closed form for the best level between two others.

Between fixed levels a < c, C(a, b) + C(b, c) is convex in b. Its slope is the sum of w (x - a) over the points in (a, b], minus
the sum of w (c - x) over those in (b, c). It changes sign where the mass up to b reaches

    T(a, c) = P0(a) + sum over (a, c) of w (c - x) / (c - a)

(Ben Basat et al., section 5; for unit mass, b is found without a search). The slope decreases as a or c increases. So the best
b increases with both. In an optimal set, every level is the best one between its neighbours. If the neighbours are at most h
and h', the level is at most the largest best level between h and h'; a lower bound follows in the same way. Starting from the
ends of the line, this step is repeated, and gives brackets that contain every optimal set. A bound on the rounding errors of T
only widens a bracket.
"""

import numpy as np

from zipsgd.compiled import compiled

from .problem import Floats, Indices, Problem, first_reaching, position, sums_at

__all__ = ["improve", "initial_brackets", "tighten"]

_SLACK = 2.0**-49
"""Bound on the relative error of the terms of T: several roundings of 2^-53 each."""

_NARROW, _UNKNOWN = 2.0**-900, 2.0**1000
"""Distance of levels below which T is not computed, and its error bound in this case."""


def initial_brackets(problem: Problem, count: int) -> tuple[Indices, Indices]:
    """Brackets that exclude nothing.

    Parameters
    ----------
    problem : Problem
        At least ``count`` of its points are distinct.
    count : int
        Number of levels.

    Returns
    -------
    low, high : npt.NDArray[np.int64] of shape (count,)
        First and last possible point of each level.
    """
    low, high = np.zeros(count, dtype=np.int64), np.full(count, problem.x.size - 1)
    if not problem.moment.size:  # the levels are distinct points
        low += np.arange(count)
        high -= np.arange(count)[::-1]
    high[0], low[-1] = 0, problem.x.size - 1
    return low, high


@compiled
def _sums(problem: Problem, levels: Indices) -> Floats:
    sums = np.empty((levels.size, 4))
    for j in range(levels.size):
        sums[j, 0], sums[j, 1], sums[j, 2], sums[j, 3] = sums_at(problem, levels[j])
    return sums


@compiled
def _balance(problem: Problem, levels: Indices, sums: Floats, j: int) -> tuple[float, float]:
    """T between the neighbours of level ``j``, and a bound on its rounding error."""
    a, c = position(problem, levels[j - 1]), position(problem, levels[j + 1])
    if c - a < _NARROW:
        return sums[j - 1, 0], _UNKNOWN
    mass = (sums[j + 1, 0] - sums[j - 1, 0]) + (sums[j + 1, 1] - sums[j - 1, 1])
    moment = (sums[j + 1, 2] - sums[j - 1, 2]) + (sums[j + 1, 3] - sums[j - 1, 3])
    target = sums[j - 1, 0] + (c * mass - moment) / (c - a)
    return target, _SLACK * (target + 2.0 * mass / (c - a))


@compiled
def _sweep(problem: Problem, levels: Indices, sums: Floats, direction: int) -> bool:
    """Move each level in turn to the best point between its neighbours, and return whether one moved.

    With ``direction`` 1 or -1, the levels are upper or lower ends of brackets, and move only inwards.
    """
    spread = 1 if problem.moment.size else 0  # with spread mass, the best place is between points m - 1 and m
    moved = False
    for j in range(1, levels.size - 1):
        after, last = levels[j - 1], levels[j + 1] - 1 + spread
        if after >= last:
            continue
        target, error = _balance(problem, levels, sums, j)
        m = first_reaching(problem, target + direction * error, after, last)
        if direction < 0:
            m -= spread
        if m != levels[j] and (levels[j] - m) * direction >= 0:
            levels[j] = m
            sums[j, 0], sums[j, 1], sums[j, 2], sums[j, 3] = sums_at(problem, m)
            moved = True
    return moved


@compiled
def tighten(problem: Problem, low: Indices, high: Indices, sweeps: int) -> None:
    """Tighten brackets in place, in O(count) per sweep.

    Parameters
    ----------
    problem : Problem
        The points.
    low, high : npt.NDArray[np.int64] of shape (count,)
        First and last possible point of each level.
    sweeps : int
        Maximum number of sweeps.
    """
    for levels, direction in ((high, 1), (low, -1)):
        sums = _sums(problem, levels)
        for _ in range(sweeps):
            if not _sweep(problem, levels, sums, direction):
                break


@compiled
def improve(problem: Problem, levels: Indices, sweeps: int) -> None:
    """Improve a solution in place, in O(count) per sweep.

    Parameters
    ----------
    problem : Problem
        The points.
    levels : npt.NDArray[np.int64] of shape (count,)
        Levels as indices of points.
    sweeps : int
        Maximum number of sweeps.
    """
    sums = _sums(problem, levels)
    for _ in range(sweeps):
        if not _sweep(problem, levels, sums, 0):
            break
