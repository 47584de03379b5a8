"""Brackets for many levels among many points, from cheapest paths of any number of levels.

The layers of the dynamic programme for k levels of N points have k N entries. But by the quadrangle inequality, the least cost
F(k) is convex in k. So the optimal levels also minimise cost + penalty * k over sets of any size, for a penalty between
F(k - 1) - F(k) and F(k) - F(k + 1). Such a set is a cheapest path in one layer: it takes O(N log N) time and O(N) memory. The
penalty is found by bisection (Aggarwal, Schieber, Tokuyama, *Finding a minimum-weight k-link path in graphs with the concave
Monge property*, Discrete & Computational Geometry 12, 1994).

If several sizes cost the same, a penalty jumps over k. This does no harm: optimal sets of sizes s <= k <= K interleave. The
j-th of k levels lies between the j-th and the (j + K - k)-th of K, and between the (j - k + s)-th and the j-th of s. (Otherwise
the levels could be exchanged where two sets cross, at no cost.) The bisection ends as soon as these brackets are narrow. Of
equally cheap paths the lowest is taken, so that the brackets contain the lowest optimal set.
"""

import math

import numpy as np

from zipsgd.compiled import compiled

from .double_double import fast_two_sum, less, two_sum
from .problem import Floats, Indices, Problem, cost, position, sums_at

__all__ = ["link_brackets"]

_STEPS = 200
"""Most halvings. The logarithm of the penalty is halved first, then the penalty."""
_WIDTH = 8
"""Points of all brackets over the number of points of the problem, at which the brackets are narrow enough."""


@compiled
def _places(problem: Problem) -> Floats:
    """Position and prefix sums of each point, shape (N, 5)."""
    places = np.empty((problem.x.size, 5))
    for i in range(problem.x.size):
        places[i, 0] = position(problem, i)
        places[i, 1], places[i, 2], places[i, 3], places[i, 4] = sums_at(problem, i)
    return places


@compiled
def _value(places: Floats, costs: Floats, a: int, c: int) -> tuple[float, float]:
    """The cost of the cheapest path to point ``a``, plus that of the interval from it to point ``c``."""
    high, low = cost(
        places[a, 0],
        (places[a, 1], places[a, 2], places[a, 3], places[a, 4]),
        places[c, 0],
        (places[c, 1], places[c, 2], places[c, 3], places[c, 4]),
    )
    total, error = two_sum(high, costs[a, 0])
    return fast_two_sum(total, error + (low + costs[a, 1]))


@compiled
def _better(places: Floats, costs: Floats, a: int, b: int, c: int) -> bool:
    """Whether the path to point ``c`` is cheaper through ``b`` than through ``a``. If so, it is for all points behind ``c``."""
    through_b = _value(places, costs, b, c)
    through_a = _value(places, costs, a, c)
    return less(through_b[0], through_b[1], through_a[0], through_a[1])


@compiled
def _cheapest_path(places: Floats, penalty: float) -> Indices:
    """The cheapest path from the first point to the last, if each interval costs ``penalty`` more; the lowest of several."""
    size = places.shape[0]
    costs, before = np.zeros((size, 2)), np.zeros(size, dtype=np.int64)
    # Points that are the best ones before some point to come, and the first point for which each is
    queue, since = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    head, tail = 0, 1
    since[0] = 1
    for c in range(1, size):
        while head + 1 < tail and since[head + 1] <= c:
            head += 1
        before[c] = queue[head]
        high, low = _value(places, costs, before[c], c)
        high, error = two_sum(high, penalty)
        costs[c, 0], costs[c, 1] = fast_two_sum(high, error + low)
        while tail > head + 1 and _better(places, costs, queue[tail - 1], c, since[tail - 1]):
            tail -= 1
        first, last = max(since[tail - 1], c) + 1, size
        while first < last:
            middle = (first + last) // 2
            if _better(places, costs, queue[tail - 1], c, middle):
                last = middle
            else:
                first = middle + 1
        if first < size:
            queue[tail], since[tail] = c, first
            tail += 1
    count, c = 1, size - 1
    while c:
        count, c = count + 1, before[c]
    path = np.empty(count, dtype=np.int64)
    c = size - 1
    for j in range(count - 1, -1, -1):
        path[j] = c
        c = before[c]
    return path


def link_brackets(problem: Problem, count: int, low: Indices, high: Indices) -> None:
    """Narrow brackets in place.

    Parameters
    ----------
    problem : Problem
        Points with their mass; at least ``count`` are distinct.
    count : int
        Number of levels.
    low, high : npt.NDArray[np.int64] of shape (count,)
        First and last possible point of each level.
    """
    places = _places(problem)
    levels = np.arange(count)
    most = float(cost(places[0, 0], tuple(places[0, 1:]), places[-1, 0], tuple(places[-1, 1:]))[0])
    # The cost lacks a constant, so that it may be negative; mass times range squared, 4, is more than any penalty that matters
    over = max(abs(most), 4.0 * float(places[-1, 1]))
    under = over * 2.0**-160
    for step in range(_STEPS):
        if int(np.sum(high - low)) <= _WIDTH * problem.x.size:
            break
        penalty = math.sqrt(over) * math.sqrt(under) if step < _STEPS // 2 else (over + under) / 2
        if not under < penalty < over:
            break
        path = _cheapest_path(places, penalty)
        more = path.size - count
        if more >= 0:
            under = penalty
            np.maximum(low, path[levels], out=low)
            np.minimum(high, path[levels + more], out=high)
        else:
            over = penalty
            np.maximum(low, path[np.maximum(levels + more, 0)], out=low)
            np.minimum(high, path[np.minimum(levels, path.size - 1)], out=high)
        if not more:
            break
