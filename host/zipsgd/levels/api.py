"""The public functions: they check the arguments, select the method, and return the results in one form."""

import operator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .greedy import guaranteed_count, merge_greedily
from .histogram import near_optimal
from .problem import Floats, make_problem
from .solver import solve
from .variance import total_variance

__all__ = ["Levels", "Method", "levels", "variance"]

Method = Literal["exact", "histogram", "greedy", "uniform"]

_NONE = np.empty(0)
_BLOCK = 4096
_RANGE = 1e140
"""Largest range of values, and its inverse the smallest: sums of squares must not overflow or underflow."""


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


@compiled
def _inspect(x: Floats) -> tuple[bool, int]:
    """Whether ``x`` is sorted and contains no NaN, and if so the number of its distinct values."""
    distinct = 1
    for begin in range(1, x.size, _BLOCK):
        in_order = True
        for i in range(begin, min(begin + _BLOCK, x.size)):
            in_order &= x[i - 1] <= x[i]
            distinct += x[i - 1] != x[i]
        if not in_order:
            return False, 0
    return True, distinct


def _vector(name: str, values: npt.ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be real numbers, not {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must be a vector, not of shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty")
    return np.ascontiguousarray(array, dtype=np.float64)


def _check_finite(name: str, array: Floats) -> None:
    extremes = array.min(), array.max()  # NaN if there is one
    if np.any(np.isnan(extremes)):
        raise ValueError(f"{name} must not contain NaN")
    if np.any(np.isinf(extremes)):
        raise ValueError(f"{name} must be finite, not infinite")


def _checked(values: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Values with a positive weight, and their weights (empty if there are none)."""
    x = _vector("values", values)
    _check_finite("values", x)
    if weights is None:
        return x, _NONE
    w = _vector("weights", weights)
    if w.size != x.size:
        raise ValueError(f"there must be one weight for each of the {x.size} values, not {w.size}")
    _check_finite("weights", w)
    if w.min() < 0:
        raise ValueError(f"weights must not be negative, but one is {w.min():g}")
    with np.errstate(over="ignore"):
        total = w.sum()
    if not 0 < total < np.inf:
        raise ValueError(f"weights must have a positive and finite sum, not {total:g}")
    if w.min() == 0:
        x, w = x[w > 0], w[w > 0]
    return x, w


def _sorted(x: Floats, weights: Floats) -> tuple[Floats, Floats, int]:
    """Values and weights sorted by value, and the number of distinct values."""
    in_order, distinct = _inspect(x)
    if not in_order:
        if weights.size:
            order = np.argsort(x, kind="stable")
            x, weights = x[order], weights[order]
        else:
            x = np.sort(x)
        distinct = _inspect(x)[1]
    return x, weights, distinct


def _exact(x: Floats, w: Floats, count: int) -> Floats:
    # Scaling the weights to magnitude 1 by a power of two keeps the solver's sums within range
    mass = np.ldexp(w, -int(np.frexp(w.max())[1])) if w.size else None
    return x[solve(make_problem(x, mass), count).levels]


def _greedy(x: Floats, w: Floats, count: int) -> Floats:
    start = np.flatnonzero(np.diff(x, prepend=-np.inf))
    mass = np.add.reduceat(w, start) if w.size else np.diff(start, append=x.size).astype(np.float64)
    return merge_greedily(x[start], mass, count)


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
    x, w = _checked(values, weights)
    weight = float(w.sum()) if w.size else float(x.size)
    low, high = float(x.min()), float(x.max())
    if low == high:
        return Levels(np.array([low]), 0.0, 0.0, 0.0, count)
    if not 1 / _RANGE <= high - low <= _RANGE:
        raise ValueError(f"values must have a range in {1 / _RANGE:g}..{_RANGE:g}, not {high - low:g}")
    if count >= x.size and method != "uniform":
        return Levels(np.unique(x), 0.0, 0.0, 0.0, count)
    if method == "histogram":
        found, total, least = near_optimal(x, w, count, bins)
        return Levels(found, total, total / weight, least, count)
    if method == "uniform":
        found = np.linspace(low, high, count)
        total = total_variance(x, w, found)
        return Levels(found, total, total / weight, 0.0, count)
    x, w, distinct = _sorted(x, w)
    if distinct <= count:
        return Levels(np.unique(x), 0.0, 0.0, 0.0, count)
    found = _exact(x, w, count) if method == "exact" else _greedy(x, w, count)
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
    x, w = _checked(values, weights)
    places = np.unique(_vector("levels", levels))
    _check_finite("levels", places)
    if x.min() < places[0] or x.max() > places[-1]:
        raise ValueError(
            f"values must be within the levels, {places[0]:g}..{places[-1]:g}, not in {x.min():g}..{x.max():g}"
        )
    return total_variance(x, w, places) if places.size > 1 else 0.0
