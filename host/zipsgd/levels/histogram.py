"""Near-optimal levels from a histogram, with one pass over the values in any order after one that finds their range.

The bins are equal, and store mass and moment. So the variance for levels at the bins' edges is exact, and the exact solver
finds the best such levels. By the rounding lemma (:mod:`.solver`), their variance exceeds that of the optimal levels, wherever
these are, by at most

    1/4 sum_j m_j d (z_(j+1) - z_(j-1)) <= 1/2 m d (max - min)

for bins of width d, where m is the mass of the heaviest bin and m_j that of the bin with the optimal level z_j. The returned
bound is the tighter one from the proof: the minimum of variance minus bonus, with m_j from the bracket of level j.
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
"""Number of floats that a bin must contain so that rounding its edges to floats is negligible."""


class NearOptimal(NamedTuple):
    """Levels at the edges of bins.

    Parameters
    ----------
    levels : npt.NDArray[np.float64] of shape (levels,)
        Levels in increasing order.
    variance : float
        Variance of quantisation to these levels.
    least : float
        Lower bound on the variance of any set of as many levels, up to rounding errors.
    """

    levels: Floats
    variance: float
    least: float


@compiled
def _fill(x: Floats, weights: Floats, low: float, per_unit: float, table: Floats) -> float:
    """Add mass and moment to the bins' rows of ``table``, and return the sum of the second moments.

    Moments are about the lower edge of the bin, in units of its width.
    """
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
    """The problem of placing levels at the edges of the bins of ``table``. Positions are in bins."""
    edges = np.arange(table.shape[0] + 1, dtype=np.float64)
    mass, moment = np.zeros(edges.size), np.zeros(edges.size)
    mass[1:] = table[:, 0]
    moment[1:] = table[:, 0] * edges[:-1] + table[:, 1]
    return make_problem(edges, mass, moment)


def near_optimal(x: Floats, weights: Floats, count: int, bins: int) -> NearOptimal:
    """Levels at the edges of equal bins.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Values, not all equal.
    weights : npt.NDArray[np.float64] of shape (N,) or (0,)
        Weights; empty if all are 1.
    count : int
        Maximum number of levels.
    bins : int
        Number of bins.

    Returns
    -------
    NearOptimal
        Levels, their variance, and a lower bound.
    """
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
    # Rounding errors must not make it negative
    variance = max(float(np.sum(table[:, 0] * above * below + table[:, 1] * (above - below)) - squares), 0.0)
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
    """Add the values of each column to the column's table of mass and moment. Each bin is 1 wide.

    Parameters
    ----------
    x : npt.NDArray[np.floating] of shape (rows, columns)
        Values; ``x`` times ``unit`` is at least ``low``.
    unit : float
        Number of bins per unit of ``x``.
    low : int
        Lower edge of the first bin.
    tables : npt.NDArray[np.float64] of shape (columns, bins, 2)
        Mass and moment of each bin; updated in place.
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
    """The integer levels of least variance that enclose the values of a table.

    Parameters
    ----------
    table : npt.NDArray[np.float64] of shape (bins, 2)
        From :func:`count_whole`.
    low : int
        Lower edge of the first bin.
    count : int
        Maximum number of levels.

    Returns
    -------
    npt.NDArray[np.int64] of shape (levels,)
        Levels in increasing order.
    """
    filled = np.flatnonzero(table[:, 0])
    first, last = int(filled[0]), int(filled[-1])
    bins = table[first : last + 1].copy()
    if bins[-1, 1] == 0:  # all values are at its lower edge, which is the upper edge of the bin before
        if first < last:
            bins[-2] += bins[-1, 0]
        bins = bins[:-1]
    if len(bins) < count:
        return low + first + np.arange(len(bins) + 1)
    levels: Indices = low + first + np.unique(solve(_edge_problem(bins), count).levels)
    return levels
