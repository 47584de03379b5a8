"""Coarse grids over the brackets of all levels.

All levels share one grid. So cells of different levels are the same or disjoint. The bracket of a level begins and ends at grid
points. The grid points within it are the level's layer.
"""

import math
from typing import NamedTuple

import numpy as np

from zipsgd.compiled import compiled

from .double_double import two_sum
from .gaps import Gaps, folded
from .problem import Floats, Indices, Problem, position, sums_at

__all__ = ["Grid", "make_grid"]

_ATTEMPTS = 4
_NEAREST = 2.0**-30
"""Smallest distance of levels that a grid is designed for, relative to the range."""


class Grid(NamedTuple):
    """Grid points and layers.

    Parameters
    ----------
    points : npt.NDArray[np.int64] of shape (grid points,)
        Indices of the problem's points.
    places : npt.NDArray[np.float64] of shape (grid points, 6)
        Position, P0 and P1 (high and low parts each), folded position.
    inside : npt.NDArray[np.float64] of shape (grid points,)
        Mass inside the cell after each grid point, times the width of the cell.
    first, last : npt.NDArray[np.int64] of shape (layers,)
        First and last grid point of each layer.
    offset : npt.NDArray[np.int64] of shape (layers + 1,)
        Beginning of each layer in flat arrays over the points of all layers.
    full : bool
        Whether the grid contains every point that could lower the cost.
    """

    points: Indices
    places: Floats
    inside: Floats
    first: Indices
    last: Indices
    offset: Indices
    full: bool


@compiled
def _limits(problem: Problem, gaps: Gaps, low: Indices, high: Indices, about: Indices, cells: int) -> Floats:
    """Limits of mass times width for the cells of each bracket, for a total of about ``cells`` cells.

    They make mass times width times the distance of the level's neighbours the same everywhere, with the levels ``about`` as
    estimates. If all products are t, a bracket has at most about sqrt(mass * width * distance / t) cells (Cauchy-Schwarz).
    """
    limits = np.full(low.size, np.inf)
    total = 0.0
    for j in range(1, low.size - 1):
        distance = max(folded(problem, gaps, about[j + 1]) - folded(problem, gaps, about[j - 1]), _NEAREST)
        mass = sums_at(problem, high[j])[0] - sums_at(problem, low[j])[0]
        width = folded(problem, gaps, high[j]) - folded(problem, gaps, low[j])
        total += math.sqrt(mass * width * distance)
        limits[j] = 1.0 / distance
    return limits * (total / cells) ** 2


@compiled
def _cell_end(problem: Problem, begin: int, end: int, limit: float) -> int:
    """The end of the cell that begins at ``begin``: the last point up to ``end`` within ``limit``, or the next point."""
    x = position(problem, begin)
    i = begin + 1
    if problem.mass.size == 0:
        step = 1
        while i + step <= end and (position(problem, i + step) - x) * (i + step - begin - 1) <= limit:
            i += step
            step *= 2
        while step:
            if i + step <= end and (position(problem, i + step) - x) * (i + step - begin - 1) <= limit:
                i += step
            step //= 2
        return i
    spread = 1 if problem.moment.size else 0
    inside = problem.mass[i] * spread
    while i < end:
        inside += problem.mass[i + spread]
        if inside * (position(problem, i + 1) - x) > limit:
            break
        i += 1
    return i


@compiled
def _place(problem: Problem, gaps: Gaps, low: Indices, high: Indices, limits: Floats, points: Indices) -> int:
    """Place grid points in all brackets: their ends, all points around wide gaps, and as few others as the ``limits`` allow.

    Returns the number of grid points, and writes as many as fit to ``points``.
    """
    size = 0
    opened, closed = 0, 0  # brackets opened and closed up to the current point
    passed = 0  # surroundings of gaps passed
    i = 0
    while True:
        if size < points.size:
            points[size] = i
        size += 1
        while opened < low.size and low[opened] <= i:
            opened += 1
        while closed < low.size and high[closed] <= i:
            closed += 1
        if closed == low.size:
            return size
        if closed == opened:
            i = low[opened]
            continue
        end = high[closed]
        if opened < low.size:
            end = min(end, low[opened])
        limit: float = np.min(limits[closed:opened])
        while passed < gaps.last.size and gaps.last[passed] <= i:
            passed += 1
        if passed < gaps.last.size:
            if i < gaps.first[passed]:
                end = min(end, gaps.first[passed])
            else:
                end = min(end, gaps.last[passed])
                limit = 0.0
        i = _cell_end(problem, i, end, limit)


@compiled
def _measure(problem: Problem, gaps: Gaps, points: Indices, places: Floats, inside: Floats) -> None:
    """Compute ``places`` and ``inside`` of a grid."""
    for g in range(points.size):
        places[g, 0] = position(problem, points[g])
        places[g, 1], places[g, 2], places[g, 3], places[g, 4] = sums_at(problem, points[g])
        places[g, 5] = folded(problem, gaps, points[g])
    inside[-1] = 0.0
    for g in range(points.size - 1):
        mass, rest = two_sum(places[g + 1, 1], -places[g, 1])
        rest += places[g + 1, 2] - places[g, 2]
        if problem.moment.size == 0:
            if points[g + 1] == points[g] + 1:
                mass, rest = 0.0, 0.0
            else:  # without the mass at the end of the cell
                mass, error = two_sum(mass, -(problem.mass[points[g + 1]] if problem.mass.size else 1.0))
                rest += error
        inside[g] = max(mass + rest, 0.0) * (places[g + 1, 0] - places[g, 0])


def make_grid(problem: Problem, gaps: Gaps, low: Indices, high: Indices, about: Indices, cells: int) -> Grid:
    """Make a grid over all brackets.

    Parameters
    ----------
    problem : Problem
        The points.
    gaps : Gaps
        The wide gaps.
    low, high : npt.NDArray[np.int64] of shape (count,)
        First and last point of each bracket.
    about : npt.NDArray[np.int64] of shape (count,)
        Estimates of the levels.
    cells : int
        Approximate number of grid points in all layers.

    Returns
    -------
    Grid
        The grid. It is full if ``cells`` points suffice for that.
    """
    full = int(np.sum(high - low)) <= cells
    limits = np.zeros(low.size) if full else _limits(problem, gaps, low, high, about, cells)
    points = np.empty(min(cells, problem.x.size), dtype=np.int64)
    for _ in range(_ATTEMPTS):
        size = _place(problem, gaps, low, high, limits, points)
        if size > points.size:
            points = np.empty(size, dtype=np.int64)
            _place(problem, gaps, low, high, limits, points)
        first = np.searchsorted(points[:size], low)
        last = np.searchsorted(points[:size], high)
        offset = np.concatenate([[0], np.cumsum(last - first + 1)])
        if full or 4 * offset[-1] > cells:
            break
        limits *= (offset[-1] / cells) ** 2
    places, inside = np.empty((size, 6)), np.empty(size)
    _measure(problem, gaps, points[:size], places, inside)
    return Grid(points[:size], places, inside, first, last, offset, full)
