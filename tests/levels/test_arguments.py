"""The variance of given levels, and errors for arguments that are out of range."""

import numpy as np
import pytest
from exact_arithmetic import exact_variance, small_values, small_weights
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.levels import levels, variance
from zipsgd.levels.api import Method

seeds = st.integers(0, 2**32 - 1)


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
        ([1.0, 2.0], 2, {"weights": [1.0]}, "there must be one weight for each of the 2 values, not 1"),
        ([1.0, 2.0], 2, {"weights": [[1.0, 2.0]]}, "weights must be a vector"),
        ([1.0, 2.0], 2, {"weights": [1.0, -0.5]}, "weights must not be negative, but one is -0.5"),
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
