"""Placing levels: time and variance of the solvers, against the published figures of QUIVER."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.levels import Levels, Method, levels

from .registry import Bench, Result

__all__ = ["BENCH", "run"]

SEED = 42
SIZES = (10**4, 10**5, 10**6, 10**7)
COUNTS = (4, 8, 16, 32)
COUNT = 16
BINS = (1000, 8192, 10_000)
GOAL_MS = 100.0
GOAL_NEAR_MS = 3.0
GOAL_NEAR = 1.001

QUIVER_SIZE = 10**6
QUIVER = {4: (81, 5.5714807), 8: (224, 0.80487122), 16: (543, 0.16452011), 32: (1168, 0.03722855)}
"""Levels: milliseconds and mean variance of Ben Basat et al.'s C++ solver on these 10^6 values, on a machine of this class."""

_Values = npt.NDArray[np.float64]


def _timed(work: Callable[[], Levels], repeats: int) -> tuple[Levels, float, float]:
    """The result, and milliseconds of the best and the median of ``repeats`` runs after one that compiles."""
    result = work()
    runs = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        runs.append(1e3 * (time.perf_counter() - start))
    return result, min(runs), statistics.median(runs)


def _exact(values: _Values, repeats: int) -> list[dict[str, Any]]:
    rows = []
    for count in COUNTS:
        found, best, median = _timed(partial(levels, values, count), repeats)
        published, variance = QUIVER[count] if values.size == QUIVER_SIZE else (None, None)
        rows.append(
            {
                "levels": count,
                "ms": best,
                "ms, median": median,
                "variance": found.mean_variance,
                "QUIVER ms": published,
                "QUIVER variance": variance,
                "times faster": published / median if published else None,
                "same optimum": abs(found.mean_variance / variance - 1) < 1e-6 if variance else None,
            }
        )
    return rows


def _growth(sets: dict[int, _Values], repeats: int) -> list[dict[str, Any]]:
    rows = []
    for size, values in sets.items():
        _, best, median = _timed(partial(levels, values, COUNT), repeats)
        rows.append({"values": size, "ms": best, "ms, median": median, "ns a value": 1e6 * best / size})
    return rows


def _near(values: _Values, repeats: int) -> list[dict[str, Any]]:
    """Histograms of unsorted values, and the baselines, for 16 levels."""
    optimum = levels(np.sort(values), COUNT).variance
    methods: list[tuple[Method, int]] = [("histogram", bins) for bins in BINS]
    methods += [("greedy", 0), ("uniform", 0)]
    rows = []
    for method, bins in methods:
        options = {"bins": bins} if bins else {}
        found, best, median = _timed(partial(levels, values, COUNT, method=method, **options), repeats)
        certified = found.least > 0 and found.least_count == COUNT
        rows.append(
            {
                "method": f"{method}, {bins} bins" if bins else method,
                "ms": best,
                "ms, median": median,
                "variance": found.mean_variance,
                "over optimum": found.variance / optimum,
                "over optimum, at most": found.variance / found.least if certified else None,
            }
        )
    return rows


def _baselines(values: _Values) -> list[dict[str, Any]]:
    """Variance over the optimum, for each count."""
    rows = []
    for count in COUNTS:
        optimum = levels(values, count).variance
        methods: tuple[Method, ...] = ("histogram", "greedy", "uniform")
        over = {method: levels(values, count, method=method).variance / optimum for method in methods}
        rows.append({"levels": count} | {f"{method} over optimum": ratio for method, ratio in over.items()})
    return rows


def _robust() -> list[dict[str, Any]]:
    """Inputs that other solvers crash or lose their way on, each with an answer known beforehand."""
    rng = np.random.default_rng(SEED)
    normal = np.round(rng.normal(size=100_000) * 2**20) / 2**20  # sums with 1e8 are then exact
    plain = levels(normal, COUNT)
    far = levels(normal + 1e8, COUNT)
    single = normal.astype(np.float32)
    spoilt = levels(np.append(normal, np.full(1000, -99999.0)), COUNT + 1)
    constant = levels(np.full(1000, 0.3), COUNT)
    few = levels(rng.integers(0, 7, 1000), COUNT)
    duplicates = levels(np.repeat(normal, 3), COUNT)
    shuffled = levels(rng.permutation(normal), COUNT)
    cases: dict[str, tuple[Levels, bool]] = {
        "constant": (constant, constant.levels.tolist() == [0.3]),
        "7 distinct values": (few, few.levels.tolist() == list(range(7)) and few.variance == 0),
        "N(0, 1) + 10^8": (far, np.array_equal(far.levels - 1e8, plain.levels)),
        "N(0, 1) and a sentinel of -99999": (spoilt, np.array_equal(spoilt.levels[1:], plain.levels)),
        "every value three times": (duplicates, np.array_equal(duplicates.levels, plain.levels)),
        "unsorted": (shuffled, np.array_equal(shuffled.levels, plain.levels)),
        "float32": (
            levels(single, COUNT),
            np.array_equal(levels(single, COUNT).levels, levels(single.astype(float), COUNT).levels),
        ),
    }
    return [
        {"input": name, "levels": found.levels.size, "variance": found.mean_variance, "right": right}
        for name, (found, right) in cases.items()
    ]


def run(sizes: tuple[int, ...] = SIZES, repeats: int = 9) -> Result:
    """LogNormal(0, 1) float64 values, one core. ``sizes`` are drawn one after the other from one generator.

    The published figures apply to the set of 10^6, drawn after those of 10^4 and 10^5. ``exact`` is given sorted values,
    as QUIVER is; its time includes all checks of them. ``histogram`` is given unsorted ones.
    """
    rng = np.random.default_rng(SEED)
    unsorted = {size: rng.lognormal(size=size) for size in sizes}
    sets = {size: np.sort(values) for size, values in unsorted.items()}
    size = QUIVER_SIZE if QUIVER_SIZE in sets else max(sizes)
    exact = _exact(sets[size], repeats)
    near = _near(unsorted[size], repeats)
    robust = _robust()
    at_goal = next(row for row in exact if row["levels"] == COUNT)
    met = (
        at_goal["ms"] < GOAL_MS
        and all(row["same optimum"] is not False for row in exact)
        and any(row["over optimum"] <= GOAL_NEAR and row["ms"] < GOAL_NEAR_MS for row in near)
        and all(row["right"] for row in robust)
    )
    return {
        "goal": f"QUIVER's optima, {COUNT} levels in under {GOAL_MS:g} ms; by histogram within {GOAL_NEAR:g} of the "
        f"optimum in under {GOAL_NEAR_MS:g} ms; every input of the last table answered right; {size} values",
        "met": met,
        "seeds": [SEED],
        "rows": exact,
        "growth": _growth(sets, repeats),
        "near-optimal": near,
        "baselines": _baselines(sets[size]),
        "robust": robust,
    }


def plot(result: Result, path: Path) -> None:
    """Time against the number of values, and against the number of levels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    growth, rows = result["growth"], result["rows"]
    left.loglog([row["values"] for row in growth], [row["ms"] for row in growth], "o-", label="exact")
    left.set(xlabel="values", ylabel="ms", title=f"{COUNT} levels")
    counts = [row["levels"] for row in rows]
    right.semilogy(counts, [row["ms"] for row in rows], "o-", label="exact")
    if all(row["QUIVER ms"] for row in rows):
        right.semilogy(counts, [row["QUIVER ms"] for row in rows], "s--", label="QUIVER, published")
    right.set(xlabel="levels", ylabel="ms", title=f"{QUIVER_SIZE} values")
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=150)


BENCH = Bench(
    "levels", "time and variance of placing levels, against the fastest published solver", run, plot
)
