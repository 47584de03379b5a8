"""Levels for nearest rounding against brute force in exact arithmetic, and properties that follow from their definition."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from coarse import make_coarse
from exact_arithmetic import Values, scaled_up, small_values, small_weights
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.levels import lloyd_max, nearest, nearest_levels, squared_error
from zipsgd.levels.greedy import guaranteed_cells
from zipsgd.levels.partial_sort import sort_near_thresholds

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 9)


class Clusters:
    """Costs of all cells of some values, in exact arithmetic."""

    def __init__(self, values: Values, weights: Values | None) -> None:
        x, w = scaled_up(values)[0], scaled_up(np.ones(values.size) if weights is None else weights)[0]
        masses: dict[int, int] = {}
        for place, weight in zip(x, w):
            if weight:
                masses[place] = masses.get(place, 0) + weight
        self.places = sorted(masses)
        self.mass = sum(masses.values())
        sums = [[0], [0], [0]]
        for place in self.places:
            for power, prefix in enumerate(sums):
                prefix.append(prefix[-1] + masses[place] * place**power)
        pairs = itertools.combinations(range(len(self.places) + 1), 2)
        d = {(a, c): [prefix[c] - prefix[a] for prefix in sums] for a, c in pairs}
        self.cost = {pair: d2 - Fraction(d1 * d1, d0) for pair, (d0, d1, d2) in d.items()}
        self.means = {pair: Fraction(d1, d0) for pair, (d0, d1, _) in d.items()}
        self.unit = Fraction(float(values[np.argmax(np.abs(values))])) / max(x, key=abs) if any(x) else 1

    def total(self, cuts: tuple[int, ...]) -> Fraction:
        return sum((self.cost[pair] for pair in itertools.pairwise(cuts)), Fraction(0))

    def least(self, count: int) -> Fraction:
        inner = itertools.combinations(range(1, len(self.places)), count - 1)
        return min(self.total((0, *cuts, len(self.places))) for cuts in inner)

    def cuts(self, levels: Values) -> tuple[int, ...]:
        """Where the nearest level changes."""
        exact = [Fraction(float(level)) / self.unit for level in levels]
        own = [min(range(len(exact)), key=lambda j: abs(place - exact[j])) for place in self.places]
        changes = [i for i in range(1, len(own)) if own[i] != own[i - 1]]
        return (0, *changes, len(self.places))


def assert_optimal(values: Values, weights: Values | None, count: int) -> None:
    got = nearest_levels(values, count, weights=weights)
    exact = Clusters(values, weights)
    if len(exact.places) <= count:
        assert [Fraction(float(level)) / exact.unit for level in got.levels] == exact.places
        assert got.squared_error == got.mean_squared_error == 0
        return
    cuts, least = exact.cuts(got.levels), exact.least(count)
    span = exact.places[-1] - exact.places[0]
    assert exact.total(cuts) - least <= Fraction(2) ** -90 * exact.mass * span**2
    for level, pair in zip(got.levels, itertools.pairwise(cuts)):
        assert float(level) == pytest.approx(float(exact.means[pair] * exact.unit), rel=1e-14)
    expected = squared_error(values, got.levels, weights=weights)
    assert got.squared_error == pytest.approx(expected, rel=1e-9)


@pytest.fixture(params=["tightened", "from grids alone"])
def coarse_grids(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return make_coarse(
        monkeypatch, lloyd_max, "tighten_thresholds" if request.param == "from grids alone" else None
    )


@pytest.mark.parametrize("seed", range(4))
def test_levels_are_those_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(500):
        values = small_values(rng, int(rng.integers(1, 11)))
        assert_optimal(values, small_weights(rng, values.size), int(rng.integers(1, 7)))


def test_levels_are_those_of_brute_force_in_several_rounds(coarse_grids: list[int]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        values = small_values(rng, int(rng.integers(12, 22)))
        assert_optimal(values, small_weights(rng, values.size), int(rng.integers(2, 6)))
    assert coarse_grids[0] > 40


def dynamic_programme(values: Values, count: int) -> float:
    """The least squared error of sorted values, in O(count N^2)."""
    sums = [np.concatenate([[0.0], np.cumsum(values**power)]) for power in range(3)]
    d0, d1, d2 = (part[None, :] - part[:, None] for part in sums)
    costs = np.where(d0 > 0, d2 - d1**2 / np.where(d0 > 0, d0, 1), np.inf)
    least = costs[0]
    for _ in range(count - 1):
        least = (least[:, None] + costs).min(axis=0)
    return float(least[-1])


@pytest.mark.parametrize("kind", ["normal", "whole", "evenly spaced", "clusters", "long tail", "repeated"])
def test_levels_are_those_of_the_dynamic_programme(kind: str, coarse_grids: list[int]) -> None:
    rng = np.random.default_rng(8)
    values = {
        "normal": rng.normal(size=700),
        "whole": rng.integers(0, 300, 700).astype(float),
        "evenly spaced": np.arange(600.0),
        "clusters": rng.normal(size=700) * 0.1 + rng.integers(0, 12, 700) ** 1.5,
        "long tail": np.exp(1.5 * rng.normal(size=700)),
        "repeated": np.repeat(np.arange(200.0), 3),
    }[kind]
    for count in (2, 5, 16, 33):
        least = dynamic_programme(np.sort(values) - values.mean(), count)
        assert nearest_levels(values, count).squared_error == pytest.approx(least, rel=1e-10)
    assert coarse_grids[0] > 0


def test_lloyds_step_may_stop_elsewhere() -> None:
    """Three far clusters and two levels too few: Lloyd's algorithm from even levels stays in a local optimum."""
    values = np.concatenate([np.arange(5.0), 1000 + np.arange(5.0), 1100 + np.arange(5.0), [5000.0]])
    found = nearest_levels(values, 4)
    assert found.levels.tolist() == [2.0, 1002.0, 1102.0, 5000.0]
    assert found.squared_error == 30.0


@given(seeds, counts)
def test_each_level_is_the_mean_of_what_is_nearest_to_it(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 200)
    found = nearest_levels(values, count)
    assert np.all(np.diff(found.levels) > 0)
    nearest = np.abs(values[:, None] - found.levels).argmin(axis=1)
    for j, level in enumerate(found.levels):
        own = values[nearest == j]
        assert level == pytest.approx(own.mean(), rel=1e-12, abs=1e-12 * np.abs(own).max())


@given(seeds, counts)
def test_no_other_set_is_better(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 150)
    weights = small_weights(rng, 150)
    found = nearest_levels(values, count, weights=weights)
    least = found.squared_error * (1 - 1e-9)
    for _ in range(20):
        other = rng.choice(values, found.levels.size)
        assert squared_error(values, other, weights=weights) >= least
    fewer = nearest_levels(values, max(count - 1, 1), weights=weights)
    assert fewer.squared_error >= least


@given(seeds, counts)
def test_order_does_not_matter_and_weights_are_repetitions(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 80)
    repetitions = rng.integers(0, 5, values.size)
    repetitions[0] += 1
    one = nearest_levels(np.repeat(values, repetitions), count)
    other = nearest_levels(rng.permutation(np.repeat(values, repetitions)), count)
    weighted = nearest_levels(values, count, weights=repetitions)
    assert one.levels.tolist() == other.levels.tolist()
    assert (one.squared_error, one.mean_squared_error) == (other.squared_error, other.mean_squared_error)
    assert weighted.squared_error == pytest.approx(one.squared_error, rel=1e-9)
    assert weighted.mean_squared_error == pytest.approx(one.mean_squared_error, rel=1e-9)


@given(seeds, counts, st.integers(-60, 60))
def test_scaling_scales(seed: int, count: int, exponent: int) -> None:
    values = small_values(np.random.default_rng(seed), 100)
    plain, scaled = nearest_levels(values, count), nearest_levels(np.ldexp(values, exponent), count)
    assert scaled.levels.tolist() == np.ldexp(plain.levels, exponent).tolist()
    assert scaled.squared_error == np.ldexp(plain.squared_error, 2 * exponent)


@pytest.mark.parametrize("scale", [1e-139, 1e-30, 1e30, 1e139])
def test_extreme_scales(scale: float) -> None:
    values = np.random.default_rng(3).normal(size=1000) * 0.1
    plain, scaled = nearest_levels(values, 5), nearest_levels(values * scale, 5)
    np.testing.assert_allclose(scaled.levels, plain.levels * scale, rtol=1e-12)


@pytest.mark.parametrize(
    "values", [[2.5], [2.5] * 7, [1, 2], [3, 1, 3, 2, 1], [0.0, -0.0, 1.0], [1e-300, 0, 1]]
)
def test_few_distinct_values_are_the_levels(values: list[float]) -> None:
    found = nearest_levels(values, 3)
    assert found.levels.tolist() == sorted(set(values))
    assert found.squared_error == found.mean_squared_error == 0.0


def test_a_million_values() -> None:
    """The optimum that the packages kmeans1d and ckwrap find, too."""
    values = np.random.default_rng(42).normal(size=10**6)
    assert nearest_levels(values, 5).squared_error == pytest.approx(80157.75001785986, rel=1e-14)
    assert nearest_levels(values, 16).squared_error == pytest.approx(9559.158001371346, rel=1e-14)


@given(seeds, st.integers(1, 9), st.sampled_from([300, 3000, 30_000]))
def test_sorting_near_thresholds_alone_changes_nothing(seed: int, count: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, size)
    low, high = float(values.min()), float(values.max())
    found = sort_near_thresholds(values, low, high, count)
    if found is not None:
        assert np.array_equal(np.sort(found.x), np.sort(values))
        ordered = np.sort(values)
        for first, last in zip(found.low[1:-1], found.high[1:-1]):
            assert np.array_equal(found.x[first:last], ordered[first:last])
            assert found.x[:first].max(initial=low) <= found.x[first:].min()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "_MANY", 1)
        partly = nearest_levels(values, count)
        expected = nearest_levels(np.sort(values), count)
    assert partly.squared_error == pytest.approx(expected.squared_error, rel=1e-12)
    assert partly.levels.size == expected.levels.size


@pytest.mark.parametrize("kind", ["normal", "uniform", "lognormal", "whole"])
def test_usual_values_are_sorted_near_thresholds_alone(kind: str) -> None:
    rng = np.random.default_rng(4)
    values: Values = {
        "normal": rng.normal(size=100_000),
        "uniform": rng.random(100_000),
        "lognormal": rng.lognormal(size=100_000),
        "whole": rng.integers(0, 1000, 100_000).astype(float),
    }[kind]
    found = sort_near_thresholds(values, float(values.min()), float(values.max()), 5)
    assert found is not None
    assert (found.high - found.low).sum() < 0.2 * values.size
    whole = nearest_levels(np.sort(values), 5)
    partly = nearest_levels(values, 5)
    assert partly.squared_error == pytest.approx(whole.squared_error, rel=1e-13)
    np.testing.assert_allclose(partly.levels, whole.levels, rtol=1e-12)


def test_many_equal_values_far_away_are_one_cell() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=20_000)
    found = nearest_levels(np.concatenate([values, np.full(300, -99999.0)]), 9)
    clean = nearest_levels(values, 8)
    np.testing.assert_allclose(found.levels, [-99999.0, *clean.levels], rtol=1e-12)


@pytest.mark.parametrize("seed", range(200))
def test_greedy_is_within_its_factor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 30))
    values, weights = small_values(rng, size), small_weights(rng, size)
    count = int(rng.integers(1, 10))
    got = nearest_levels(values, count, weights=weights, method="greedy")
    least = nearest_levels(values, guaranteed_cells(count), weights=weights).squared_error
    assert len(got.levels) <= count
    assert got.squared_error <= 2 * least * (1 + 1e-9)
    assert got.squared_error == squared_error(values, got.levels, weights=weights)


def test_greedy_merges_the_cheapest_pairs() -> None:
    # Of (0, 1), (2, 4) and (8, 9) all but the dearest pair are merged in the first round, and then (0.5, 2), not (4, 8.5)
    assert nearest_levels([0, 1, 2, 4, 8, 9, 20], 4, method="greedy").levels.tolist() == [1, 4, 8.5, 20]


def test_squared_error_is_its_definition() -> None:
    assert squared_error([0, 1, 4, 9], [5, 1], weights=[2, 1, 1, 3]) == 2 + 0 + 1 + 48
    assert squared_error([3.0], [1.0]) == 4.0


@pytest.mark.parametrize(
    ("values", "count", "weights", "message"),
    [
        ([], 2, None, "values must not be empty"),
        ([1.0, float("nan")], 2, None, "values must not contain NaN"),
        ([1.0, float("inf")], 2, None, "values must be finite, not infinite"),
        (["1", "2"], 2, None, "values must be real numbers"),
        ([0.0, 1e200], 1, None, "values must have a range"),
        ([1.0, 2.0], 0, None, "count must be at least 1, not 0"),
        ([1.0, 2.0], 2, [1.0], "there must be one weight for each of the 2 values, not 1"),
        ([1.0, 2.0], 2, [1.0, -0.5], "weights must not be negative, but one is -0.5"),
    ],
)
def test_errors_name_the_thing(
    values: list[float], count: int, weights: list[float] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        nearest_levels(values, count, weights=weights)


def test_too_many_levels_are_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd.levels.narrowing.default_memory", lambda: 1 << 10)
    with pytest.raises(MemoryError, match=r"^40 optimal levels of 3,000 values .*: choose fewer levels"):
        nearest_levels(np.random.default_rng(9).normal(size=3_000), 40)
