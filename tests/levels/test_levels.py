"""Levels against brute force and dynamic programmes in exact arithmetic, and the properties that they have by definition."""

import itertools
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zipsgd.levels import Levels, levels, solver, variance
from zipsgd.levels.api import Method
from zipsgd.levels.brackets import tighten
from zipsgd.levels.greedy import compared_count

Values = npt.NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
counts = st.integers(2, 9)


def scaled_up(*arrays: Values) -> list[list[int]]:
    """Floats as integers, all times the same power of two."""
    exact = [[Fraction(float(value)) for value in array] for array in arrays]
    unit = max(value.denominator for array in exact for value in array)
    return [[int(value * unit) for value in array] for array in exact]


def exact_variance(values: Values, places: Values, weights: Values | None = None) -> Fraction:
    total = Fraction(0)
    for value, weight in zip(values, np.ones(values.size) if weights is None else weights):
        x = Fraction(float(value))
        if weight:
            i = int(np.searchsorted(places, value, side="right"))
            low, high = places[max(i - 1, 0)], places[min(i, places.size - 1)]
            total += Fraction(float(weight)) * (Fraction(float(high)) - x) * (x - Fraction(float(low)))
    return total


def brute_force(values: Values, weights: Values | None, count: int) -> list[int]:
    """All sets of levels tried, in integers; of the best sets, the one that is lowest in every level.

    Returns indices into the distinct values of positive weight.
    """
    (x, w) = scaled_up(values)[0], scaled_up(np.ones(values.size) if weights is None else weights)[0]
    masses: dict[int, int] = {}
    for place, weight in zip(x, w):
        if weight:
            masses[place] = masses.get(place, 0) + weight
    places = sorted(masses)
    if len(places) <= count:
        return list(range(len(places)))

    def cost(low: int, high: int) -> int:
        inside = places[low + 1 : high]
        return sum(masses[x] * (places[high] - x) * (x - places[low]) for x in inside)

    costs = {pair: cost(*pair) for pair in itertools.combinations(range(len(places)), 2)}
    best: list[tuple[int, ...]] = []
    least = None
    for inner in itertools.combinations(range(1, len(places) - 1), count - 2):
        chosen = (0, *inner, len(places) - 1)
        total = sum(costs[pair] for pair in itertools.pairwise(chosen))
        if least is None or total < least:
            least, best = total, []
        if total == least:
            best.append(chosen)
    lowest = tuple(min(column) for column in zip(*best))
    assert lowest in best  # the optimal sets form a lattice
    return list(lowest)


def dynamic_programme(
    x: npt.NDArray[np.int64], weights: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """The lowest optimal levels of more than ``count`` distinct integers: O(count N^2), exact in 64 bits."""
    places, inverse = np.unique(x, return_inverse=True)
    mass = np.zeros(places.size, dtype=np.int64)
    np.add.at(mass, inverse, weights)
    sums = [np.cumsum(mass * places**power) for power in range(3)]
    d0, d1, d2 = (part[None, :] - part[:, None] for part in sums)
    costs = (places[:, None] + places) * d1 - places[:, None] * places * d0 - d2
    beyond = np.int64(1) << 60
    costs[np.tril_indices(places.size)] = beyond
    least, parents = costs[0].copy(), []
    for _ in range(count - 2):
        totals = least[:, None] + costs
        parents.append(totals.argmin(axis=0))  # the first of equal ones
        least = np.minimum(totals.min(axis=0), beyond)
    path = [places.size - 1]
    for parent in reversed(parents):
        path.append(int(parent[path[-1]]))
    return places[[0, *reversed(path)]]


def small_values(rng: np.random.Generator, size: int) -> Values:
    """Values of a random kind: ties, duplicates, heavy tails, far from zero, wide gaps."""
    kind = rng.integers(0, 8)
    normal = rng.normal(size=size)
    kinds: list[Values] = [
        normal,
        rng.integers(-5, 6, size).astype(np.float64),
        np.arange(size) * 0.5,
        np.exp(normal * 3),
        normal + 1e8,
        normal + 1e8 * rng.integers(0, 2, size) - 1e4 * rng.integers(0, 2, size),
        rng.integers(0, 8, size) + 1e6 * rng.integers(0, 2, size),
        normal.astype(np.float32).astype(np.float64),
    ]
    return kinds[kind]


def small_weights(rng: np.random.Generator, size: int) -> Values | None:
    kinds = [
        None,
        rng.integers(0, 4, size).astype(np.float64),
        rng.random(size),
        10.0 ** rng.integers(-20, 1, size),
    ]
    weights = kinds[rng.integers(0, 4)]
    if weights is not None:
        weights[0] += 1
    return weights


@pytest.fixture(params=["tightened", "from grids alone"])
def coarse_grids(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grids so coarse that small inputs take several rounds, too; counts the rounds that narrowed brackets."""
    if request.param == "from grids alone":
        monkeypatch.setattr(solver, "tighten", lambda *_: None)
    rounds = [0]
    narrow = solver._narrow

    def counted(*arguments: object) -> None:
        rounds[0] += 1
        narrow(*arguments)

    monkeypatch.setattr(solver, "_narrow", counted)
    monkeypatch.setattr(solver, "_CELLS", 1)
    monkeypatch.setattr(solver, "_LEAST", 1)
    return rounds


# Exact


@pytest.mark.parametrize("seed", range(4))
def test_exact_is_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(600):
        values = small_values(rng, int(rng.integers(1, 11)))
        weights = small_weights(rng, values.size)
        count = int(rng.integers(2, 8))
        got = levels(rng.permutation(values) if weights is None else values, count, weights=weights)
        used = values if weights is None else values[weights > 0]
        expected = np.unique(used)[brute_force(values, weights, count)]
        assert got.levels.tolist() == expected.tolist()
        assert got.variance == pytest.approx(float(exact_variance(values, expected, weights)), rel=1e-14)
        assert got.least == got.variance


def test_exact_is_brute_force_in_several_rounds(coarse_grids: list[int]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        values = small_values(rng, int(rng.integers(12, 26)))
        weights = small_weights(rng, values.size)
        count = int(rng.integers(3, 6))
        got = levels(values, count, weights=weights)
        used = values if weights is None else values[weights > 0]
        assert got.levels.tolist() == np.unique(used)[brute_force(values, weights, count)].tolist()
    assert coarse_grids[0] > 100 or solver.tighten is tighten


def test_nearly_equal_sets() -> None:
    # Decimal fractions are evenly spaced but for their rounding: variances differ by 2^-50, or much less
    for size in range(4, 12):
        values = np.arange(size) * 0.1
        for count in range(3, size):
            got = levels(values, count)
            least = exact_variance(values, values[brute_force(values, None, count)])
            assert exact_variance(values, got.levels) - least <= 2.0**-98


def integers(rng: np.random.Generator, size: int) -> dict[str, npt.NDArray[np.int64]]:
    """Distributions on a fine grid of integers."""
    normal = rng.normal(size=size)
    cases = {
        "normal": normal * 1e5,
        "uniform": rng.random(size) * 1e6,
        "lognormal": np.exp(normal) * 1e4,
        "Cauchy": (rng.standard_cauchy(size) * 1e3).clip(-1e6, 1e6),
        "clusters": normal * 300 + rng.integers(0, 7, size) * 1e5,
        "sentinel": np.where(rng.random(size) < 0.02, -2e6, normal * 100),
        "two far apart": normal * 10 + rng.integers(0, 2, size) * 1e6,
        "two apart": normal * 100 + (rng.random(size) < 0.3) * 2e4,
        "three apart": rng.exponential(100, size) + rng.choice([0, 2e4, 1e5], size, p=[0.7, 0.2, 0.1]),
        "evenly spaced": np.arange(size) * 500.0,
        "few": rng.integers(0, 40, size) ** 2 * 1.0,
    }
    return {name: np.round(values).astype(np.int64) for name, values in cases.items()}


@pytest.mark.parametrize("name", integers(np.random.default_rng(), 2))
@pytest.mark.parametrize("weighted", [False, True])
def test_exact_is_the_dynamic_programme(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(11)
    x = integers(rng, 2000)[name]
    weights = rng.integers(1, 5, x.size) if weighted else np.ones(x.size, dtype=np.int64)
    for count in (3, 8, 17, 33):
        got = levels(x, count, weights=weights if weighted else None)
        expected = dynamic_programme(x, weights, count)
        assert got.levels.tolist() == expected.tolist()
        exact = variance(x, expected, weights=weights)
        assert got.variance == pytest.approx(exact, rel=1e-13)


def test_exact_is_the_dynamic_programme_in_many_rounds(coarse_grids: list[int]) -> None:
    rng = np.random.default_rng(12)
    for _ in range(12):
        for x in integers(rng, int(rng.integers(100, 400))).values():
            count = int(rng.integers(3, 13))
            weights = rng.integers(1, 5, x.size) if rng.random() < 0.5 else np.ones(x.size, dtype=np.int64)
            if np.unique(x).size > count:
                got = levels(x, count, weights=weights if weights.max() > 1 else None)
                assert got.levels.tolist() == dynamic_programme(x, weights, count).tolist()
    assert coarse_grids[0] > 60


def test_a_million_values() -> None:
    rng = np.random.default_rng(42)
    values = [rng.lognormal(size=10**power) for power in (4, 5, 6)][-1]
    published = {
        4: 5.5714807,
        8: 0.80487122,
        16: 0.16452011,
        32: 0.03722855,
    }  # found by QUIVER on the same values
    for count, expected in published.items():
        assert levels(values, count).mean_variance == pytest.approx(expected, rel=1e-6)


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


# Histogram


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
    rounding = 1e-9 * near.variance
    assert near.least - rounding <= best.variance <= near.variance + rounding
    assert near.variance == pytest.approx(
        variance(values, near.levels, weights=weights), rel=1e-8, abs=1e-300
    )
    assert near.levels.size <= count
    used, mass = (values, np.ones(size)) if weights is None else (values[weights > 0], weights[weights > 0])
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


# Baselines


@given(seeds, st.integers(2, 40))
def test_greedy_is_within_its_factor(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 300)
    weights = small_weights(rng, values.size)
    got = levels(values, count, weights=weights, method="greedy")
    fewer = levels(values, compared_count(count), weights=weights)
    assert levels(values, count, weights=weights).variance <= got.variance * (1 + 1e-12)
    assert got.least <= fewer.variance * (1 + 1e-12)
    assert got.variance == pytest.approx(variance(values, got.levels, weights=weights), rel=1e-12)
    assert got.levels.size <= count
    if got.variance:
        assert got.least_count == compared_count(count)
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


# Variance of any levels


@given(seeds, st.integers(2, 30))
def test_variance_is_its_definition(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = small_values(rng, 50)
    weights = small_weights(rng, 50)
    places = np.append(rng.choice(values, count), [values.min() - 1, values.max() + 1])
    expected = float(exact_variance(values, np.unique(places), weights))
    assert variance(values, places, weights=weights) == pytest.approx(expected, rel=1e-13)


def test_variance_of_one_level() -> None:
    assert variance([2, 2], [2]) == 0.0


# Errors


@pytest.mark.parametrize(
    ("values", "count", "options", "message"),
    [
        ([], 2, {}, "values must not be empty"),
        ([[1.0, 2.0]], 2, {}, r"values must be a vector, not of shape \(1, 2\)"),
        ([1.0, float("nan")], 2, {}, "values must not contain NaN"),
        ([float("nan")] * 3, 2, {}, "values must not contain NaN"),
        ([1.0, float("inf")], 2, {}, "values must be finite"),
        ([-float("inf"), 1.0], 2, {}, "values must be finite"),
        (["1", "2"], 2, {}, "values must be real numbers"),
        ([1j, 2], 2, {}, "values must be real numbers"),
        ([0.0, 1e200], 2, {}, "values must have a range"),
        ([0.0, 1e-200], 2, {}, "values must have a range"),
        ([-1e308, 1e308], 2, {}, "values must have a range"),
        ([1.0, 2.0], 1, {}, "count must be at least 2, not 1"),
        (
            [1.0, 2.0],
            2,
            {"method": "best"},
            "method must be one of exact, histogram, greedy, uniform, not 'best'",
        ),
        ([1.0, 2.0], 9, {"method": "histogram", "bins": 7}, "bins must be at least count - 1 = 8, not 7"),
        ([1.0, 2.0], 2, {"weights": [1.0]}, "weights must be as many as values, 2, not 1"),
        ([1.0, 2.0], 2, {"weights": [[1.0, 2.0]]}, "weights must be a vector"),
        ([1.0, 2.0], 2, {"weights": [1.0, -0.5]}, "weights must not be negative, as -0.5 is"),
        ([1.0, 2.0], 2, {"weights": [1.0, float("nan")]}, "weights must not contain NaN"),
        ([1.0, 2.0], 2, {"weights": [1.0, float("inf")]}, "weights must be finite"),
        ([1.0, 2.0], 2, {"weights": [0.0, 0.0]}, "weights must have a positive and finite sum, not 0"),
        ([1.0, 2.0], 2, {"weights": [1e308, 1e308]}, "weights must have a positive and finite sum"),
    ],
)
@pytest.mark.parametrize("method", ["exact", "histogram", "greedy", "uniform"])
def test_errors_name_the_thing(
    values: list[float], count: int, options: dict[str, object], message: str, method: Method
) -> None:
    with pytest.raises(ValueError, match=message):
        levels(values, count, **({"method": method} | options))


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([0.0, 1.0], r"values must be within the levels, 0\.\.1, not in 1\.\.2"),
        ([], "levels must not be empty"),
        ([0.0, float("nan")], "levels must not contain NaN"),
    ],
)
def test_errors_of_variance(places: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        variance([1.0, 2.0], places)
