"""Compare the full-precision training loss after quantised training with that of float64 SGD.

Both use the same step sizes and the same order of rows. Every run quantises the features anew in each epoch, and is evaluated
on the unquantised features. With double sampling and with one draw, the loss should be nearly the same. Naive stochastic
quantisation and truncation show the bias that these two remove.
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
GOALS = {3: 1.05, 4: 1.02, 5: 1.01, 6: 1.01}
"""Largest ratio of the losses for the estimators without bias, for each number of bits a value."""
PLANES = (1, 2, 3, 4)
"""Base planes that are tried."""
DRAWS = {"double": 2, "one-draw": 1, "naive": 1, "truncated": 0}
"""The estimators, and the bits a value that they add to the base planes."""
UNBIASED = ("double", "one-draw")
METHODS = {
    "double": "double sampling",
    "one-draw": "one draw",
    "naive": "naive stochastic",
    "truncated": "truncation",
}
"""Names of the estimators in figures."""
SEEDS = (1, 2, 3, 4, 5)
OPTIONS = Options(batch_size=16, step_size=0.1, schedule="linear", epochs=20, scaling="range")
"""Options of every run, without seed, base planes and estimator. A seed determines the order of rows, the up bits and the
device's LFSRs."""

CURVE_BITS = 3
"""Bits a value of the runs whose losses are drawn epoch by epoch."""

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
    """Compare all estimators and base planes on one set.

    Parameters
    ----------
    name : str
        Name of the set.
    table : Table
        Features and labels.
    options : Options
        Options of every run; seed, base planes and estimator are replaced.
    seeds : Sequence[int]
        Seeds of the runs.
    begin : Callable[[str], None]
        Called before each step: float64 SGD, then each estimator.

    Returns
    -------
    rows : list[dict[str, Any]]
        A row for each estimator and number of base planes.
    curves : dict[str, list[float]]
        Loss after each epoch, as the median over the seeds.
    """
    begin(f"{name}: float64 SGD")
    reference = [float_sgd(prepare(table, options=replace(options, seed=seed))).losses for seed in seeds]
    rows, curves = [], {"float64 SGD": np.median(reference, axis=0).tolist()}
    for estimator, draws in DRAWS.items():
        begin(f"{name}: {METHODS[estimator]}")
        for p in PLANES:
            runs = [
                _quantised_curve(table, replace(options, seed=seed, base_bits=p, estimator=estimator))
                for seed in seeds
            ]
            ratios = [run[-1] / exact[-1] for run, exact in zip(runs, reference, strict=True)]
            ratio = statistics.median(ratios)
            goal = GOALS.get(p + draws) if estimator in UNBIASED else None
            rows.append(
                {
                    "set": name,
                    "estimator": estimator,
                    "p": p,
                    "bits a value": p + draws,
                    "loss": statistics.median(run[-1] for run in runs),
                    "float64 SGD": curves["float64 SGD"][-1],
                    "ratio": ratio,
                    "lowest": min(ratios),
                    "highest": max(ratios),
                    "goal": goal,
                    "met": None if goal is None else ratio <= goal,
                }
            )
            curves[f"{estimator} p={p}"] = np.median(runs, axis=0).tolist()
    return rows, curves


def run() -> Result:
    """Compare all estimators on both sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[dict[str, Any]] = []
    curves: dict[str, dict[str, _Curve]] = {}
    with Steps(len(SETS) * (1 + len(DRAWS))) as steps:
        for name in SETS:
            table, curves[name] = compare(name, load_set(name), begin=steps.next)
            rows += table
    goals = ", ".join(f"{bits} bits: {goal}" for bits, goal in GOALS.items())
    varied = ("base_bits", "estimator", "seed")
    return {
        "goal": f"with double sampling and with one draw, the ratio of the final full-precision training loss to that of "
        f"float64 SGD (median of {len(SEEDS)} seeds) is at most {goals}",
        "met": all(row["met"] for row in rows if row["goal"] is not None),
        "seeds": list(SEEDS),
        "options": {key: value for key, value in asdict(OPTIONS).items() if key not in varied},
        "rows": rows,
        "curves": curves,
    }


def plot(result: Result, path: Path) -> None:
    """Plot the ratio of the final losses by bits (left), and the loss by epoch on 3 bits a value (right).

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
        curves = result["curves"][name]
        epochs = range(1, result["options"]["epochs"] + 1)
        for estimator, draws in DRAWS.items():
            rows = [row for row in result["rows"] if row["set"] == name and row["estimator"] == estimator]
            ratios = np.array([[row["ratio"], row["lowest"], row["highest"]] for row in rows])
            spread = np.abs(ratios[:, 1:] - ratios[:, :1]).T
            bits = [row["bits a value"] for row in rows]
            left.errorbar(bits, ratios[:, 0], spread, marker="o", capsize=3, label=METHODS[estimator])
            right.plot(epochs, curves[f"{estimator} p={CURVE_BITS - draws}"])
        left.step(list(GOALS), list(GOALS.values()), "k:", where="mid", label="goal for the first two")
        left.set(xlabel="bits a value", ylabel="final loss / float64 SGD", yscale="log", xticks=range(1, 7))
        left.set_title(
            f"{name}: {result['options']['epochs']} epochs, median and range of {len(result['seeds'])} seeds"
        )
        right.plot(epochs, curves["float64 SGD"], "k--", label="float64 SGD")
        right.set(xlabel="epoch", ylabel="full-precision training loss", yscale="log", xticks=epochs[4::5])
        right.set_title(f"{name}: {CURVE_BITS} bits a value")
        for axis in (left, right):
            low, high = axis.get_ylim()
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("{x:.3g}" if high < 10 * low else NullFormatter())
    entries = [entry for axis in axes[0] for entry in zip(*axis.get_legend_handles_labels())]
    figure.legend(*zip(*entries), loc="outside lower center", ncols=3)
    save_figure(figure, path)


BENCH = Bench("convergence", "loss of quantised training relative to float64 SGD on two real sets", run, plot)
