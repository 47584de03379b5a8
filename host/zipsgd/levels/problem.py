"""The optimisation problem: points with mass on a line, their prefix sums, and the variance between two levels.

With P0 and P1 the prefix sums of w and w x, the variance of the points between neighbouring levels a <= c is

    C(a, c) = sum w (c - x)(x - a) = (a + c) dP1 - a c dP0 - dP2.

For any levels from the smallest value to the largest, the last terms of all intervals have the same sum. Without them, the cost
of the levels differs from their variance by a constant, and P2 is never needed.

C satisfies the quadrangle inequality, C(a, c) + C(b, d) <= C(a, d) + C(b, c) for a <= b <= c <= d (Ben Basat et al.,
section 3). Terms that depend on only one end do not change that.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .double_double import fast_two_sum, two_product, two_sum

__all__ = [
    "BLOCK",
    "Floats",
    "Indices",
    "Problem",
    "Sums",
    "cost",
    "first_reaching",
    "make_problem",
    "position",
    "sums_at",
]

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Sums = tuple[float, float, float, float]
"""P0 and P1, both with twice double precision: high, low, high, low."""

BLOCK = 32
"""Prefix sums are stored only for every 32nd point: writing memory takes longer than the few additions that it saves."""

_NONE = np.empty(0)


class Problem(NamedTuple):
    """Points with mass, and their prefix sums.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Positions in ascending order. The solvers use (x - origin) * scale, whose absolute value is at most 2.
    mass : npt.NDArray[np.float64] of shape (N,) or (0,)
        Non-negative masses; empty if all are 1.
    moment : npt.NDArray[np.float64] of shape (N,) or (0,)
        Empty if the mass is at the points. Otherwise the mass is spread, and levels may be anywhere: mass[i] and moment[i] are
        the sums of w and of w times the scaled position over the interval from point i - 1 to point i.
    origin : float
        Origin of the scaled positions.
    scale : float
        Factor of the scaled positions.
    before : npt.NDArray[np.float64] of shape (blocks, 4)
        Prefix sums before each block.
    """

    x: Floats
    mass: Floats
    moment: Floats
    origin: float
    scale: float
    before: Floats


def make_problem(x: Floats, mass: Floats | None = None, moment: Floats | None = None) -> Problem:
    """The problem for sorted points. Takes O(N) time, and memory for N / 8 floats.

    If all x are within a factor of two of each other, sums about zero would cancel. The origin is then the end of x nearer to
    zero, and the subtraction is exact (Sterbenz). The scale is a power of two.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Sorted positions, not all equal.
    mass : npt.NDArray[np.float64] of shape (N,), optional
        Non-negative masses, by default all 1.
    moment : npt.NDArray[np.float64] of shape (N,), optional
        Moments of spread mass, of unscaled positions with x[0] = 0.

    Returns
    -------
    Problem
        The problem.
    """
    low, high = float(x[0]), float(x[-1])
    origin = 0.0
    if low > 0 and high <= 2 * low:
        origin = low
    elif high < 0 and low >= 2 * high:
        origin = high
    scale = math.ldexp(1.0, -math.frexp(high - low)[1])
    problem = Problem(
        x,
        _NONE if mass is None else mass,
        _NONE if moment is None else moment * scale,
        origin,
        scale,
        np.empty((x.size // BLOCK + 1, 4)),
    )
    _sum_blocks(problem)
    return problem


@compiled
def position(problem: Problem, i: int) -> float:
    """The scaled position of a point.

    Parameters
    ----------
    problem : Problem
        The points.
    i : int
        Index of the point.

    Returns
    -------
    float
        (x[i] - origin) * scale.
    """
    scaled: float = (problem.x[i] - problem.origin) * problem.scale
    return scaled


@compiled
def _add(problem: Problem, i: int, sums: Sums) -> Sums:
    """``sums`` plus point ``i``. The low parts are not carried over into the high parts."""
    h0, l0, h1, l1 = sums
    if problem.mass.size == 0:
        h1, error = two_sum(h1, position(problem, i))
        return h0 + 1.0, l0, h1, l1 + error
    mass = problem.mass[i]
    if problem.moment.size:
        moment, rest = problem.moment[i], 0.0
    else:
        moment, rest = two_product(mass, position(problem, i))
    h0, error0 = two_sum(h0, mass)
    h1, error1 = two_sum(h1, moment)
    return h0, l0 + error0, h1, l1 + (error1 + rest)


@compiled
def _sum_blocks(problem: Problem) -> None:
    sums = (0.0, 0.0, 0.0, 0.0)
    for block in range(problem.before.shape[0]):
        for part in range(4):
            problem.before[block, part] = sums[part]
        for i in range(block * BLOCK, min((block + 1) * BLOCK, problem.x.size)):
            sums = _add(problem, i, sums)
        h0, l0 = fast_two_sum(sums[0], sums[1])
        h1, l1 = two_sum(sums[2], sums[3])
        sums = (h0, l0, h1, l1)


@compiled
def sums_at(problem: Problem, i: int) -> Sums:
    """P0 and P1 of the points 0 to ``i``. Takes at most 32 additions.

    Parameters
    ----------
    problem : Problem
        The points.
    i : int
        Index of the last point.

    Returns
    -------
    tuple[float, float, float, float]
        P0 and P1, each as high and low part.
    """
    block = i // BLOCK
    before = problem.before
    sums = (before[block, 0], before[block, 1], before[block, 2], before[block, 3])
    for j in range(block * BLOCK, i + 1):
        sums = _add(problem, j, sums)
    return sums


@compiled
def first_reaching(problem: Problem, mass: float, after: int, last: int) -> int:
    """The first point in (after, last] with P0 >= ``mass``. Takes O(1) time for unit mass, else a binary search.

    Parameters
    ----------
    problem : Problem
        The points.
    mass : float
        The mass to reach.
    after : int
        The point before the first candidate.
    last : int
        The last candidate.

    Returns
    -------
    int
        Index of the point; ``last`` if no point reaches the mass.
    """
    if problem.mass.size == 0:
        return math.ceil(min(max(mass, after + 2.0), last + 1.0)) - 1
    low, high = (after + 1) // BLOCK, last // BLOCK
    while low < high:  # search the last block with less mass before it
        middle = (low + high + 1) // 2
        if problem.before[middle, 0] < mass:
            low = middle
        else:
            high = middle - 1
    i = max(low * BLOCK, after + 1)
    sums = sums_at(problem, i)
    while i < last and sums[0] < mass:
        i += 1
        sums = _add(problem, i, sums)
    return i


@compiled
def cost(a: float, sums_a: Sums, c: float, sums_c: Sums) -> tuple[float, float]:
    """C(a, c) + dP2 between two levels.

    Parameters
    ----------
    a : float
        Position of the lower level.
    sums_a : tuple[float, float, float, float]
        Prefix sums at the lower level.
    c : float
        Position of the upper level.
    sums_c : tuple[float, float, float, float]
        Prefix sums at the upper level.

    Returns
    -------
    tuple[float, float]
        High and low part.
    """
    mass, mass_low = two_sum(sums_c[0], -sums_a[0])
    mass_low += sums_c[1] - sums_a[1]
    moment, moment_low = two_sum(sums_c[2], -sums_a[2])
    moment_low += sums_c[3] - sums_a[3]
    total, total_low = two_sum(a, c)
    square, square_low = two_product(a, c)
    left, left_low = two_product(total, moment)
    left_low += total * moment_low + total_low * moment
    right, right_low = two_product(square, mass)
    right_low += square * mass_low + square_low * mass
    high, low = two_sum(left, -right)
    return high, low + (left_low - right_low)
