"""The public functions for nearest rounding."""

import operator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .arguments import check_finite, check_range, checked, in_order, is_ascending, unit_magnitude, vector
from .double_double import two_sum
from .greedy import distinct_values, merge_cells
from .lloyd_max import solve_nearest
from .partial_sort import sort_near_thresholds
from .problem import Floats, Indices, make_problem

__all__ = ["NearestLevels", "nearest_levels", "squared_error"]


NearestMethod = Literal["exact", "greedy"]
_MANY = 1 << 14
"""Number of values from which on they are sorted only as far as it matters."""


@dataclass(frozen=True)
class NearestLevels:
    """Levels, and the error of rounding each value to the nearest one.

    Parameters
    ----------
    levels : npt.NDArray[np.float64] of shape (levels,)
        Levels in increasing order. Each one of least error is the mean of the values that are rounded to it.
    squared_error : float
        Sum of w (x - l)^2 over the values x, where l is the level nearest to x.
    mean_squared_error : float
        ``squared_error`` divided by the sum of the weights.
    """

    levels: Floats
    squared_error: float
    mean_squared_error: float


@compiled
def _centre(x: Floats, weights: Floats, first: int, end: int) -> tuple[float, float]:
    """The mean of the points first..end - 1, in any order, and the sum of their squared distances from it."""
    least, most = x[first], x[first]
    mean, squares = x[first], 0.0
    for _ in range(
        2
    ):  # the second time about the mean, so that neither the mean nor the sum suffers from cancellation
        mass, moment, rest, squares, squares_rest = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(first, end):
            weight = weights[i] if weights.size else 1.0
            least, most = min(least, x[i]), max(most, x[i])
            offset = x[i] - mean
            mass += weight
            moment, error = two_sum(moment, weight * offset)
            rest += error
            squares, error = two_sum(squares, weight * offset * offset)
            squares_rest += error
        shift = (moment + rest) / mass
        mean = min(max(mean + shift, least), most)
        squares = max(squares + squares_rest - mass * shift * shift, 0.0)
    return mean, squares


@compiled
def _centres(x: Floats, weights: Floats, ends: Indices) -> tuple[Floats, float]:
    """The mean of each cell, and the sum of all squared distances."""
    means = np.empty(ends.size - 1)
    total = 0.0
    for j in range(means.size):
        means[j], error = _centre(x, weights, ends[j], ends[j + 1])
        total += error
    return means, total


@compiled
def _total_error(x: Floats, weights: Floats, places: Floats) -> float:
    """Sum of the squared distances from the nearest of sorted levels."""
    total, rest = 0.0, 0.0
    at = 0
    for i in range(x.size):
        low, high = 0, places.size - 1
        while low < high:  # search the first level that is not below the value
            middle = (low + high) // 2
            if places[middle] < x[i]:
                low = middle + 1
            else:
                high = middle
        at = low
        distance = abs(places[at] - x[i])
        if at:
            distance = min(distance, abs(x[i] - places[at - 1]))
        square = distance * distance
        if weights.size:
            square *= weights[i]
        total, error = two_sum(total, square)
        rest += error
    return total + rest


def nearest_levels(
    values: npt.ArrayLike,
    count: int,
    *,
    weights: npt.ArrayLike | None = None,
    method: NearestMethod = "exact",
) -> NearestLevels:
    """Place levels for nearest rounding of values, by default those of the least squared error there is.

    They are known as a Lloyd-Max quantiser of the values, and as k-means in one dimension. For stochastic rounding, see
    :func:`levels`.

    Parameters
    ----------
    values : npt.ArrayLike of shape (N,)
        Finite integers, float32 or float64 numbers in any order. Their range must be 0 or in 1e-140..1e140.
    count : int
        Number of levels, at least 1. The result has fewer if there are fewer distinct values.
    weights : npt.ArrayLike of shape (N,), optional
        Non-negative weights, by default all 1. Values with the weight 0 are ignored.
    method : {"exact", "greedy"}
        ``"exact"``: the least error. ``"greedy"``: ZipML's merging in O(N log N), for comparison; at most twice the error of a
        quarter as many optimal levels.

    Returns
    -------
    NearestLevels
        The levels and their error. The exact method takes O(count N) time and memory at worst, and a few passes in practice.
        Many values that are not sorted are sorted only near thresholds. The result does not depend on the values' order, but
        for the last place of its numbers. Of several optimal sets, one is returned.

    Raises
    ------
    ValueError
        Values, weights or count are not as described.
    MemoryError
        So many levels take more than half of the available memory. This is said before the memory is taken.
    """
    if (count := operator.index(count)) < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    if method not in get_args(NearestMethod):
        raise ValueError(f"method must be one of {', '.join(get_args(NearestMethod))}, not {method!r}")
    x, w = checked(values, weights)
    low, high = float(x.min()), float(x.max())
    if low == high:
        return NearestLevels(np.array([low]), 0.0, 0.0)
    check_range(low, high)
    brackets = None
    if method == "exact" and not w.size and x.size >= _MANY and not is_ascending(x):
        found = sort_near_thresholds(x, low, high, count)
        if found is not None:
            x, brackets = found.x, (found.low, found.high)
    if brackets is None:
        x, w, distinct = in_order(x, w)
        if distinct <= count:
            return NearestLevels(np.unique(x), 0.0, 0.0)
    if method == "greedy":
        places = merge_cells(*distinct_values(x, w), count)
        error = _total_error(x, w, places)
        return NearestLevels(places, error, error / (float(w.sum()) if w.size else x.size))
    mass = unit_magnitude(w)
    points = np.concatenate([[low], x])
    problem = make_problem(points, None if mass is None else np.concatenate([mass[:1], mass]))
    levels, error = _centres(x, w, solve_nearest(problem, count, brackets))
    return NearestLevels(levels, error, error / (float(w.sum()) if w.size else x.size))


def squared_error(
    values: npt.ArrayLike, levels: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float:
    """The error of rounding values to the nearest of given levels.

    Parameters
    ----------
    values : npt.ArrayLike of shape (N,)
        Values as for :func:`nearest_levels`.
    levels : npt.ArrayLike of shape (levels,)
        Finite levels in any order. Values may lie outside them.
    weights : npt.ArrayLike of shape (N,), optional
        Weights as for :func:`nearest_levels`.

    Returns
    -------
    float
        Sum of w (x - l)^2 over the values x, where l is the level nearest to x.

    Raises
    ------
    ValueError
        Values, weights or levels are not as described.
    """
    x, w = checked(values, weights)
    places = vector("levels", levels)
    check_finite("levels", places)
    return _total_error(x, w, np.unique(places))
