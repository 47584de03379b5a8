"""Levels from histograms and from the baselines against optimal ones."""

import numpy as np
import pytest
from exact_arithmetic import exact_variance, small_values, small_weights
from hypothesis import assume, given
from hypothesis import strategies as st

from zipsgd.levels import levels, variance
from zipsgd.levels.greedy import guaranteed_count

seeds = st.integers(0, 2**32 - 1)


@given(
    seeds,
    st.integers(2, 20),
    st.integers(20, 5000),
    st.integers(20, 3000),
)
def test_histogram_is_within_its_bounds(seed: int, count: int, bins: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, size)
    weights = small_weights(rng, size)
    assume(np.ptp(values) > 0)
    near = levels(values, count, weights=weights, method="histogram", bins=bins)
    best = levels(values, count, weights=weights)
    used, mass = (values, np.ones(size)) if weights is None else (values[weights > 0], weights[weights > 0])
    smallest = 1e-14 * mass.sum() * np.ptp(used) ** 2  # rounding errors of a variance of 0
    rounding = 1e-9 * near.variance + smallest
    assert near.variance >= 0
    assert near.least - rounding <= best.variance <= near.variance + rounding
    expected = variance(values, near.levels, weights=weights)
    assert near.variance == pytest.approx(expected, rel=1e-8, abs=smallest)
    assert near.levels.size <= count
    own_bin = np.minimum((used - used.min()) * (bins / np.ptp(used)), bins - 1).astype(int)
    stated = np.ptp(used) / bins * np.ptp(used) * np.bincount(own_bin, mass).max() / 2
    assert near.variance <= best.variance + stated * (1 + 1e-9) + rounding
    assert near.least >= near.variance - stated * (1 + 1e-9) - rounding


def test_histogram_needs_few_bins() -> None:
    values = np.random.default_rng(9).lognormal(size=200_000)
    for bins, factor in ((1000, 1.01), (10_000, 1.0003)):
        near = levels(values, 16, method="histogram", bins=bins)
        assert near.variance <= factor * levels(values, 16).variance
    assert near.variance <= 1.002 * near.least


def test_histogram_does_not_depend_on_the_order() -> None:
    values = np.random.default_rng(10).normal(size=5000)
    one, other = (levels(x, 8, method="histogram") for x in (values, np.sort(values)))
    assert one.levels.tolist() == other.levels.tolist()


@given(seeds, st.integers(2, 40))
def test_greedy_is_within_its_factor(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 300)
    weights = small_weights(rng, values.size)
    got = levels(values, count, weights=weights, method="greedy")
    fewer = levels(values, guaranteed_count(count), weights=weights)
    assert levels(values, count, weights=weights).variance <= got.variance * (1 + 1e-12)
    assert got.least <= fewer.variance * (1 + 1e-12)
    assert got.variance == pytest.approx(variance(values, got.levels, weights=weights), rel=1e-12)
    assert got.levels.size <= count
    if got.variance:
        assert got.least_count == guaranteed_count(count)
        assert got.least == got.variance / 2


def test_greedy_merges_the_cheapest_pairs() -> None:
    # Pairs (0, 1, 2) at 1, (2, 3, 6) at 3, then (6, 7, 20) at 13: one of three is kept, two merged
    assert levels([0, 1, 2, 3, 6, 7, 20], 5, method="greedy").levels.tolist() == [0, 2, 6, 7, 20]


def test_uniform() -> None:
    values = np.random.default_rng(13).uniform(-1, 1, 1000)
    values[:2] = -1, 1
    got = levels(values, 5, method="uniform")
    assert got.levels.tolist() == [-1, -0.5, 0, 0.5, 1]
    assert got.variance == pytest.approx(float(exact_variance(values, got.levels)), rel=1e-14)
    assert got.mean_variance == got.variance / 1000
    assert got.least == 0
