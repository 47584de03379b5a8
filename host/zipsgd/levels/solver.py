"""The exact solver: brackets around every level, narrowed from coarse to fine, and a least path through what remains.

The textbook solution is a dynamic programme over all N points for every level, O(k N) with SMAWK. But levels far from their
optimal places cost more than a known solution, and that can be proved on a coarse grid.

Rounding lemma. Let levels z lie in cells of a grid, and kappa_j be at least 1/4 of mass inside times width for every cell of
level j's bracket. Round each z_j that is alone in its cell [e, e + d] to one of the ends, at random, independently, with
mean z_j; where several share a cell, move the first to the lower and the others to the upper end. For the rounded levels r,

    E[f(r) - sum_j kappa_j (r_(j+1) - r_(j-1))] <= f(z).

Proof. For a point x outside the cells of its neighbours l <= x <= u, (u - x)(x - l) is bilinear, and l and u keep their mean
or move towards x. Let x > z_j be in the cell of z_j alone, p the probability of rounding up, l and u the levels rounded from
z_(j-1) and z_(j+1). On average x then adds (1 - p)(u - x)(x - e) + p (e + d - x)(x - l) = (u - x)(x - z_j) +
p (e + d - x)(u - l), where p (e + d - x) <= p (1 - p) d <= d / 4; the first term is at most what it added before. Likewise
for x < z_j. In a cell with levels at both ends, x adds at most d^2 / 4, and the r_(j+1) - r_(j-1) of its levels add up to
2 d at least. []

So some path over grid points, its j-th at an end of the cell of z_j, has a cost less bonus of at most f(z). The bonus is a
multiple of each r_j, so such paths are found as fast as without it. Let V_j(g) be the least of cost less bonus over paths with
point g in layer j, by going forward and backward, and U the variance of any solution: a cell with V_j > U at both ends holds
no level j of an optimal set. What is left makes the next grid, finer by a factor as the bonus falls with the square of d.
Once cells hold no mass inside, the bonus is 0 and the least path is the optimum. Where a round narrows too little, the next
grid is finer by more, in the end all points: O(k N) time at worst, and O(N) memory a layer.

Costs have twice double precision. Sets whose variances differ by less than N 2^-98 times mass and range squared may pass for
equal; of equal ones, the one with the lowest levels is taken (it exists, as the optimal sets form a lattice).
"""

from typing import NamedTuple

import numpy as np

from zipsgd.compiled import compiled

from .brackets import improve, initial_brackets, tighten
from .double_double import fast_two_sum, less, two_sum
from .gaps import find_gaps
from .grid import Grid, make_grid
from .monge import backward, forward, trace
from .problem import Floats, Indices, Problem, path_cost

__all__ = ["Solution", "solve"]

_CELLS = 2
"""Points of the first grid: this times the square of the count, the width of a bracket in cells growing with the count."""

_LEAST = 64
_MARGIN, _TILT = 2.0**-98, 2.0**-48
"""Rounding errors of an interval's cost, relative to mass and number of points, and of a level's bonus, to its slope."""


class Solution(NamedTuple):
    """Levels as points of the problem, and how much lower than theirs the least variance may be, in scaled units."""

    levels: Indices
    slack: float


@compiled
def _slopes(inside: Floats, first: Indices, last: Indices) -> Floats:
    """The bonus of a path, sum_j kappa_j (r_(j+1) - r_(j-1)), as a multiple of each r_j."""
    kappa = np.zeros(first.size)
    for j in range(1, first.size - 1):
        if first[j] < last[j]:
            kappa[j] = 0.25 * np.max(inside[first[j] : last[j]])
    slopes = np.zeros(first.size)
    slopes[1:] += kappa[:-1]
    slopes[:-1] -= kappa[1:]
    return slopes


@compiled
def _narrow(
    grid: Grid,
    slopes: Floats,
    from_start: Floats,
    to_end: Floats,
    limit: tuple[float, float],
    inwards: int,
    low: Indices,
    high: Indices,
) -> None:
    """Shrink the brackets to the cells that may hold a level of a solution with a cost of at most ``limit``.

    ``inwards``: 1 if levels are at points, so that a cell beside a point that is excluded begins with the next one; else 0.
    """
    for j in range(1, low.size - 1):
        first, last = grid.first[j], grid.last[j]
        left, right = last + 1, first - 1
        for g in range(first, last + 1):
            at = grid.offset[j] + g - first
            value, error = two_sum(from_start[at, 0], to_end[at, 0])
            error += from_start[at, 1] + to_end[at, 1] + slopes[j] * grid.places[g, 5]  # the bonus is in both
            value, error = fast_two_sum(value, error)
            if not less(limit[0], limit[1], value, error):
                left, right = min(left, g), g
        if left > first:
            low[j] = grid.points[left - 1] + inwards
        if right < last:
            high[j] = grid.points[right + 1] - inwards


def solve(problem: Problem, count: int) -> Solution:
    """The optimal ``count`` levels, at least that many points being distinct.

    Where the mass is spread: the best levels at points, within brackets that hold all optimal ones, which may be anywhere.
    """
    spread = problem.moment.size > 0
    low, high = initial_brackets(problem, count)
    estimate: Indices | None = None
    cells = max(_CELLS * count, _LEAST) * count
    gaps = find_gaps(problem, count, cells)
    while True:
        tighten(problem, low, high, 2 * count)
        width = int(np.sum(high - low))
        grid = make_grid(problem, gaps, low, high, (low + high) // 2 if estimate is None else estimate, cells)
        slopes = _slopes(grid.inside, grid.first, grid.last)
        from_start = np.empty((grid.offset[-1], 2))
        best = np.empty(grid.offset[-1], dtype=np.int64)
        forward(grid.places, grid.first, grid.last, grid.offset, slopes, from_start, best)
        if grid.full or not np.any(slopes):
            break
        estimate = grid.points[trace(grid.first, grid.offset, best)]
        if not spread:
            improve(problem, estimate, 2 * count)
        to_end = np.empty_like(from_start)
        backward(grid.places, grid.first, grid.last, grid.offset, slopes, to_end, best)
        known, known_low = path_cost(problem, estimate)
        mass = float(grid.places[-1, 1])
        margin = count * (_MARGIN * problem.x.size * mass + _TILT * float(np.max(np.abs(slopes))))
        limit = two_sum(known, known_low + margin)
        _narrow(grid, slopes, from_start, to_end, limit, 0 if spread else 1, low, high)
        if 2 * np.sum(high - low) > width:
            cells *= 4
    slack = 0.0
    if np.any(slopes):
        bound = from_start[-1].copy()
        forward(grid.places, grid.first, grid.last, grid.offset, np.zeros(count), from_start, best)
        slack = float((from_start[-1, 0] - bound[0]) + (from_start[-1, 1] - bound[1]))
    return Solution(grid.points[trace(grid.first, grid.offset, best)], slack)
