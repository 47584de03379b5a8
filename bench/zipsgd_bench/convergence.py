"""Compare the full-precision training loss after quantised training with that of float64 SGD.

Both use the same step sizes and the same order of rows. Every run quantises the features anew in each epoch, and is evaluated
on the unquantised features. With m = 2 (double sampling), the loss should be nearly the same. m = 1 (naive stochastic
quantisation) and m = 0 (truncation) show the bias that double sampling removes.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from zipsgd.data import Table, load_set
from zipsgd.output import save_figure
from zipsgd.training.api import train
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "compare", "plot", "run"]

SETS = ("cadata", "cpusmall")
GOALS = {1: 1.05, 2: 1.02, 3: 1.01, 4: 1.01}
"""Largest ratio of the losses for double sampling, for each p."""
PLANES = (2, 1, 0)
ESTIMATORS = {2: "double", 1: "naive", 0: "truncated"}
METHODS = {2: "double sampling (m = 2)", 1: "naive stochastic (m = 1)", 0: "truncation (m = 0)"}
SEEDS = (1, 2, 3, 4, 5)
OPTIONS = Options(batch_size=16, step_size=0.1, schedule="linear", epochs=20, scaling="range")
"""Options of every run, without seed, p and m. A seed determines the order of rows, the up bits and the device's LFSRs."""

_Curve = list[float]


def _quantised_curve(table: Table, options: Options) -> _Curve:
    """Full-precision training loss after each epoch on the emulator: the device's own arithmetic."""
    return train(table, options=options, measure=True).exact_losses


def compare(
    name: str,
    table: Table,
    options: Options = OPTIONS,
    seeds: Sequence[int] = SEEDS,
    begin: Callable[[str], None] = lambda what: None,
) -> tuple[list[dict[str, Any]], dict[str, _Curve]]:
    """Compare all p and m on one set.

    Parameters
    ----------
    name : str
        Name of the set.
    table : Table
        Features and labels.
    options : Options
        Options of every run; seed, p and m are replaced.
    seeds : Sequence[int]
        Seeds of the runs.
    begin : Callable[[str], None]
        Called before each step: float64 SGD, then each m.

    Returns
    -------
    rows : list[dict[str, Any]]
        A row for each p and m.
    curves : dict[str, list[float]]
        Loss after each epoch, as the median over the seeds.
    """
    begin(f"{name}: float64 SGD")
    reference = [float_sgd(prepare(table, options=replace(options, seed=seed))).losses for seed in seeds]
    rows, curves = [], {"float64 SGD": np.median(reference, axis=0).tolist()}
    for m in PLANES:
        begin(f"{name}: {METHODS[m]}")
        for p in GOALS:
            runs = [
                _quantised_curve(table, replace(options, seed=seed, base_bits=p, estimator=ESTIMATORS[m]))
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
    """Compare all p and m on both sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[dict[str, Any]] = []
    curves: dict[str, dict[str, _Curve]] = {}
    with Steps(len(SETS) * (1 + len(PLANES))) as steps:
        for name in SETS:
            table, curves[name] = compare(name, load_set(name), begin=steps.next)
            rows += table
    goals = ", ".join(f"p={p}: {goal}" for p, goal in GOALS.items())
    varied = ("base_bits", "estimator", "seed")
    return {
        "goal": f"with double sampling, the ratio of the final full-precision training loss to that of float64 SGD (median of "
        f"{len(SEEDS)} seeds) is at most {goals}",
        "met": all(row["met"] for row in rows if row["goal"] is not None),
        "seeds": list(SEEDS),
        "options": {key: value for key, value in asdict(OPTIONS).items() if key not in varied},
        "rows": rows,
        "curves": curves,
    }


def plot(result: Result, path: Path) -> None:
    """Plot the ratio of the final losses by p (left), and the loss by epoch for p = 1 (right).

    Parameters
    ----------
    result : Result
        From :func:`run`.
    path : Path
        PNG file to write.
    """
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
    save_figure(figure, path)


BENCH = Bench("convergence", "loss of quantised training relative to float64 SGD on two real sets", run, plot)
