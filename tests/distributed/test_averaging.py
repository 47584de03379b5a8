"""The mean of shards' models, momentum, and seeds: golden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.golden.averaging import average_words, go_ahead, shard_seed

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
    words = np.random.default_rng(shards).integers(-1000, 1000, (shards, 1, 1_000_000))
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


def test_draws_differ_by_seed_round_and_feature_and_not_by_head() -> None:
    """A build with room for fewer heads trains them in turns, and has the same bits."""
    words = np.zeros((2, 3, 1000), dtype=np.int64)
    words[0] = 1
    means = [average_words(words, seed, number) for seed in (1, 2, 1 << 40) for number in (0, 1)]
    assert all((mean == mean[0]).all() for mean in means)
    rows = np.stack([mean[0] for mean in means])
    assert len(np.unique(rows, axis=0)) == len(rows)


@given(
    st.integers(1, 70),
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(0, (1 << 64) - 1),
    st.sampled_from([4, 100, TOP]),
)
def test_momentum_by_exact_numbers(shards: int, heads: int, features: int, seed: int, size: int) -> None:
    """The next round begins next to mean + (1 - 1/S) (mean - before); or at the mean, where that turned back."""
    random, bits = np.random.default_rng(seed), 32
    start, before, mean = random.integers(-size, size + 1, (3, heads, features))
    words, saturated = go_ahead(start, before, mean, shards, seed, 3, bits)
    outside = False
    for head in range(heads):
        olds, news, begun = ([int(word) for word in each[head]] for each in (before, mean, start))
        turned = sum((b - n) * (n - o) for b, n, o in zip(begun, news, olds, strict=True)) > 0
        for old, new, found in zip(olds, news, words[head].tolist(), strict=True):
            numerator = new * shards + (0 if turned else (shards - 1) * (new - old))
            nearest = {numerator // shards, -(-numerator // shards)}
            inside = {min(max(each, -(1 << bits - 1)), (1 << bits - 1) - 1) for each in nearest}
            assert found in inside
            outside |= nearest.isdisjoint(inside)
    assert saturated == outside or (saturated and size == TOP)
    if shards == 1:
        assert np.array_equal(words, mean)


def test_momentum_has_no_bias() -> None:
    random = np.random.default_rng(4)
    before, mean = random.integers(-1000, 1000, (2, 1, 1_000_000))
    found = go_ahead(before, before, mean, 8, 7, 3, 24).words
    error = found - (mean + (mean - before) * 7 / 8)
    share = ((mean - before) * 7 % 8) / 8
    assert abs(error.sum()) < 5 * np.sqrt((share * (1 - share)).sum())
    assert not np.array_equal(found - mean, go_ahead(before, before, mean, 8, 7, 4, 24).words - mean)


def test_a_mean_that_moves_evenly_goes_as_far_as_all_shards_together() -> None:
    """In the long run each round moves S times as far as one shard's steps do, and a mean that rests stays where it is."""
    shards, step, bits = 8, 100, 24
    before = start = np.zeros((1, 1000), dtype=np.int64)
    for number in range(200):
        mean = start + step
        moved = mean - before
        start, _ = go_ahead(start, before, mean, shards, 1, number, bits)
        before = mean
    assert abs(moved.mean() - shards * step) < 0.01 * shards * step
    for number in range(200):
        mean = start
        start, _ = go_ahead(start, before, mean, shards, 1, number, bits)
        before = mean
    assert np.array_equal(start, mean)


def test_a_single_shard_has_the_seed_of_the_run_and_others_their_own() -> None:
    assert shard_seed(12345, 1, 0) == 12345
    seeds = {
        shard_seed(seed, shards, shard) for seed in (0, 5) for shards in (2, 8, 64) for shard in range(shards)
    }
    assert len(seeds) == 2 * (2 + 8 + 64)
    assert all(0 <= seed < 1 << 64 for seed in seeds)
