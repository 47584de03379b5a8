"""The variance of stochastic quantisation to given levels."""

from zipsgd.compiled import compiled

from .double_double import two_sum
from .problem import Floats

__all__ = ["total_variance"]


@compiled
def total_variance(x: Floats, weights: Floats, levels: Floats) -> float:
    """Sum of w (u - x)(x - l) over the values x between neighbouring levels l and u.

    Takes O(log levels) time per value, and O(1) for sorted values.

    Parameters
    ----------
    x : npt.NDArray[np.float64] of shape (N,)
        Values within the range of the levels.
    weights : npt.NDArray[np.float64] of shape (N,) or (0,)
        Weights; empty if all are 1.
    levels : npt.NDArray[np.float64] of shape (levels,)
        At least two levels in increasing order.

    Returns
    -------
    float
        The sum.
    """
    total, rest = 0.0, 0.0
    interval = 0
    for i in range(x.size):
        value = x[i]
        if not levels[interval] <= value <= levels[interval + 1]:
            low, high = 0, levels.size - 2
            while low < high:  # search the last level that is not above the value
                middle = (low + high + 1) // 2
                if levels[middle] <= value:
                    low = middle
                else:
                    high = middle - 1
            interval = low
        term = (levels[interval + 1] - value) * (value - levels[interval])
        if weights.size:
            term *= weights[i]
        total, error = two_sum(total, term)
        rest += error
    return total + rest
