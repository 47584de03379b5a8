"""Optimal levels by brute force and by dynamic programming in exact arithmetic, and random values to place levels for."""

import itertools
from fractions import Fraction

import numpy as np
import numpy.typing as npt

__all__ = [
    "Values",
    "brute_force",
    "dynamic_programme",
    "exact_variance",
    "integers",
    "small_values",
    "small_weights",
]

Values = npt.NDArray[np.float64]


def scaled_up(*arrays: Values) -> list[list[int]]:
    """Floats as integers, all multiplied by the same power of two."""
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
    """Try all sets of levels in integer arithmetic. Of the best sets, return the one that is lowest in every level.

    The result contains indices into the distinct values of positive weight.
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
