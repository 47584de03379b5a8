"""Find how many bits per value training needs to come close to float64 SGD, with evenly spaced and with optimal levels.

As in ZipML, the same estimator is compared on both kinds of levels. A run with p base planes transfers p + 2 bits per value
with double sampling, p + 1 with one draw and with naive quantisation, and p with truncation. Evenly spaced levels need at least
p = 1. Optimal levels are also possible with p = 0, which are two levels. So if double sampling comes close with p = 1 on evenly
spaced levels, optimal levels can save at most one of three bits. Truncation is measured only on evenly spaced levels, because
optimal levels are placed for stochastic rounding.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling, Table, load_set
from zipsgd.levels import variance
from zipsgd.output import save_figure
from zipsgd.rows import in_memory
from zipsgd.training.api import train_task
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare
from zipsgd.training.task import Task

from .convergence import DRAWS, METHODS
from .few_bits import seeded
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "Trials", "by_level_bits", "measure", "needed", "plot", "run", "variances"]

REAL = ("cadata", "cpusmall", "mnist49")
SETS = (*REAL, "synthetic10", "synthetic100", "synthetic1000")
SEEDS = (1, 2, 3, 4, 5)
OPTIONS = Options(batch_size=16, schedule="linear", epochs=20, scaling="range")
"""Options of every run. Each set has its own step size, which is the same for float64 SGD and all levels."""
KINDS: dict[str, dict[str, Any]] = {
    "uniform": {"levels": "uniform"},
    "optimal": {"levels": "optimal"},
    "shared": {"levels": "optimal", "shared_levels": True},
}
PLANES = {
    "double": tuple(KINDS),
    "one-draw": ("uniform", "optimal"),
    "naive": tuple(KINDS),
    "truncated": ("uniform",),
}
"""Kinds of levels that are measured for each estimator."""
COMPARED = ("double", "one-draw", "naive")
"""Estimators whose bits are compared between kinds of levels."""
NEAR = 1.02
"""Largest ratio of losses that counts as close."""
DONE = 1.005
"""Ratio of losses at which no more base planes are tried."""
LEVEL_BITS = (2, 3, 4, 5, 6, 8)
NARROW = (("double", 0), ("double", 1), ("one-draw", 0), ("one-draw", 1), ("naive", 2))
"""Estimators and base planes p for which levels of fewer bits are tried, on the real sets."""
GOAL = 1.7
GOAL_SETS = 2

_Row = dict[str, Any]


def _base_planes(kind: str) -> range:
    return range(1, 9) if kind == "uniform" else range(5)


def _mean_variance(task: Task) -> float:
    """Mean variance of a quantised value of the table's columns, scaled to [-1, 1]."""
    values = in_memory(task.values)[:, :-1].astype(np.float64)
    if task.config.levels is None:
        even = np.linspace(-1, 1, (1 << task.config.p) + 1)
        return variance(values.ravel(), even) / values.size
    unit = 2.0 ** (1 - task.config.levels.bits)
    columns = zip((values / unit).T, task.config.levels.values[:-1], strict=True)
    total = sum(variance(column, places) for column, places in columns)
    return total * (unit / task.scale) ** 2 / values.size


def variances(table: Table) -> list[_Row]:
    """Compare the variance of quantised values for all kinds of levels.

    Parameters
    ----------
    table : Table
        The data.

    Returns
    -------
    list[dict[str, Any]]
        A row for each p: mean variance of a value for each kind of levels, and the ratio of evenly spaced to optimal levels.
    """
    rows: list[_Row] = []
    for p in _base_planes("optimal"):
        found = {
            kind: _mean_variance(prepare(table, options=Options(base_bits=p, scaling="range", **options)))
            for kind, options in KINDS.items()
            if p in _base_planes(kind)
        }
        rows.append({"p": p, **{kind: found.get(kind) for kind in KINDS}})
        rows[-1]["times less"] = found["uniform"] / found["optimal"] if "uniform" in found else None
    return rows


def _cautious_step(values: npt.NDArray[np.float32]) -> float:
    """A quarter of the inverse mean squared length of a sample, at most 0.1. It is stable even on the coarsest levels."""
    return min(0.1, 0.25 * len(values) / float(np.einsum("ij,ij->", values, values, dtype=np.float64)))


class Trials:
    """Quantised training on a table relative to float64 SGD with the same steps and orders, once for each seed.

    Parameters
    ----------
    table : Table
        Data to train on.
    seeds : Sequence[int]
        Seeds of the runs.
    epochs : int
        Epochs of each run.
    """

    def __init__(self, table: Table, seeds: Sequence[int] = SEEDS, epochs: int = OPTIONS.epochs) -> None:
        step = _cautious_step(Scaling.fit(table).features(table.features))
        self._table = table
        self._seeds = seeds
        self._options = replace(OPTIONS, step_size=step, epochs=epochs)
        self._exact = [float_sgd(task).losses[-1] for task in self._tasks()]

    def _tasks(self, **changes: Any) -> list[Task]:
        """A task for each seed, with these options changed."""
        return seeded(prepare(self._table, options=replace(self._options, **changes)), self._seeds)

    def losses(self, **changes: Any) -> _Row:
        """Median of the final loss of runs with these options; median, least and greatest of its ratio to float64 SGD's."""
        losses = [train_task(task).final_loss for task in self._tasks(**changes)]
        ratios = [loss / exact for loss, exact in zip(losses, self._exact, strict=True)]
        return {
            "loss": statistics.median(losses),
            "ratio": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
        }


def measure(trials: Trials, begin: Callable[[str], None] = lambda what: None) -> list[_Row]:
    """Measure all estimators, kinds of levels and p, up to the p for which the ratio is at most :data:`DONE`.

    Parameters
    ----------
    trials : Trials
        Training runs on one set.
    begin : Callable[[str], None]
        Called before each estimator.

    Returns
    -------
    list[dict[str, Any]]
        A row for each estimator, kind of levels and p.
    """
    rows: list[_Row] = []
    for estimator, kinds in PLANES.items():
        begin(METHODS[estimator])
        for kind in kinds:
            for p in _base_planes(kind):
                found = trials.losses(base_bits=p, estimator=estimator, **KINDS[kind])
                bits = p + DRAWS[estimator]
                rows.append({"estimator": estimator, "levels": kind, "p": p, "bits a value": bits, **found})
                if found["ratio"] <= DONE:
                    break
    return rows


def by_level_bits(trials: Trials) -> list[_Row]:
    """Measure optimal levels with fewer bits per level.

    Parameters
    ----------
    trials : Trials
        Training runs on one set.

    Returns
    -------
    list[dict[str, Any]]
        A row for each estimator and p, with the ratio for each width of a level.
    """
    rows = []
    for estimator, p in NARROW:
        ratios = {
            f"v={v}": trials.losses(base_bits=p, estimator=estimator, levels="optimal", level_bits=v)["ratio"]
            for v in LEVEL_BITS
        }
        rows.append({"estimator": estimator, "p": p, **ratios})
    return rows


def _fewest(rows: Iterable[_Row]) -> int | None:
    """Smallest number of bits per value that comes close to float64 SGD."""
    return min((row["bits a value"] for row in rows if row["ratio"] <= NEAR), default=None)


def needed(rows: Sequence[_Row]) -> _Row:
    """Bits per value that each kind of levels needs.

    Parameters
    ----------
    rows : Sequence[dict[str, Any]]
        From :func:`measure`.

    Returns
    -------
    dict[str, Any]
        Bits by kind of levels, and the ratio of evenly spaced to optimal levels.
    """
    bits = {kind: _fewest(row for row in rows if row["levels"] == kind) for kind in KINDS}
    uniform, optimal = bits["uniform"], bits["optimal"]
    return {**bits, "times less": uniform / optimal if uniform and optimal else None}


def _begins(steps: Steps, name: str) -> Callable[[str], None]:
    return lambda what: steps.next(f"{name}: {what}")


def run() -> Result:
    """Measure all sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    sweep: dict[str, list[_Row]] = {}
    by_estimator: list[_Row] = []
    by_set: list[_Row] = []
    spread: list[_Row] = []
    narrow: list[_Row] = []
    with Steps(len(SETS) * (1 + len(PLANES)) + len(REAL)) as steps:
        for name in SETS:
            table = load_set(name)
            steps.next(f"{name}: float64 SGD")
            trials = Trials(table)
            rows = measure(trials, _begins(steps, name))
            for estimator in COMPARED:
                part = [row for row in rows if row["estimator"] == estimator]
                by_estimator.append({"set": name, "estimator": estimator, **needed(part)})
            by_set.append({"set": name, **needed(rows)})
            spread += [{"set": name, **row} for row in variances(table)]
            if name in REAL:
                steps.next(f"{name}: levels of fewer bits")
                narrow += [{"set": name, **row} for row in by_level_bits(trials)]
            sweep[name] = rows
    reached = {row["set"] for row in by_estimator if (row["times less"] or 0) >= GOAL}.intersection(REAL)
    varied = ("base_bits", "estimator", "seed", "levels", "shared_levels", "step_size")
    return {
        "goal": f"to reach {NEAR} times float64 SGD's final full-precision training loss ({OPTIONS.epochs} epochs, median of "
        f"{len(SEEDS)} seeds), training needs {GOAL} times fewer bits per value with optimal levels for each column than with "
        f"evenly spaced levels and the same estimator ({', '.join(COMPARED)}), on at least {GOAL_SETS} of the "
        f"{len(REAL)} real sets; reached on: {', '.join(name for name in REAL if name in reached) or 'none'}",
        "met": len(reached) >= GOAL_SETS,
        "seeds": list(SEEDS),
        "options": {key: value for key, value in asdict(OPTIONS).items() if key not in varied},
        "rows": by_estimator,
        "any estimator": by_set,
        "variances": spread,
        "level bits": narrow,
        "sweep": sweep,
    }


def plot(result: Result, path: Path) -> None:
    """Plot the loss relative to float64 SGD against bits per value. Colours are kinds of levels, line styles are estimators.

    Parameters
    ----------
    result : Result
        From :func:`run`.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    columns = 3
    sweep = result["sweep"]
    lines = -(-len(sweep) // columns)
    figure = Figure(figsize=(12, 3.4 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axis, (name, rows) in zip(axes, sweep.items()):
        for estimator, style in zip(COMPARED, ("o-", "^-.", "s--"), strict=True):
            for kind, colour, size in (("uniform", "C0", 9), ("shared", "C2", 6), ("optimal", "C1", 3)):
                if kind not in PLANES[estimator]:
                    continue
                points = [row for row in rows if (row["estimator"], row["levels"]) == (estimator, kind)]
                axis.plot(
                    [row["bits a value"] for row in points],
                    [100 * max(row["ratio"] - 1, 1e-4) for row in points],
                    style,
                    color=colour,
                    markersize=size,
                    label=f"{kind}, {METHODS[estimator]}",
                )
        axis.axhline(100 * (NEAR - 1), color="k", linestyle=":", label=f"within {NEAR}")
        axis.set(title=name, yscale="log", xticks=range(1, 11))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3)
    for axis in axes[-columns:]:
        axis.set_xlabel("bits a value")
    for axis in axes[::columns]:
        axis.set_ylabel("loss above float64 SGD, %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    save_figure(figure, path)


BENCH = Bench(
    "less-data",
    "bits per value to come close to float64 SGD, with evenly spaced and with optimal levels",
    run,
    plot,
)
