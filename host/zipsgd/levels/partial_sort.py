"""Values in ascending order only where an optimal threshold of nearest rounding may be: sorting them all takes longest.

Values are put into equal bins, bin after bin. Lloyd's step (:mod:`.thresholds`) on the sums of the bins, rounded outwards to
whole bins, gives brackets of some bins around each threshold. Only the values in these bins are sorted. The others are never
looked at one by one: the solver needs the sums of all values before a threshold, and these do not depend on their order.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .problem import Floats, Indices

__all__ = ["PartlySorted", "sort_near_thresholds"]

_BINS = 1 << 14
"""Most bins."""
_LEAST = 4
"""Values for each bin, at least."""
_SWEEPS = 400
_FEW = 4
"""Sorting pays if the brackets contain at most one in so many values."""
_EDGE = 2.0**-20
"""What rounding errors may move a value, in bins; far more than they do."""


class PartlySorted(NamedTuple):
    """Values that are sorted within brackets.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        The values. Those in brackets and the last one are in their places, and the others on the right side of each bracket.
    low, high : npt.NDArray[np.int64] of shape (count + 1,)
        The least and the largest number of values before each threshold.
    """

    x: Floats
    low: Indices
    high: Indices


@compiled
def _fill(
    x: Floats, low: float, per_unit: float, bins: npt.NDArray[np.uint16], counts: Indices, sums: Floats
) -> None:
    """Write the bin of each value, and add up number and place of the values of each bin. Places are in bins from ``low``."""
    last = counts.size - 1
    for i in range(x.size):
        place = (x[i] - low) * per_unit
        bin_ = min(int(place), last)
        bins[i] = bin_
        counts[bin_] += 1
        sums[bin_] += place


@compiled
def _scatter(x: Floats, bins: npt.NDArray[np.uint16], begins: Indices, into: Floats) -> None:
    """Put the values bin after bin. ``begins`` are moved."""
    for i in range(x.size):
        into[begins[bins[i]]] = x[i]
        begins[bins[i]] += 1


@compiled
def _mean(before: Floats, totals: Floats, rounding: float, a: int, c: int, direction: int) -> float:
    """A bound on the mean of a cell whose thresholds are at most, or at least, at the bin edges ``a`` <= ``c``."""
    mass: float = before[c] - before[a]
    if mass == 0.0:
        return float(c if direction > 0 else a)
    bound: float = (totals[c] - totals[a]) / mass + direction * rounding * totals[c] / mass
    return bound


@compiled
def _bound(before: Floats, totals: Floats, rounding: float, ends: Indices, direction: int) -> None:
    """Move upper (``direction`` 1) or lower (-1) ends of brackets inwards by Lloyd's step, in whole bins."""
    for _ in range(_SWEEPS):
        moved = False
        for j in range(1, ends.size - 1):
            left = _mean(before, totals, rounding, ends[j - 1], ends[j], direction)
            right = _mean(before, totals, rounding, ends[j], ends[j + 1], direction)
            middle = (left + right) / 2 + direction * _EDGE
            to = int(min(max(middle, 0.0), before.size - 1.0)) + (1 if direction > 0 else 0)
            if (ends[j] - to) * direction > 0:
                ends[j] = to
                moved = True
        if not moved:
            break


def _sort_bins(x: Floats, edges: Indices, low: Indices, high: Indices) -> bool:
    """Sort the values in the brackets, which are given in bins; whether that are few enough."""
    wanted = np.zeros(edges.size, dtype=np.int64)
    np.add.at(wanted, low, 1)
    np.add.at(wanted, high, -1)
    inside = np.cumsum(wanted)[:-1] > 0
    inside[np.flatnonzero(np.diff(edges))[-1]] = True  # the last point must be the largest
    if int(np.diff(edges)[inside].sum()) * _FEW > x.size:
        return False
    changes = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    for begin, end in changes.reshape(-1, 2):
        x[edges[begin] : edges[end]].sort()
    return True


def sort_near_thresholds(x: Floats, low: float, high: float, count: int) -> PartlySorted | None:
    """Sort values as far as it matters to optimal thresholds. Takes a few passes.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Values in any order, each of mass 1.
    low, high : float
        The smallest and the largest value.
    count : int
        Number of levels.

    Returns
    -------
    PartlySorted or None
        None where this does not pay: too many values are near thresholds, or few are distinct.
    """
    size = max(min(_BINS, x.size // _LEAST), 1)
    per_unit = size / (high - low)
    if not np.isfinite(per_unit):
        return None
    bins = np.empty(x.size, dtype=np.uint16)
    counts, sums = np.zeros(size, dtype=np.int64), np.zeros(size)
    _fill(x, low, per_unit, bins, counts, sums)
    if np.count_nonzero(counts) <= count:
        return None
    edges = np.concatenate([[0], np.cumsum(counts)])
    totals = np.concatenate([[0.0], np.cumsum(sums)])
    rounding = (float(counts.max()) + size) * 2.0**-51
    upper, lower = np.full(count + 1, size), np.zeros(count + 1, dtype=np.int64)
    upper[0], lower[-1] = 0, size
    before = edges.astype(np.float64)
    _bound(before, totals, rounding, upper, 1)
    _bound(before, totals, rounding, lower, -1)
    if int((edges[upper] - edges[lower]).sum()) * _FEW > 2 * x.size:
        return None
    ordered = np.empty_like(x)
    _scatter(x, bins, edges[:-1].copy(), ordered)
    if not _sort_bins(ordered, edges, lower, upper):
        return None
    return PartlySorted(ordered, edges[lower], edges[upper])
