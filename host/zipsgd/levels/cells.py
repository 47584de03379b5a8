"""The cost of an interval between two levels, or between two thresholds of nearest rounding, and that of a whole set.

For nearest rounding, a set of k levels is given by the thresholds between them: each level is the mean of the values of its
*cell*, those between two neighbouring thresholds, and costs the sum of their squared distances from it,

    C(a, c) = sum w (x - mean)^2 = dP2 - dP1^2 / dP0,

where P0, P1 and P2 are the prefix sums of w, w x and w x^2. As with the variance (:mod:`.problem`), the first terms of all
cells have the same sum, and P2 is never needed. C satisfies the quadrangle inequality, too (Wu, *Optimal quantization by matrix
searching*, Journal of Algorithms 12, 1991). Hence both problems are cheapest paths over the same kind of grid.

A threshold is the index of the last point before it. One more point in front of the smallest value stands for the threshold
before all values; its own mass belongs to no cell.
"""

from zipsgd.compiled import compiled

from .double_double import fast_two_sum, quotient, two_product, two_sum
from .problem import Indices, Problem, Sums, cost, position, sums_at

__all__ = ["cell_mean", "interval_cost", "path_cost"]

_NO_MASS = 2.0**-70
"""Mass of a cell, relative to the mass before its end, below which its sums are lost in rounding errors."""


@compiled
def _cell_sums(sums_a: Sums, sums_c: Sums) -> Sums:
    """dP0 and dP1 of the points after ``a`` up to ``c``. Both are 0 for a cell without mass."""
    mass, error = two_sum(sums_c[0], -sums_a[0])
    mass, mass_low = fast_two_sum(mass, error + (sums_c[1] - sums_a[1]))
    if mass <= _NO_MASS * sums_c[0]:
        return 0.0, 0.0, 0.0, 0.0
    moment, error = two_sum(sums_c[2], -sums_a[2])
    moment, moment_low = two_sum(moment, error + (sums_c[3] - sums_a[3]))
    return mass, mass_low, moment, moment_low


@compiled
def cell_mean(sums_a: Sums, sums_c: Sums) -> tuple[float, float]:
    """The mean position of the points between two thresholds, and their mass.

    Parameters
    ----------
    sums_a, sums_c : tuple[float, float, float, float]
        Prefix sums at the lower and at the upper threshold.

    Returns
    -------
    mean : float
        The mean; 0 for a cell without mass.
    mass : float
        The mass; 0 if it is lost in rounding errors.
    """
    mass, mass_low, moment, moment_low = _cell_sums(sums_a, sums_c)
    if mass == 0.0:
        return 0.0, 0.0
    return quotient(moment, moment_low, mass, mass_low)[0], mass


@compiled
def _cell_cost(sums_a: Sums, sums_c: Sums) -> tuple[float, float]:
    """C(a, c) - dP2 of a cell, as high and low part. An empty cell costs nothing."""
    mass, mass_low, moment, moment_low = _cell_sums(sums_a, sums_c)
    if mass == 0.0:
        return 0.0, 0.0
    square, square_low = two_product(moment, moment)
    high, low = quotient(square, square_low + 2.0 * moment * moment_low, mass, mass_low)
    return -high, -low


@compiled
def interval_cost(nearest: bool, a: float, sums_a: Sums, c: float, sums_c: Sums) -> tuple[float, float]:
    """The cost of an interval, without the terms whose sum is the same for all sets.

    Parameters
    ----------
    nearest : bool
        Whether the ends are thresholds of nearest rounding. Otherwise they are levels of stochastic rounding.
    a : float
        Position of the lower end.
    sums_a : tuple[float, float, float, float]
        Prefix sums at the lower end.
    c : float
        Position of the upper end.
    sums_c : tuple[float, float, float, float]
        Prefix sums at the upper end.

    Returns
    -------
    tuple[float, float]
        High and low part.
    """
    if nearest:
        return _cell_cost(sums_a, sums_c)
    return cost(a, sums_a, c, sums_c)


@compiled
def path_cost(nearest: bool, problem: Problem, ends: Indices) -> tuple[float, float]:
    """The cost of all intervals of a set.

    Parameters
    ----------
    nearest : bool
        Whether the ends are thresholds of nearest rounding. Otherwise they are levels of stochastic rounding.
    problem : Problem
        The points.
    ends : npt.NDArray[np.int64] of shape (count,)
        Ends of intervals as indices of points, in ascending order.

    Returns
    -------
    tuple[float, float]
        High and low part.
    """
    high, low = 0.0, 0.0
    for j in range(ends.size - 1):
        a, c = ends[j], ends[j + 1]
        more, more_low = interval_cost(
            nearest, position(problem, a), sums_at(problem, a), position(problem, c), sums_at(problem, c)
        )
        high, error = two_sum(high, more)
        high, low = fast_two_sum(high, low + (error + more_low))
    return high, low
