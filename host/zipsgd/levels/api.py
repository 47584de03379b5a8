"""The public functions: they check the arguments, select the method, and return the results in one form."""

import operator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .arguments import check_finite, check_range, checked, in_order, unit_magnitude, vector
from .greedy import distinct_values, guaranteed_count, merge_greedily
from .histogram import near_optimal
from .problem import Floats, make_problem
from .solver import solve
from .variance import total_variance

__all__ = ["Levels", "Method", "levels", "variance"]

Method = Literal["exact", "histogram", "greedy", "uniform"]


@dataclass(frozen=True)
class Levels:
    """Levels, and the variance of stochastic quantisation to them.

    Parameters
    ----------
    levels : npt.NDArray[np.float64] of shape (levels,)
        Levels in increasing order. The first is the smallest value, the last the largest.
    variance : float
        Sum of w (u - x)(x - l) over the values x between neighbouring levels l and u.
    mean_variance : float
        ``variance`` divided by the sum of the weights.
    least : float
        Lower bound: no set of ``least_count`` levels has a smaller variance, up to rounding errors.
    least_count : int
        Number of levels that ``least`` refers to.
    """

    levels: Floats
    variance: float
    mean_variance: float
    least: float
    least_count: int


def _exact(x: Floats, w: Floats, count: int) -> Floats:
    return x[solve(make_problem(x, unit_magnitude(w)), count).levels]


def levels(
    values: npt.ArrayLike,
    count: int,
    *,
    weights: npt.ArrayLike | None = None,
    method: Method = "exact",
    bins: int = 8192,
) -> Levels:
    """Place levels for stochastic quantisation of values.

    A value x between neighbouring levels l and u is rounded to one of them at random, so that its mean is x.

    Parameters
    ----------
    values : npt.ArrayLike of shape (N,)
        Finite integers, float32 or float64 numbers in any order. Their range must be 0 or in 1e-140..1e140.
    count : int
        Number of levels, at least 2. The result has fewer if there are fewer distinct values, or if more do not help.
    weights : npt.ArrayLike of shape (N,), optional
        Non-negative weights, by default all 1. Values with the weight 0 are ignored.
    method : {"exact", "histogram", "greedy", "uniform"}
        ``"exact"``: minimal variance. Takes O(count N) time and memory at worst, and a few passes in practice, plus sorting if
        the values are not sorted: 4,096 levels of 10^5 values take seconds. Of several optimal sets, the one with the lowest
        levels. The result does not depend on the values' order.

        ``"histogram"``: near-optimal, with two passes and no sorting; see ``bins``.

        ``"greedy"``: ZipML's merging in O(N log N); at most twice the variance of a quarter as many optimal levels.

        ``"uniform"``: evenly spaced levels.
    bins : int
        For ``"histogram"``: number of equal bins, at least count - 1. Levels are placed at their edges. The variance exceeds
        the minimum by at most 1/2 * bin width * range * weight of the heaviest bin. The result's ``least`` is a tighter bound.

    Returns
    -------
    Levels
        The levels, their variance, and a lower bound. The bound is the variance itself for ``"exact"``, and 0 for
        ``"uniform"``.

    Raises
    ------
    ValueError
        Values, weights, count, method or bins are not as described.
    MemoryError
        So many levels take more than half of the available memory. This is said before the memory is taken.
    """
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, not {method!r}")
    if (count := operator.index(count)) < 2:
        raise ValueError(f"count must be at least 2, not {count}")
    if method == "histogram" and bins < count - 1:
        raise ValueError(f"bins must be at least count - 1 = {count - 1}, not {bins}")
    x, w = checked(values, weights)
    weight = float(w.sum()) if w.size else float(x.size)
    low, high = float(x.min()), float(x.max())
    if low == high:
        return Levels(np.array([low]), 0.0, 0.0, 0.0, count)
    check_range(low, high)
    if count >= x.size and method != "uniform":
        return Levels(np.unique(x), 0.0, 0.0, 0.0, count)
    if method == "histogram":
        found, total, least = near_optimal(x, w, count, bins)
        return Levels(found, total, total / weight, least, count)
    if method == "uniform":
        found = np.linspace(low, high, count)
        total = total_variance(x, w, found)
        return Levels(found, total, total / weight, 0.0, count)
    x, w, distinct = in_order(x, w)
    if distinct <= count:
        return Levels(np.unique(x), 0.0, 0.0, 0.0, count)
    found = _exact(x, w, count) if method == "exact" else merge_greedily(*distinct_values(x, w), count)
    total = total_variance(x, w, found)
    if method == "exact":
        return Levels(found, total, total / weight, total, count)
    return Levels(found, total, total / weight, total / 2, guaranteed_count(count))


def variance(values: npt.ArrayLike, levels: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float:
    """Variance of stochastic quantisation to given levels.

    Parameters
    ----------
    values : npt.ArrayLike of shape (N,)
        Values as for :func:`levels`, within the range of the levels.
    levels : npt.ArrayLike of shape (levels,)
        Finite levels in any order.
    weights : npt.ArrayLike of shape (N,), optional
        Weights as for :func:`levels`.

    Returns
    -------
    float
        Sum of w (u - x)(x - l) over the values x between neighbouring levels l and u.

    Raises
    ------
    ValueError
        Values, weights or levels are not as described.
    """
    x, w = checked(values, weights)
    places = np.unique(vector("levels", levels))
    check_finite("levels", places)
    if x.min() < places[0] or x.max() > places[-1]:
        raise ValueError(
            f"values must be within the levels, {places[0]:g}..{places[-1]:g}, not in {x.min():g}..{x.max():g}"
        )
    return total_variance(x, w, places) if places.size > 1 else 0.0
