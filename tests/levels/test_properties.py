"""Properties of optimal levels that follow from their definition."""

import numpy as np
import pytest
from exact_arithmetic import Values, brute_force, exact_variance, small_values
from hypothesis import assume, given
from hypothesis import strategies as st

from zipsgd.levels import Levels, levels
from zipsgd.levels.api import Method

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(2, 9)


@given(seeds, counts)
def test_order_does_not_matter(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 200)
    expected = levels(np.sort(values), count)
    got = levels(rng.permutation(values), count)
    assert got.levels.tolist() == expected.levels.tolist()
    assert got.variance == expected.variance


@given(seeds, counts)
def test_weights_are_repetitions(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 80)
    repetitions = rng.integers(0, 5, values.size)
    assume(repetitions.any())
    weighted = levels(values, count, weights=repetitions)
    repeated = levels(np.repeat(values, repetitions), count)
    assert weighted.levels.tolist() == repeated.levels.tolist()
    assert weighted.variance == pytest.approx(repeated.variance, rel=1e-12)
    assert weighted.mean_variance == pytest.approx(repeated.mean_variance, rel=1e-12)


@given(seeds, counts, st.integers(-60, 60))
def test_scaling_scales(seed: int, count: int, exponent: int) -> None:
    values = small_values(np.random.default_rng(seed), 100)
    plain = levels(values, count)
    scaled = levels(np.ldexp(values, exponent), count)
    assert scaled.levels.tolist() == np.ldexp(plain.levels, exponent).tolist()
    assert scaled.variance == np.ldexp(plain.variance, 2 * exponent)


@given(seeds, counts)
def test_more_levels_are_better_by_less_and_less(seed: int, count: int) -> None:
    values = small_values(np.random.default_rng(seed), 100)
    totals = [levels(values, count + more).variance for more in range(3)]
    assert totals[0] >= totals[1] >= totals[2]
    assert totals[0] - totals[1] >= (totals[1] - totals[2]) * (1 - 1e-9) - 1e-12 * totals[0]


def assert_no_level_can_be_moved(values: Values, best: Levels) -> None:
    least = exact_variance(values, best.levels)
    distinct = np.unique(values)
    for j in range(1, best.levels.size - 1):
        at = int(np.searchsorted(distinct, best.levels[j]))
        for other in distinct[[at - 1, at + 1]]:
            moved = np.unique(np.append(np.delete(best.levels, j), other))
            assert exact_variance(values, moved) >= least


@given(seeds, counts)
def test_no_level_can_be_moved_for_the_better(seed: int, count: int) -> None:
    values = small_values(np.random.default_rng(seed), 60)
    assert_no_level_can_be_moved(values, levels(values, count))


def test_clusters_far_apart_are_resolved() -> None:
    # Prefix sums of squares reach 1e19 here, variances of intervals some 10
    rng = np.random.default_rng(2)
    values = rng.normal(size=1000) + 1e8 * (rng.random(1000) < 0.5)
    assert_no_level_can_be_moved(values, levels(values, 12))


def test_far_from_zero() -> None:
    rng = np.random.default_rng(3)
    values = np.round(rng.normal(size=20_000) * 2**20) / 2**20
    for count in (2, 5, 16):
        near, far = levels(values, count), levels(values + 1e8, count)
        assert (far.levels - 1e8).tolist() == near.levels.tolist()
        assert far.variance == near.variance
        assert levels(values - 1e8, count).variance == near.variance


def test_sentinel_takes_its_own_level() -> None:
    values = np.random.default_rng(4).normal(size=50_000)
    spoilt = np.append(values, [-99999.0] * 500)
    clean, found = levels(values, 9), levels(spoilt, 10)
    assert found.levels.tolist() == [-99999.0, *clean.levels]
    assert found.variance == pytest.approx(clean.variance, rel=1e-12)


def test_float32_and_integers_are_taken_exactly() -> None:
    values = np.random.default_rng(6).normal(size=3000).astype(np.float32)
    single, double = levels(values, 7), levels(values.astype(np.float64), 7)
    assert single.levels.dtype == np.float64
    assert single.levels.tolist() == double.levels.tolist()
    assert np.isin(single.levels, values).all()
    assert (
        levels([3, 1, 4, 1, 5, 9, 2, 6], 3).levels.tolist()
        == levels([3.0, 1, 4, 1, 5, 9, 2, 6], 3).levels.tolist()
    )


@pytest.mark.parametrize("method", ["exact", "greedy"])
@pytest.mark.parametrize(
    "values", [[2.5], [2.5] * 7, [1, 2], [3, 1, 3, 2, 1], [0.0, -0.0, 1.0], [1e-300, 0, 1]]
)
def test_few_distinct_values_are_the_levels(method: Method, values: list[float]) -> None:
    got = levels(values, 3, method=method)
    assert got.levels.tolist() == sorted(set(values))
    assert got.variance == got.mean_variance == got.least == 0.0


@pytest.mark.parametrize("method", ["histogram", "uniform"])
def test_constants_have_one_level(method: Method) -> None:
    got = levels([7.0] * 5, 4, method=method)
    assert got == Levels(got.levels, 0.0, 0.0, 0.0, 4)
    assert got.levels.tolist() == [7.0]


def test_tiny_distances() -> None:
    values = np.array([0.0, 5e-324, 1e-310, 1e-200, 1e-100, 0.3, 0.6, 1.0])
    got = levels(values, 4)
    assert got.levels.tolist() == values[brute_force(values, None, 4)].tolist()


@pytest.mark.parametrize("weights", [1e-300, 1e300])
def test_extreme_weights(weights: float) -> None:
    values = np.random.default_rng(8).normal(size=100)
    got = levels(values, 5, weights=np.full(100, weights))
    assert got.levels.tolist() == levels(values, 5).levels.tolist()


def test_values_of_no_weight_are_ignored() -> None:
    got = levels([-100, 0, 1, 2, 3, 100], 3, weights=[0, 1, 1, 1, 1, 0])
    assert got.levels.tolist() == [0.0, 1.0, 3.0]
    assert (got.variance, got.mean_variance) == (1.0, 0.25)
