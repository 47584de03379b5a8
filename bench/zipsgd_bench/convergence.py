"""Full-precision training loss after quantised training, over that of float64 SGD with the same schedule and order.

Every run trains on features quantised afresh in each epoch and is judged on the features as they are. With m = 2 (double
sampling) it should lose next to nothing; m = 1 (naive stochastic) and m = 0 (truncation) are there to show what it cures.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from zipsgd.backends import open_backend
from zipsgd.data import Scaling, Table, load_set
from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.training import EpochReport, Options, float_sgd, train

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "compare", "plot", "run"]

SETS = ("cadata", "cpusmall")
GOALS = {1: 1.05, 2: 1.02, 3: 1.01, 4: 1.01}
"""Largest ratio of losses for double sampling, by p."""
PLANES = (2, 1, 0)
METHODS = {2: "double sampling (m = 2)", 1: "naive stochastic (m = 1)", 0: "truncation (m = 0)"}
SEEDS = (1, 2, 3, 4, 5)
OPTIONS = Options(batch_size=16, step_size=0.1, schedule="linear", epochs=20)
"""Of every run, float64 and quantised, beside seed, p and m. A seed decides order, up bits and the device's LFSRs."""

_Curve = list[float]


def _quantised_curve(table: Table, options: Options) -> _Curve:
    """Full-precision training loss after each epoch on the emulator: the device's own arithmetic."""
    scaling = Scaling.fit(table)
    values = scaling.features(table.features).astype(np.float64)
    target = scaling.labels(table.labels) * 2.0**-LABEL_FRAC
    backend = open_backend("emulator")
    curve = []

    def judge(report: EpochReport) -> None:
        model = backend.model() * 2.0**-backend.build.model_frac
        curve.append(float(np.mean((values @ model - target) ** 2)))

    train(table, options, backend=backend, on_epoch=judge)
    return curve


def compare(
    name: str,
    table: Table,
    options: Options = OPTIONS,
    seeds: Sequence[int] = SEEDS,
    begin: Callable[[str], None] = lambda what: None,
) -> tuple[list[dict[str, Any]], dict[str, _Curve]]:
    """Table rows and loss curves by epoch (medians over the seeds) of one set.

    ``begin`` is told what comes: float64 SGD, then each m.
    """
    begin(f"{name}: float64 SGD")
    reference = [float_sgd(table, replace(options, seed=seed))[0] for seed in seeds]
    rows, curves = [], {"float64 SGD": np.median(reference, axis=0).tolist()}
    for m in PLANES:
        begin(f"{name}: {METHODS[m]}")
        for p in GOALS:
            runs = [
                _quantised_curve(table, replace(options, seed=seed, base_bits=p, samples_per_value=m))
                for seed in seeds
            ]
            ratios = [run[-1] / exact[-1] for run, exact in zip(runs, reference, strict=True)]
            ratio = statistics.median(ratios)
            goal = GOALS[p] if m == 2 else None
            rows.append(
                {
                    "set": name,
                    "m": m,
                    "p": p,
                    "bits a value": p + m,
                    "loss": statistics.median(run[-1] for run in runs),
                    "float64 SGD": curves["float64 SGD"][-1],
                    "ratio": ratio,
                    "lowest": min(ratios),
                    "highest": max(ratios),
                    "goal": goal,
                    "met": None if goal is None else ratio <= goal,
                }
            )
            curves[f"m={m} p={p}"] = np.median(runs, axis=0).tolist()
    return rows, curves


def run() -> Result:
    """Both sets, all p and m."""
    rows: list[dict[str, Any]] = []
    curves: dict[str, dict[str, _Curve]] = {}
    with Steps(len(SETS) * (1 + len(PLANES))) as steps:
        for name in SETS:
            table, curves[name] = compare(name, load_set(name), begin=steps.next)
            rows += table
    goals = ", ".join(f"p={p}: {goal}" for p, goal in GOALS.items())
    varied = ("base_bits", "samples_per_value", "seed")
    return {
        "goal": f"double sampling: final full-precision training loss over float64 SGD, median of {len(SEEDS)} seeds, at "
        f"most {goals}",
        "met": all(row["met"] for row in rows if row["goal"] is not None),
        "seeds": list(SEEDS),
        "options": {key: value for key, value in asdict(OPTIONS).items() if key not in varied},
        "rows": rows,
        "curves": curves,
    }


def plot(result: Result, path: Path) -> None:
    """Left: ratio of final losses by p. Right: loss by epoch at p = 1."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(10, 3.6 * len(SETS)), layout="constrained")
    axes = figure.subplots(len(SETS), 2, squeeze=False)
    for name, (left, right) in zip(SETS, axes):
        for m in PLANES:
            rows = [row for row in result["rows"] if row["set"] == name and row["m"] == m]
            ratios = np.array([[row["ratio"], row["lowest"], row["highest"]] for row in rows])
            spread = np.abs(ratios[:, 1:] - ratios[:, :1]).T
            left.errorbar(
                [row["p"] for row in rows], ratios[:, 0], spread, marker="o", capsize=3, label=METHODS[m]
            )
        left.step(list(GOALS), list(GOALS.values()), "k:", where="mid", label="goal for double sampling")
        left.set(xlabel="base planes p", ylabel="final loss / float64 SGD", yscale="log", xticks=list(GOALS))
        left.set_title(
            f"{name}: {result['options']['epochs']} epochs, median and range of {len(result['seeds'])} seeds"
        )
        curves = result["curves"][name]
        epochs = range(1, result["options"]["epochs"] + 1)
        for m in PLANES:
            right.plot(epochs, curves[f"m={m} p=1"])
        right.plot(epochs, curves["float64 SGD"], "k--", label="float64 SGD")
        right.set(xlabel="epoch", ylabel="full-precision training loss", yscale="log", xticks=epochs[4::5])
        right.set_title(f"{name}: p = 1")
        for axis in (left, right):
            low, high = axis.get_ylim()
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("{x:.3g}" if high < 10 * low else NullFormatter())
    entries = [entry for axis in axes[0] for entry in zip(*axis.get_legend_handles_labels())]
    figure.legend(*zip(*entries), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=120)


BENCH = Bench(
    "convergence", "loss after quantised training over that of float64 SGD, on two real sets", run, plot
)
