"""Bounds on where the optimal levels can be, from the closed form of the best level between two others.

Between fixed levels a < c, C(a, b) + C(b, c) is convex in b: its slope is the sum of w (x - a) over the points in (a, b] less
that of w (c - x) over (b, c). It changes sign where the mass up to b reaches

    T(a, c) = P0(a) + sum over (a, c) of w (c - x) / (c - a)

(Ben Basat et al., section 5, for unit mass: b is found without a search). The slope falls as a or c rises, so the best b rises
with both. In an optimal set every level is best between its neighbours: if those are at most h and h', it is at most the
greatest best level between h and h', and correspondingly from below. Repeated, starting from the ends of the line, that
gives brackets that hold every optimal set. Rounding errors of T are bounded, and only widen a bracket.
"""

import numpy as np

from zipsgd.compiled import compiled

from .problem import Floats, Indices, Problem, first_reaching, position, sums_at

__all__ = ["improve", "initial_brackets", "tighten"]

_SLACK = 2.0**-49
"""Relative error of the terms of T: some roundings of 2^-53 each."""

_NARROW, _UNKNOWN = 2.0**-900, 2.0**1000
"""Distance of levels below which T is not computed, and the error bound it then has."""


def initial_brackets(problem: Problem, count: int) -> tuple[Indices, Indices]:
    """Brackets, as first and last point of each level, that exclude nothing. At least ``count`` points are distinct."""
    low, high = np.zeros(count, dtype=np.int64), np.full(count, problem.x.size - 1)
    if not problem.moment.size:  # then the levels are distinct points
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
    """Move each level in turn to the best point between its neighbours; whether one moved.

    With ``direction`` 1 or -1 they are upper or lower ends of brackets, and move inwards only.
    """
    spread = 1 if problem.moment.size else 0  # the best place is then between points m - 1 and m
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
    """Tighten brackets in place, ``low`` and ``high`` of shape (count,), by at most ``sweeps`` sweeps of O(count) each."""
    for levels, direction in ((high, 1), (low, -1)):
        sums = _sums(problem, levels)
        for _ in range(sweeps):
            if not _sweep(problem, levels, sums, direction):
                break


@compiled
def improve(problem: Problem, levels: Indices, sweeps: int) -> None:
    """Improve a solution in place, shape (count,), by at most ``sweeps`` sweeps of O(count) each."""
    sums = _sums(problem, levels)
    for _ in range(sweeps):
        if not _sweep(problem, levels, sums, 0):
            break
