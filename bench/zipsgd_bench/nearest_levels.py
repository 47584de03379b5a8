"""Compare the exact solver of levels for nearest rounding with packages for k-means in one dimension."""

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.levels import nearest_levels, squared_error
from zipsgd.levels.arguments import checked, in_order
from zipsgd.levels.lloyd_max import solve_nearest
from zipsgd.levels.partial_sort import sort_near_thresholds
from zipsgd.levels.problem import make_problem

from .registry import Bench, Result

__all__ = ["BENCH", "run"]

SEED = 42
SIZE = 10**6
COUNTS = (5, 16)
GOAL = 10.0
OURS = "zipsgd"

_Values = npt.NDArray[np.float64]
_Solver = Callable[[_Values, int], _Values]
"""Levels of values."""


def _ours(values: _Values, count: int) -> _Values:
    return nearest_levels(values, count).levels


def _kmeans1d(values: _Values, count: int) -> _Values:
    return np.asarray(import_module("kmeans1d").cluster(values, count).centroids)


def _ckwrap(values: _Values, count: int) -> _Values:
    return np.asarray(import_module("ckwrap").ckmeans(values, count).centers)


def _sklearn(values: _Values, count: int) -> _Values:
    """Lloyd's algorithm from one start, which need not find the optimum."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = KMeans(count, n_init=1, random_state=SEED).fit(values[:, None])
    return np.asarray(fitted.cluster_centers_[:, 0], dtype=np.float64)


PEERS: dict[str, _Solver] = {"kmeans1d": _kmeans1d, "ckwrap": _ckwrap, "sklearn": _sklearn}
"""Peers by module. ``pip install kmeans1d ckwrap`` adds what may be missing; these two are dynamic programmes in C++."""


def _milliseconds(work: Callable[[], Any], repeats: int) -> float:
    """The least processor time of some runs. It is that of one thread, so that other programs hardly matter."""
    runs = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        runs.append(1e3 * (time.process_time() - start))
    return min(runs)


def _compared(values: _Values, order: str, count: int, repeats: int) -> list[dict[str, Any]]:
    """One row for each solver; without figures if it is not installed."""
    least = nearest_levels(values, count).squared_error
    ours = _milliseconds(partial(_ours, values, count), repeats)
    rows: list[dict[str, Any]] = [
        {
            "levels": count,
            "values are": order,
            "solver": OURS,
            "ms": ours,
            "times ours": 1.0,
            "error over optimum": 1.0,
        }
    ]
    for name, solver in PEERS.items():
        row: dict[str, Any] = {"levels": count, "values are": order, "solver": name, "ms": None}
        if find_spec(name) is None:
            row["solver"] = f"{name} (not installed)"
        else:
            row["ms"] = ms = _milliseconds(partial(solver, values, count), min(repeats, 3))
            row["times ours"] = ms / ours
            row["error over optimum"] = squared_error(values, solver(values, count)) / least
        rows.append(row)
    return rows


def _parts(unsorted: _Values, count: int, repeats: int) -> dict[str, Any]:
    """What the time of the solver consists of."""
    x = np.sort(unsorted)
    points = np.concatenate([x[:1], x])
    problem = make_problem(points)
    parts: dict[str, Callable[[], Any]] = {
        "checks": lambda: checked(unsorted, None),
        "sorting": lambda: np.sort(unsorted),
        "sorting near thresholds": lambda: sort_near_thresholds(unsorted, x[0], x[-1], count),
        "counting distinct values": lambda: in_order(x, np.empty(0)),
        "prefix sums": lambda: make_problem(np.concatenate([x[:1], x])),
        "thresholds": lambda: solve_nearest(problem, count),
        "all, with levels and errors": lambda: nearest_levels(unsorted, count),
    }
    return {"levels": count} | {f"{name}, ms": _milliseconds(work, repeats) for name, work in parts.items()}


def run(size: int = SIZE, repeats: int = 7) -> Result:
    """Measure the solvers on N(0, 1) float64 values, unsorted and sorted, on one thread.

    Parameters
    ----------
    size : int
        Number of values.
    repeats : int
        Number of timed runs; at most 3 for peers.

    Returns
    -------
    Result
        The result of the bench.
    """
    unsorted = np.random.default_rng(SEED).normal(size=size)
    nearest_levels(unsorted[:1000], 3)  # compiles
    rows: list[dict[str, Any]] = []
    fastest: list[dict[str, Any]] = []
    for order, values in (("unsorted", unsorted), ("sorted", np.sort(unsorted))):
        for count in COUNTS:
            found = _compared(values, order, count, repeats)
            rows += found
            peers = [row["times ours"] for row in found[1:] if row["ms"] is not None]
            fastest.append(
                {"levels": count, "values are": order, "fastest peer over ours": min(peers, default=None)}
            )
    compared = [row for row in rows if row["ms"] is not None]
    missing = [name for name in PEERS if find_spec(name) is None]
    return {
        "goal": f"for {size} values, sorted or not, the solver takes at most 1/{GOAL:g} of the processor time of the fastest "
        f"peer, and no peer finds better levels",
        "met": not missing
        and all(row["error over optimum"] > 1 - 1e-9 for row in compared)
        and all(row["fastest peer over ours"] >= GOAL for row in fastest),
        "seeds": [SEED],
        "rows": rows,
        "fastest": fastest,
        "parts": [_parts(unsorted, count, repeats) for count in COUNTS],
        "not installed": missing,
    }


BENCH = Bench(
    "nearest-levels", "time of placing levels for nearest rounding, compared with k-means packages", run
)
