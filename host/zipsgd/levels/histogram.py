"""NearOptimal-optimal levels from a histogram: one pass over the values in any order, after one for their range.

The bins are equal, and keep mass and moment. So the variance between levels at the bins' edges is exact, and the best such
levels are found as in the exact solver. By the rounding lemma (:mod:`.solver`) their variance exceeds that of the optimal
levels, wherever those are, by at most

    1/4 sum_j m_j d (z_(j+1) - z_(j-1)) <= 1/2 m d (max - min)

for bins of width d, m the mass of the heaviest one and m_j that of the bin of optimal level z_j. The bound returned is the
sharper one of the lemma's proof: the least of variance less bonus, with m_j within the bracket of level j.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .problem import Floats, Indices, Problem, make_problem
from .solver import solve
from .variance import total_variance

__all__ = ["NearOptimal", "count_whole", "near_optimal", "whole_levels"]

_Block = npt.NDArray[np.floating]

_FINE = 2.0**26
"""Floats a bin must hold so that its edges' rounding to floats does not count."""


class NearOptimal(NamedTuple):
    """Levels at edges, their variance, and a lower bound on that of any as many levels; up to rounding."""

    levels: Floats
    variance: float
    least: float


@compiled
def _fill(x: Floats, weights: Floats, low: float, per_unit: float, table: Floats) -> float:
    """Add mass and moment, from the lower edge in bins, to the bins' rows of ``table``; returns the second moments' sum."""
    last = table.shape[0] - 1
    squares = 0.0
    for i in range(x.size):
        place = (x[i] - low) * per_unit
        bin_ = min(int(place), last)
        offset = place - bin_
        mass = weights[i] if weights.size else 1.0
        table[bin_, 0] += mass
        table[bin_, 1] += mass * offset
        squares += mass * offset * offset
    return squares


def _edge_problem(table: Floats) -> Problem:
    """Levels at the edges of the bins of ``table``, positions in bins."""
    edges = np.arange(table.shape[0] + 1, dtype=np.float64)
    mass, moment = np.zeros(edges.size), np.zeros(edges.size)
    mass[1:] = table[:, 0]
    moment[1:] = table[:, 0] * edges[:-1] + table[:, 1]
    return make_problem(edges, mass, moment)


def near_optimal(x: Floats, weights: Floats, count: int, bins: int) -> NearOptimal:
    """At most ``count`` levels of values ``x``, not all equal, at edges of ``bins`` bins; ``weights`` may be empty: all 1."""
    low, high = float(x.min()), float(x.max())
    per_unit = bins / (high - low)
    table = np.zeros((bins, 2))
    squares = _fill(x, weights, low, per_unit, table)
    problem = _edge_problem(table)
    solution = solve(problem, count)
    edges = np.arange(bins + 1, dtype=np.float64)
    chosen = np.unique(edges[solution.levels])
    upper = np.searchsorted(chosen, edges[:-1], side="right")
    above, below = chosen[upper] - edges[:-1], edges[:-1] - chosen[upper - 1]
    # (u - x)(x - l) for x at an offset in the bin: above * below + (above - below) offset - offset^2
    variance = float(np.sum(table[:, 0] * above * below + table[:, 1] * (above - below)) - squares)
    least = max(variance - solution.slack / problem.scale**2, 0.0) / per_unit**2
    variance /= per_unit**2
    levels = low + chosen / per_unit
    levels[-1] = high
    if per_unit * np.spacing(max(abs(low), abs(high))) * _FINE > 1:
        levels = np.unique(levels)
        variance = total_variance(x, weights, levels)
    return NearOptimal(levels, variance, min(least, variance))


@compiled
def count_whole(x: _Block, unit: float, low: int, tables: Floats) -> None:
    """Add the values of each column of ``x`` to its table of mass and moment, shape (columns, bins, 2).

    ``x`` times ``unit`` is at least ``low``, the lower edge of the first bin, and each bin 1 wide.
    """
    for j in range(x.shape[1]):
        table = tables[j]
        for i in range(x.shape[0]):
            place = np.float64(x[i, j]) * unit
            below = math.floor(place)
            bin_ = int(below) - low
            table[bin_, 0] += 1.0
            table[bin_, 1] += place - below


def whole_levels(table: Floats, low: int, count: int) -> Indices:
    """At most ``count`` whole numbers that enclose the values of a table of :func:`count_whole`: those of least variance."""
    filled = np.flatnonzero(table[:, 0])
    first, last = int(filled[0]), int(filled[-1])
    bins = table[first : last + 1].copy()
    if bins[-1, 1] == 0:  # values at its lower edge alone, which is the upper one of the bin before
        if first < last:
            bins[-2] += bins[-1, 0]
        bins = bins[:-1]
    if len(bins) < count:
        return low + first + np.arange(len(bins) + 1)
    levels: Indices = low + first + np.unique(solve(_edge_problem(bins), count).levels)
    return levels
