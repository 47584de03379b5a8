"""The exact solver narrows brackets around every level on finer and finer grids, and finds the cheapest path within them.

The textbook solution is a dynamic programme over all N points for every level, in O(k N) time with SMAWK. But a level far from
its optimal place makes a solution more expensive than a known one. This can be proved on a coarse grid.

Rounding lemma. Let the levels z lie in cells of a grid. For every cell of level j's bracket, let kappa_j be at least 1/4 of the
mass inside times the width. If z_j is alone in its cell [e, e + d], round it at random to one of the ends, independently, with
mean z_j. If several levels share a cell, move the first to the lower and the others to the upper end. Then the rounded levels r
satisfy

    E[f(r) - sum_j kappa_j (r_(j+1) - r_(j-1))] <= f(z).

Proof. Let a point x lie outside the cells of its neighbours l <= x <= u. Then (u - x)(x - l) is bilinear, and l and u keep
their mean or move towards x. Now let x > z_j lie in a cell where z_j is alone. Let p be the probability of rounding up, and l
and u the levels rounded from z_(j-1) and z_(j+1). On average, x then contributes (1 - p)(u - x)(x - e) + p (e + d - x)(x - l) =
(u - x)(x - z_j) + p (e + d - x)(u - l). Here p (e + d - x) <= p (1 - p) d <= d / 4, and the first term is at most the previous
contribution. The case x < z_j is the same. In a cell with levels at both ends, x contributes at most d^2 / 4, and the r_(j+1) -
r_(j-1) of its levels add up to at least 2 d. []

So there is a path over grid points, with its j-th point at an end of the cell of z_j, whose cost minus bonus is at most f(z).
The bonus is a multiple of each r_j. So such paths are found as fast as without it. Let V_j(g) be the minimal cost minus bonus
of all paths with point g in layer j, computed forwards and backwards, and let U be the variance of any solution. A cell with
V_j > U at both ends contains no level j of an optimal set. The remaining cells form the next grid. It is finer by a constant
factor, since the bonus decreases with the square of d. Once no cell has mass inside, the bonus is 0, and the cheapest path is
the optimum. If a round narrows the brackets too little, the next grid is finer by more, and finally contains all points. So the
solver takes O(k N) time at worst, and O(N) memory per layer.

Costs have twice double precision. Sets whose variances differ by less than N 2^-98 times mass and range squared may be treated
as equal. Of equal sets, the one with the lowest levels is taken (it exists because the optimal sets form a lattice).
"""

from typing import NamedTuple

import numpy as np

from zipsgd.compiled import compiled

from .brackets import improve, initial_brackets, tighten
from .cells import path_cost
from .double_double import two_sum
from .gaps import find_gaps
from .grid import make_grid
from .links import link_brackets
from .monge import backward, forward, trace
from .narrowing import check_memory, narrow
from .problem import Floats, Indices, Problem

__all__ = ["Solution", "solve"]

_CELLS = 2
"""Points of the first grid over the squared count. The width of a bracket in cells grows with the count."""

_LEAST = 64
_MANY = 1 << 25
"""Levels times points from which on brackets come from paths of any number of levels, see :mod:`zipsgd.levels.links`."""
_SWEPT = 1 << 24
"""Most levels that are visited to tighten or to improve."""
_MARGIN, _TILT = 2.0**-98, 2.0**-48
"""Rounding errors: of an interval's cost relative to mass and number of points, of a level's bonus relative to its slope."""


class Solution(NamedTuple):
    """A solution.

    Parameters
    ----------
    levels : npt.NDArray[np.int64] of shape (count,)
        Levels as indices of points.
    slack : float
        How much lower the minimal variance may be, in scaled units.
    """

    levels: Indices
    slack: float


@compiled
def _slopes(inside: Floats, first: Indices, last: Indices) -> Floats:
    """The bonus of a path, sum_j kappa_j (r_(j+1) - r_(j-1)), as a factor for each r_j."""
    kappa = np.zeros(first.size)
    for j in range(1, first.size - 1):
        if first[j] < last[j]:
            kappa[j] = 0.25 * np.max(inside[first[j] : last[j]])
    slopes = np.zeros(first.size)
    slopes[1:] += kappa[:-1]
    slopes[:-1] -= kappa[1:]
    return slopes


def solve(problem: Problem, count: int) -> Solution:
    """The optimal levels.

    If the mass is spread, the result contains the best levels at points. The brackets still contain all optimal levels, which
    may be anywhere.

    Parameters
    ----------
    problem : Problem
        At least ``count`` of its points are distinct.
    count : int
        Number of levels.

    Returns
    -------
    Solution
        The levels and their slack.

    Raises
    ------
    MemoryError
        There is too little memory; said before it is taken.
    """
    spread = problem.moment.size > 0
    low, high = initial_brackets(problem, count)
    sweeps = min(2 * count, 1 + _SWEPT // count)
    if not spread and count * problem.x.size > _MANY:
        link_brackets(problem, count, low, high)
    estimate: Indices | None = None
    cells = max(_CELLS * count, _LEAST) * count
    gaps = find_gaps(problem, count, cells)
    while True:
        tighten(problem, low, high, sweeps)
        width = int(np.sum(high - low))
        grid = make_grid(problem, gaps, low, high, (low + high) // 2 if estimate is None else estimate, cells)
        check_memory(int(grid.offset[-1]), count, problem.x.size)
        slopes = _slopes(grid.inside, grid.first, grid.last)
        from_start = np.empty((grid.offset[-1], 2))
        best = np.empty(grid.offset[-1], dtype=np.int64)
        forward(False, grid.places, grid.first, grid.last, grid.offset, slopes, from_start, best)
        if grid.full or not np.any(slopes):
            break
        estimate = grid.points[trace(grid.first, grid.offset, best)]
        if not spread:
            improve(problem, estimate, sweeps)
        to_end = np.empty_like(from_start)
        backward(False, grid.places, grid.first, grid.last, grid.offset, slopes, to_end, best)
        known, known_low = path_cost(False, problem, estimate)
        mass = float(grid.places[-1, 1])
        margin = count * (_MARGIN * problem.x.size * mass + _TILT * float(np.max(np.abs(slopes))))
        limit = two_sum(known, known_low + margin)
        narrow(grid, slopes, from_start, to_end, limit, 0 if spread else 1, low, high)
        if 2 * np.sum(high - low) > width:
            cells *= 4
    slack = 0.0
    if np.any(slopes):
        bound = from_start[-1].copy()
        forward(False, grid.places, grid.first, grid.last, grid.offset, np.zeros(count), from_start, best)
        slack = float((from_start[-1, 0] - bound[0]) + (from_start[-1, 1] - bound[1]))
    return Solution(grid.points[trace(grid.first, grid.offset, best)], slack)
