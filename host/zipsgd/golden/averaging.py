"""The mean of the models of several shards (``docs/shards.md``).

Words are summed as integers, and the sum is divided by the number of shards and rounded at random: up with the fraction as its
probability. So the mean of the rounded words is the mean of the words. The random numbers are a hash of the seed, the round and
the place of the word. So the result depends on the models alone, and not on who computed them, nor in which order they came.
"""

import numpy as np
import numpy.typing as npt

from .quantise import row_keys, uniform16

__all__ = ["average_words", "shard_seed"]

_Int = npt.NDArray[np.int64]

_OF_MEANS, _OF_SEEDS = 0xFFFF_FFFF, 0xFFFF_FFFE
"""Numbers of pairs of draws that no up bits have, so that the draws here are other ones."""


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
    shards, heads, features = words.shape
    whole, rest = np.divmod(words.sum(axis=0), shards)
    low, high = uniform16(row_keys(seed, number, np.arange(heads), pair=_OF_MEANS), features)
    draws = (low | high << np.uint32(16)).astype(np.int64)
    mean: _Int = whole + (draws * shards >> 32 < rest)
    return mean


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
