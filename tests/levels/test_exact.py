"""The exact solver against brute force and dynamic programming in exact arithmetic."""

import numpy as np
import pytest
from coarse import make_coarse
from exact_arithmetic import (
    brute_force,
    dynamic_programme,
    exact_variance,
    integers,
    small_values,
    small_weights,
)

from zipsgd.levels import levels, links, narrowing, solver, variance
from zipsgd.levels.brackets import tighten


@pytest.fixture(params=["tightened", "from grids alone"])
def coarse_grids(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return make_coarse(monkeypatch, solver, "tighten" if request.param == "from grids alone" else None)


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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["normal", "whole", "evenly spaced", "repeated", "long tail"])
def test_brackets_from_paths_change_nothing(
    kind: str, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of equally good levels, too, the same ones are chosen."""
    rng = np.random.default_rng(8)
    values = {
        "normal": rng.normal(size=1200),
        "whole": rng.integers(0, 300, 1200).astype(float),
        "evenly spaced": np.arange(900.0),
        "repeated": np.repeat(np.arange(400.0), 3),
        "long tail": np.exp(3 * rng.normal(size=1000)),
    }[kind]
    weights = rng.integers(0, 4, values.size).astype(float) if weighted else None
    for count in (3, 17, 100, 290):
        expected = levels(values, count, weights=weights)
        with monkeypatch.context() as patch:
            patch.setattr(solver, "_MANY", 0)
            patch.setattr(links, "_WIDTH", 0)
            got = levels(values, count, weights=weights)
        assert got.levels.tolist() == expected.levels.tolist()
        assert got.variance == expected.variance


def test_thousands_of_levels() -> None:
    """The brackets of all levels together hold some points for each value, not all values for each level."""
    values = np.sort(np.random.default_rng(9).normal(size=12_000))
    for count in (4_096, 11_990):
        found = levels(values, count)
        assert found.levels.size == count
        assert found.variance < levels(values, count, method="greedy").variance
        assert set(found.levels) <= set(values)


def test_as_many_levels_as_values() -> None:
    values = np.random.default_rng(9).normal(size=100_000)
    for method in ("exact", "histogram", "greedy"):
        found = levels(values, 100_000, method=method, bins=200_000)
        assert (found.variance, found.levels.size) == (0.0, 100_000)


def test_too_many_levels_are_refused_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "default_memory", lambda: 1 << 10)
    with pytest.raises(
        MemoryError, match=r"^40 optimal levels of 3,000 values or bins take .* method='greedy'$"
    ):
        levels(np.random.default_rng(9).normal(size=3_000), 40)
