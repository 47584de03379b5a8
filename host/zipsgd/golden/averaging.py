"""The mean of the models of several shards, and momentum between rounds (``docs/shards.md``).

Words are summed as integers, and the sum is divided by the number of shards and rounded at random: up with the fraction as its
probability. So the mean of the rounded words is the mean of the words. The random numbers are a hash of the seed, the round and
the feature. So the result depends on the models alone, and not on who computed them, nor in which order they came. All heads
share the random numbers, as on a device, so that it makes no difference how many heads a build trains at once.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .quantise import row_keys, uniform16

__all__ = ["Ahead", "average_words", "go_ahead", "shard_seed"]

_Int = npt.NDArray[np.int64]

_OF_MEANS, _OF_SEEDS, _OF_MOMENTUM = 0xFFFF_FFFF, 0xFFFF_FFFE, 0xFFFF_FFFD
"""Numbers of pairs of draws that no up bits have, so that the draws here are other ones."""
_HALF = 17
"""Bits of the lower half of a difference of two words of up to 32 bits."""


def _divided(words: _Int, divisor: int, seed: int, number: int, pair: int) -> _Int:
    """Divide words of shape (heads, features) by a number, and round at random, exactly to 2^-32."""
    whole, rest = np.divmod(words, divisor)
    low, high = uniform16(row_keys(seed, number, [0], pair=pair), words.shape[1])
    draws = (low | high << np.uint32(16)).astype(np.int64)
    rounded: _Int = whole + (draws * divisor >> 32 < rest)
    return rounded


def average_words(words: _Int, seed: int, number: int) -> _Int:
    """The mean of models, stochastically rounded.

    Parameters
    ----------
    words : npt.NDArray[np.int64] of shape (shards, heads, features)
        The models' words; at most 2^16 shards.
    seed : int
        Seed of the run, 64 bits.
    number : int
        Number of the round, counted from 0.

    Returns
    -------
    npt.NDArray[np.int64] of shape (heads, features)
        The mean; a probability of rounding up is exact to 2^-32.
    """
    return _divided(words.sum(axis=0), len(words), seed, number, _OF_MEANS)


class Ahead(NamedTuple):
    """The models that a round begins from.

    Parameters
    ----------
    words : npt.NDArray[np.int64] of shape (heads, features)
        Their words.
    saturated : bool
        Whether a word was out of range and is at its end.
    """

    words: _Int
    saturated: bool


def go_ahead(start: _Int, before: _Int, mean: _Int, shards: int, seed: int, number: int, bits: int) -> Ahead:
    """The models that the next round begins from: ahead of the mean in the direction in which it moves.

    A round of S shards makes S times fewer steps than a run without shards does. So the next one begins at

        mean + (1 - 1/S) (mean - before),

    which is the accelerated gradient of Nesterov (1983), where a round takes the place of a gradient step, with the momentum of
    Chen and Huo (ICASSP 2016). Where the mean moves evenly, it moves S times as far in the long run. Where it has
    arrived, nothing changes. A head whose mean turned back, so that it went ahead too far, begins from the mean itself
    (O'Donoghue and Candes, 2015).

    Parameters
    ----------
    start : npt.NDArray[np.int64] of shape (heads, features)
        The models that the round began from.
    before : npt.NDArray[np.int64] of shape (heads, features)
        The mean before the round.
    mean : npt.NDArray[np.int64] of shape (heads, features)
        The mean after it.
    shards : int
        Number of shards, at most 2^16. With one, the next round begins from the mean.
    seed : int
        Seed of the run, 64 bits.
    number : int
        Number of the round, counted from 0.
    bits : int
        Width of a word, at most 32.

    Returns
    -------
    Ahead
        The models for the next round, stochastically rounded like the mean.
    """
    moved = mean - before
    further = _divided((shards - 1) * moved, shards, seed, number, _OF_MOMENTUM)
    for head, (back, way) in enumerate(zip(start - mean, moved, strict=True)):
        if _dot(back, way) > 0:
            further[head] = 0
    limit = 1 << (bits - 1)
    wanted = mean + further
    words = np.clip(wanted, -limit, limit - 1)
    return Ahead(words, not np.array_equal(words, wanted))


def _dot(first: _Int, second: _Int) -> int:
    """The exact scalar product of differences of words: of their halves, whose sums fit into 64 bits."""
    (high, low), (other_high, other_low) = (np.divmod(each, 1 << _HALF) for each in (first, second))
    middle = int(high @ other_low) + int(low @ other_high)
    return (int(high @ other_high) << 2 * _HALF) + (middle << _HALF) + int(low @ other_low)


def shard_seed(seed: int, shards: int, shard: int) -> int:
    """The seed of a shard: that of its order, its up bits and its device.

    Parameters
    ----------
    seed : int
        Seed of the run, 64 bits.
    shards : int
        Number of shards.
    shard : int
        Number of the shard, counted from 0.

    Returns
    -------
    int
        64 bits; the run's own seed if there is one shard.
    """
    if shards == 1:
        return seed
    low, high = row_keys(seed, shards, [2 * shard, 2 * shard + 1], pair=_OF_SEEDS).tolist()
    return int(high) << 32 | int(low)
