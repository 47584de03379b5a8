"""What the public functions have in common: they check values and weights, and sort them."""

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .problem import Floats

__all__ = ["check_finite", "check_range", "checked", "in_order", "is_ascending", "unit_magnitude", "vector"]

_NONE = np.empty(0)
_BLOCK = 4096
_RANGE = 1e140
"""Largest range of values, and its inverse the smallest: sums of squares must not overflow or underflow."""


@compiled
def _inspect(x: Floats) -> tuple[bool, int]:
    """Whether ``x`` is sorted and contains no NaN, and if so the number of its distinct values."""
    distinct = 1
    for begin in range(1, x.size, _BLOCK):
        ascending = True
        for i in range(begin, min(begin + _BLOCK, x.size)):
            ascending &= x[i - 1] <= x[i]
            distinct += x[i - 1] != x[i]
        if not ascending:
            return False, 0
    return True, distinct


def vector(name: str, values: npt.ArrayLike) -> Floats:
    """Numbers as a vector of float64.

    Parameters
    ----------
    name : str
        What messages call them.
    values : npt.ArrayLike of shape (N,)
        Integers or floats.

    Returns
    -------
    npt.NDArray[np.float64] of shape (N,)
        The vector.

    Raises
    ------
    ValueError
        They are not a vector of real numbers, or there are none.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be real numbers, not {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must be a vector, not of shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty")
    return np.ascontiguousarray(array, dtype=np.float64)


def check_finite(name: str, array: Floats) -> None:
    """Check that a vector contains neither NaN nor infinity.

    Parameters
    ----------
    name : str
        What messages call it.
    array : npt.NDArray[np.float64] of shape (N,)
        The vector.

    Raises
    ------
    ValueError
        It does.
    """
    extremes = array.min(), array.max()  # NaN if there is one
    if np.any(np.isnan(extremes)):
        raise ValueError(f"{name} must not contain NaN")
    if np.any(np.isinf(extremes)):
        raise ValueError(f"{name} must be finite, not infinite")


def check_range(low: float, high: float) -> None:
    """Check that the values' range is not too large or small for sums of squares.

    Parameters
    ----------
    low, high : float
        Smallest and largest value, not equal.

    Raises
    ------
    ValueError
        It is.
    """
    if not 1 / _RANGE <= high - low <= _RANGE:
        raise ValueError(f"values must have a range in {1 / _RANGE:g}..{_RANGE:g}, not {high - low:g}")


def checked(values: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Values with a positive weight, and their weights.

    Parameters
    ----------
    values : npt.ArrayLike of shape (N,)
        Finite numbers.
    weights : npt.ArrayLike of shape (N,) or None
        Non-negative weights; None if all are 1.

    Returns
    -------
    values : npt.NDArray[np.float64] of shape (M,)
        The values.
    weights : npt.NDArray[np.float64] of shape (M,) or (0,)
        Their weights; empty if all are 1.

    Raises
    ------
    ValueError
        Values or weights are not as described.
    """
    x = vector("values", values)
    check_finite("values", x)
    if weights is None:
        return x, _NONE
    w = vector("weights", weights)
    if w.size != x.size:
        raise ValueError(f"there must be one weight for each of the {x.size} values, not {w.size}")
    check_finite("weights", w)
    if w.min() < 0:
        raise ValueError(f"weights must not be negative, but one is {w.min():g}")
    with np.errstate(over="ignore"):
        total = w.sum()
    if not 0 < total < np.inf:
        raise ValueError(f"weights must have a positive and finite sum, not {total:g}")
    if w.min() == 0:
        x, w = x[w > 0], w[w > 0]
    return x, w


def is_ascending(x: Floats) -> bool:
    """Whether values are sorted. Takes one pass at most, and mostly a look at the first of them.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Finite values.

    Returns
    -------
    bool
        Whether they are.
    """
    return bool(_inspect(x)[0])


def in_order(x: Floats, weights: Floats) -> tuple[Floats, Floats, int]:
    """Sort values, and weights with them. Takes one pass if they are sorted.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Finite values.
    weights : npt.NDArray[np.float64] of shape (N,) or (0,)
        Weights; empty if all are 1.

    Returns
    -------
    x : npt.NDArray[np.float64] of shape (N,)
        The values in ascending order.
    weights : npt.NDArray[np.float64] of shape (N,) or (0,)
        Their weights.
    distinct : int
        Number of distinct values.
    """
    ascending, distinct = _inspect(x)
    if not ascending:
        if weights.size:
            order = np.argsort(x, kind="stable")
            x, weights = x[order], weights[order]
        else:
            x = np.sort(x)
        distinct = _inspect(x)[1]
    return x, weights, distinct


def unit_magnitude(weights: Floats) -> Floats | None:
    """Weights divided by a power of two, so that the solvers' sums stay within range.

    Parameters
    ----------
    weights : npt.NDArray[np.float64] of shape (N,) or (0,)
        Positive weights; empty if all are 1.

    Returns
    -------
    npt.NDArray[np.float64] of shape (N,), or None
        The weights, of which the largest is in [0.5, 1); None if all are 1.
    """
    return np.ldexp(weights, -int(np.frexp(weights.max())[1])) if weights.size else None
