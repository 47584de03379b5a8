"""The exact solver for nearest rounding: it narrows brackets around every threshold on finer and finer grids.

Levels for nearest rounding that are optimal for given values are known as a Lloyd-Max quantiser, and as k-means in one
dimension. The textbook solution is a dynamic programme over all N points for every level (Wu 1991; Grønlund et al., *Fast exact
k-means, k-medians and Bregman divergence clustering in 1D*, 2017). But a threshold far from its optimal place makes a solution
more expensive than a known one. This can be proved on a coarse grid, as for stochastic rounding (:mod:`.solver`), by a simpler
lemma.

Rounding lemma. Let the optimal thresholds t with levels c lie in cells of a grid, and let kappa_j be at least 1/2 of the mass
in any cell of threshold j's bracket times the distance between the first and the last value of that cell; cells of one point
count as 0. Then there is a path over grid points whose j-th point is an end of the cell of t_j, and whose cost is at most

    f(t) + sum_j kappa_j (c_(j+1) - c_j).

Proof. Keep the levels c, and move each threshold t_j that is not at a grid point to an end of its cell. Then a value x between
the two changes from the level c_j to c_(j+1) or back, which costs 2 |x - m_j| (c_(j+1) - c_j), where m_j is the midpoint of the
two levels. Let u and v be the distances of m_j from the first and the last value of the cell, and M and M' the masses before
and behind t_j. A move costs at most 2 u M or 2 v M' times the distance of the levels. The smaller of the two is at most 2
sqrt(u v M M') <= 1/2 (u + v) (M + M'). Of two thresholds in one cell, u M of the first is not larger, and v M' not smaller, so
that they are not exchanged; if a value changes by several levels, the costs of the steps add up. Placing each level anew at the
mean of its cell only lowers the cost. []

The distance c_(j+1) - c_j is bounded by the brackets. So let V_j(g) be the minimal cost of all paths with point g in layer j,
and U the cost of any solution. A cell with V_j > U + sum_j kappa_j (...) at both ends contains no optimal threshold. The
remaining cells form the next grid. Once no cell has more than one point, the cheapest path is the optimum. So the solver takes
O(k N) time at worst, and O(N) memory per layer.

Costs have nearly twice double precision. Sets whose costs differ by less than N 2^-96 times mass and range squared may be
treated as equal, and cells with less than 2^-70 of all mass as empty.
"""

import numpy as np

from zipsgd.compiled import compiled

from .cells import path_cost
from .double_double import two_sum
from .gaps import Gaps
from .grid import Grid, make_grid
from .monge import backward, forward, trace
from .narrowing import check_memory, narrow
from .problem import Floats, Indices, Problem, position
from .thresholds import (
    bound_distances,
    improve_thresholds,
    initial_thresholds,
    keep_apart,
    tighten_thresholds,
)

__all__ = ["solve_nearest"]

_CELLS, _LEAST = 4, 64
"""Points of the first grid per threshold: this multiple of their number, and at least so many."""
_SWEPT = 1 << 22
"""Most thresholds that are visited to tighten or to improve."""
_MARGIN, _NO_MASS = 2.0**-96, 2.0**-66
"""Rounding errors of a path's cost, relative to mass and number of points; and what cells that count as empty may cost."""

_NOWHERE = np.empty(0, dtype=np.int64)
_NO_GAPS = Gaps(_NOWHERE, _NOWHERE, _NOWHERE, np.empty(0))


@compiled
def _rounding_cost(problem: Problem, grid: Grid, distances: Floats) -> float:
    """What it costs at most to move all thresholds to grid points."""
    total = 0.0
    for j in range(1, distances.size - 1):
        most = 0.0
        for g in range(grid.first[j], grid.last[j]):
            begin, end = grid.points[g], grid.points[g + 1]
            if end > begin + 1:
                mass = grid.places[g + 1, 1] - grid.places[g, 1]
                most = max(most, mass * (position(problem, end) - position(problem, begin + 1)))
        total += 0.5 * most * distances[j]
    return total * (1.0 + 2.0**-40)


def solve_nearest(problem: Problem, count: int, known: tuple[Indices, Indices] | None = None) -> Indices:
    """The thresholds of optimal levels.

    Parameters
    ----------
    problem : Problem
        One more point in front of the values, at the smallest value; at least ``count`` values are distinct.
    count : int
        Number of levels.
    known : tuple of two npt.NDArray[np.int64] of shape (count + 1,), optional
        First and last possible point of each threshold. Points outside of these brackets need not be sorted among themselves.

    Returns
    -------
    npt.NDArray[np.int64] of shape (count + 1,)
        The last point before each threshold. The first is 0, the last the last point; level j is the mean of the points after
        the j-th up to the next one.

    Raises
    ------
    MemoryError
        There is too little memory; said before it is taken.
    """
    size = problem.x.size
    low, high = initial_thresholds(size, count)
    if known is not None:
        np.maximum(low, known[0], out=low)
        np.minimum(high, known[1], out=high)
    keep_apart(problem, low, high)
    sweeps = min(4 * count, 1 + _SWEPT // count)
    straight = np.zeros(count + 1)
    estimate: Indices | None = None
    cells = max(_CELLS * count, _LEAST) * count
    while True:
        tighten_thresholds(problem, low, high, sweeps)
        width = int(np.sum(high - low))
        about = (low + high) // 2 if estimate is None else estimate
        grid = make_grid(problem, _NO_GAPS, low, high, about, cells)
        check_memory(int(grid.offset[-1]), count, size - 1)
        rounding = _rounding_cost(problem, grid, bound_distances(problem, low, high))
        from_start = np.empty((grid.offset[-1], 2))
        best = np.empty(grid.offset[-1], dtype=np.int64)
        forward(True, grid.places, grid.first, grid.last, grid.offset, straight, from_start, best)
        found = grid.points[trace(grid.first, grid.offset, best)]
        if grid.full or rounding == 0.0:
            return found
        improve_thresholds(problem, found, low, high, sweeps)
        estimate = found
        to_end = np.empty_like(from_start)
        backward(True, grid.places, grid.first, grid.last, grid.offset, straight, to_end, best)
        cost, cost_low = path_cost(True, problem, estimate)
        mass = float(grid.places[-1, 1])
        lost = _NO_MASS * count if problem.mass.size else 0.0
        margin = rounding + mass * (_MARGIN * count * size + lost)
        narrow(grid, straight, from_start, to_end, two_sum(cost, cost_low + margin), 1, low, high)
        keep_apart(problem, low, high)
        if 2 * np.sum(high - low) > width:
            cells *= 4
