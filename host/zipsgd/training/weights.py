"""Weights of rows as how often they are trained on: every step of the device counts its samples alike."""

import numpy as np
import numpy.typing as npt

__all__ = ["copies", "draw"]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

_MOST_COPIES = 4
"""Mean of weights that are taken for counts: beyond, they would only make epochs long."""


def copies(index: _Index, weights: _Float) -> tuple[_Index, _Float | None]:
    """Rows to train on, of ``index`` by the ``weights`` of these, and in proportion to what; None for all alike.

    A row of weight 0 is left out. Whole weights are copies of a row. Any others are scaled to a mean of 1, for :func:`draw`.

    Raises ValueError where no weight is above 0.
    """
    kept = weights > 0
    if not kept.any():
        raise ValueError("Sample weights must contain at least one non-zero number: every row has weight 0")
    index, weights = index[kept], weights[kept]
    shares = weights / weights.max()  # whose sum is finite
    mean = float(shares.mean())
    if np.array_equal(weights, np.floor(weights)) and mean * weights.max() <= _MOST_COPIES:
        return np.repeat(index, weights.astype(np.int64)), None
    return index, shares / mean


def draw(shares: _Float, seed: int, epoch: int) -> _Index:
    """An epoch's order: row numbers, each as often as its share says, a fraction by chance.

    Systematic sampling: equally spaced points on the line on which rows lie end to end, as long as their shares.
    """
    rng = np.random.default_rng((seed, epoch))
    ends = np.floor(np.cumsum(shares) + rng.random()).astype(np.int64)
    return rng.permutation(np.repeat(np.arange(shares.size), np.diff(ends, prepend=0)))
