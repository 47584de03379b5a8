"""The mean of shards' models, and their seeds: golden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.golden.averaging import average_words, shard_seed

TOP = (1 << 31) - 1


@given(
    st.integers(1, 9), st.integers(1, 3), st.integers(1, 40), st.integers(0, (1 << 64) - 1), st.integers(0, 9)
)
def test_the_mean_is_one_of_its_two_neighbours(
    shards: int, heads: int, features: int, seed: int, number: int
) -> None:
    words = np.random.default_rng(seed).integers(-TOP - 1, TOP + 1, (shards, heads, features))
    mean = average_words(words, seed, number)
    total = words.sum(axis=0)
    assert ((mean == total // shards) | (mean == -(-total // shards))).all()
    assert np.array_equal(
        average_words(words[np.random.default_rng(1).permutation(shards)], seed, number), mean
    )


@pytest.mark.parametrize("shards", [2, 3, 7, 64])
def test_it_has_no_bias(shards: int) -> None:
    """Of a million words, each of which is rounded up with the fraction as its probability."""
    words = np.random.default_rng(shards).integers(-1000, 1000, (shards, 4, 250_000))
    total = words.sum(axis=0)
    error = average_words(words, 7, 3) - total / shards
    share = (total % shards) / shards
    assert abs(error.sum()) < 5 * np.sqrt((share * (1 - share)).sum())
    for rest in range(1, min(shards, 8)):  # and none for each fraction by itself
        here = error[total % shards == rest]
        assert abs(here.mean()) < 5 * np.sqrt(rest / shards * (1 - rest / shards) / here.size)


def test_equal_models_have_that_model_as_their_mean() -> None:
    words = np.tile(np.arange(-50, 50), (6, 1, 1))
    assert np.array_equal(average_words(words, 1, 2), words[0])


def test_draws_differ_by_seed_round_head_and_feature() -> None:
    words = np.zeros((2, 3, 1000), dtype=np.int64)
    words[0] = 1
    means = [average_words(words, seed, number) for seed in (1, 2, 1 << 40) for number in (0, 1)]
    rows = np.concatenate(means)
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_a_single_shard_has_the_seed_of_the_run_and_others_their_own() -> None:
    assert shard_seed(12345, 1, 0) == 12345
    seeds = {
        shard_seed(seed, shards, shard) for seed in (0, 5) for shards in (2, 8, 64) for shard in range(shards)
    }
    assert len(seeds) == 2 * (2 + 8 + 64)
    assert all(0 <= seed < 1 << 64 for seed in seeds)
