"""Wide gaps between the values, whose lengths a grid can ignore.

A gap of length L between points i and i + 1 may be much longer than the rest of the range, as between a sentinel of -99999 and
values near 0. Such a gap spoils the bonus of the rounding lemma (:mod:`.solver`), which counts distances between levels. But an
interval that crosses the gap from a level a contains the points between a and the gap. Their variance is at least L times the
sum of w (x - a). Only for a few points a, this is at most the variance of a known solution. From all others, no optimal
interval crosses the gap.

If the grid includes all of these few points, the levels next to the gap are at grid points, and are not rounded. All other
levels have both neighbours on the same side of the gap. So the bonus holds without the length of the gap, that is, in *folded*
positions.
"""

from typing import NamedTuple

import numpy as np

from zipsgd.compiled import compiled

from .problem import Floats, Indices, Problem, position
from .variance import total_variance

__all__ = ["Gaps", "find_gaps", "folded"]

_WIDE = 16
"""A gap is wide if it is longer than this multiple of the range outside wide gaps."""

_MOST = 64
_STRIDE = 64


class Gaps(NamedTuple):
    """Wide gaps in ascending order.

    Parameters
    ----------
    before : npt.NDArray[np.int64] of shape (gaps,)
        The point before each gap.
    first, last : npt.NDArray[np.int64] of shape (gaps,)
        First and last of the points around each gap that the grid must include.
    lengths : npt.NDArray[np.float64] of shape (gaps,)
        Cumulative sum of the scaled lengths.
    """

    before: Indices
    first: Indices
    last: Indices
    lengths: Floats


@compiled
def folded(problem: Problem, gaps: Gaps, i: int) -> float:
    """The folded position of a point: its scaled position minus the lengths of the wide gaps before it.

    Parameters
    ----------
    problem : Problem
        The points.
    gaps : Gaps
        The wide gaps.
    i : int
        Index of the point.

    Returns
    -------
    float
        The folded position.
    """
    passed = 0
    while passed < gaps.before.size and gaps.before[passed] < i:
        passed += 1
    return position(problem, i) - (gaps.lengths[passed - 1] if passed else 0.0)


@compiled
def _collect(x: Floats, least: float, found: Indices) -> int:
    """Write the first points i with x[i + 1] - x[i] > ``least`` to ``found``, and return their number."""
    size = 0
    for begin in range(0, x.size - 1, _STRIDE):
        end = min(begin + _STRIDE, x.size - 1)
        if x[end] - x[begin] <= least:
            continue
        for i in range(begin, end):
            if x[i + 1] - x[i] > least and size < found.size:
                found[size] = i
                size += 1
    return size


@compiled
def _reach(problem: Problem, before: int, direction: int, known: float, most: int) -> int:
    """The last point on one side of a gap from which an interval across the gap may have a variance of ``known``.

    The side is the left one for ``direction`` -1, and the right one for 1. The result is -1 for more than ``most`` distinct
    points.
    """
    length = position(problem, before + 1) - position(problem, before)
    i = before if direction < 0 else before + 1
    mass, moment = 0.0, 0.0  # of the points between i and the gap; the moment is about i
    distinct = 1
    while 0 <= i + direction < problem.x.size:
        step = abs(position(problem, i + direction) - position(problem, i))
        mass += problem.mass[i] if problem.mass.size else 1.0
        moment += mass * step
        if length * moment > known:
            break
        i += direction
        if step:
            distinct += 1
            if distinct > most:
                return -1
    return i


def _guess(x: Floats, before: Indices, count: int) -> Floats | None:
    """The ends of the gaps, and the remaining levels evenly spread over the rest. None if there are too few levels."""
    ends = np.unique(np.concatenate([x[[0, -1]], x[before], x[before + 1]]))
    if ends.size > count:
        return None
    lengths = x[before + 1] - x[before]
    rest = (x[-1] - x[0]) - lengths.sum()
    even = x[0] + np.arange(1, count - ends.size + 1) / (count - ends.size + 1) * rest
    for i, length in zip(before, lengths):
        even[even > x[i]] += length
    return np.unique(np.concatenate([ends, np.clip(even, x[0], x[-1])]))


def find_gaps(problem: Problem, count: int, most: int) -> Gaps:
    """Find the wide gaps. Takes O(N / 64) time without any, and O(N) otherwise.

    Parameters
    ----------
    problem : Problem
        The points.
    count : int
        Number of levels.
    most : int
        Maximum number of points around a gap, on each side, that the grid may be forced to include.

    Returns
    -------
    Gaps
        The gaps that meet this limit.
    """
    x = problem.x
    none = np.empty(0, dtype=np.int64)
    nothing = Gaps(none, none, none, np.empty(0))
    least = (position(problem, x.size - 1) - position(problem, 0)) / (8 * _MOST) / problem.scale
    found = np.empty(_MOST + 1, dtype=np.int64)
    found = found[: _collect(x, least, found)]
    if not 0 < found.size <= _MOST or problem.moment.size:
        return nothing
    lengths = (x[found + 1] - x[found]) * problem.scale
    order = np.argsort(-lengths, kind="stable")
    rest = (position(problem, x.size - 1) - position(problem, 0)) - np.cumsum(lengths[order])
    wide = np.flatnonzero(lengths[order] > _WIDE * rest)
    if wide.size == 0:
        return nothing
    before = np.sort(found[order[: wide[-1] + 1]])
    scaled = (x - problem.origin) * problem.scale
    levels = _guess(scaled, before, count)
    if levels is None:
        return nothing
    known = total_variance(scaled, problem.mass, levels) * (1 + 2.0**-40)
    first = np.array([_reach(problem, int(i), -1, known, most) for i in before])
    last = np.array([_reach(problem, int(i), 1, known, most) for i in before])
    few = (first >= 0) & (last >= 0)
    before, first, last = before[few], first[few], last[few]
    return Gaps(before, first, last, np.cumsum(scaled[before + 1] - scaled[before]))
