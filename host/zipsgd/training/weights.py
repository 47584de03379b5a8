"""Sample weights: how often a row is trained on, because the device gives all samples of a mini-batch the same weight."""

import numpy as np
import numpy.typing as npt

__all__ = ["copies", "draw"]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

_MOST_COPIES = 4
"""Largest mean of whole weights that become copies of rows. With a larger mean, epochs would become too long."""


def copies(index: _Index, weights: _Float) -> tuple[_Index, _Float | None]:
    """Turn weights into copies of rows where they are whole numbers, and into shares otherwise.

    Parameters
    ----------
    index : npt.NDArray[np.int64] of shape (rows,)
        Row numbers.
    weights : npt.NDArray[np.float64] of shape (rows,)
        Weights of these rows, 0 or positive. A row of weight 0 is left out.

    Returns
    -------
    npt.NDArray[np.int64] of shape (kept rows,)
        Row numbers to train on. Whole weights repeat a row as often as its weight says.
    npt.NDArray[np.float64] of shape (kept rows,) or None
        Weights scaled to a mean of 1, for :func:`draw`; None if each returned row is trained on once per epoch.

    Raises
    ------
    ValueError
        All weights are 0.
    """
    kept = weights > 0
    if not kept.any():
        raise ValueError("Sample weights must contain at least one non-zero number: every row has weight 0")
    index, weights = index[kept], weights[kept]
    shares = weights / weights.max()  # their sum is finite, however large the weights are
    mean = float(shares.mean())
    if np.array_equal(weights, np.floor(weights)) and mean * weights.max() <= _MOST_COPIES:
        return np.repeat(index, weights.astype(np.int64)), None
    return index, shares / mean


def draw(shares: _Float, seed: int, epoch: int) -> _Index:
    """The order of an epoch in which rows are drawn in proportion to their shares.

    This is systematic sampling: the rows lie end to end on a line, each as long as its share, and equally spaced points on the
    line choose the rows. So a row with a share of 2.5 comes two or three times.

    Parameters
    ----------
    shares : npt.NDArray[np.float64] of shape (rows,)
        Mean number of times that each row comes in an epoch.
    seed : int
        Seed of the run.
    epoch : int
        The epoch, counted from 0.

    Returns
    -------
    npt.NDArray[np.int64] of shape (samples,)
        Row numbers in the order of training.
    """
    rng = np.random.default_rng((seed, epoch))
    ends = np.floor(np.cumsum(shares) + rng.random()).astype(np.int64)
    return rng.permutation(np.repeat(np.arange(shares.size), np.diff(ends, prepend=0)))
