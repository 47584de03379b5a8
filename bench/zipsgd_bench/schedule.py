"""Compare precision as a schedule with fixed precisions: the final loss against the bits moved.

Early epochs are far from the optimum, and do not need the bits that late ones do. A list gives each epoch its bits; "auto"
takes one bit more when the loss no longer falls. All runs use one draw, and in each epoch the automatic step of its precision.
"""

from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from zipsgd.data import Table
from zipsgd.output import save_figure
from zipsgd.training.api import train
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.options import Options
from zipsgd.training.precision import Bits
from zipsgd.training.preparation import prepare

from .few_bits import load, quiet
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "measure", "plot", "run"]

SETS = ("cadata", "cpusmall", "mnist49", "synthetic100", "departures")
SEEDS = (1, 2, 3, 4, 5)
OPTIONS = Options(epochs=20, scaling="range", keep="last", estimator="one-draw")
FIXED = (2, 3, 4, 5, 6)
LIST = (2,) * 7 + (3,) * 6 + (4,) * 7
"""Seven epochs of 2 bits, six of 3 and seven of 4."""
NEAR = 1.01
"""A schedule is as good as a fixed precision that moves no more bytes if its loss is at most this many times as large."""

_Row = dict[str, Any]


def _row(kind: str, bits: Bits, table: Table, exact: dict[int, float]) -> _Row:
    """One way to choose the bits, over all seeds."""
    runs = {seed: train(table, options=replace(OPTIONS, seed=seed, bits=bits)) for seed in exact}
    return {
        "estimator": OPTIONS.estimator,
        "bits": kind,
        "bits in the mean": median(run.bits_per_value for run in runs.values()),
        "bytes of samples": median(run.sample_bytes for run in runs.values()),
        "ratio": median(run.final_loss / exact[seed] for seed, run in runs.items()),
    }


def measure(name: str, table: Table) -> list[_Row]:
    """All ways to choose the bits, on one set.

    Parameters
    ----------
    name : str
        Name of the set.
    table : Table
        Data to train on.

    Returns
    -------
    list[dict[str, Any]]
        A row for each; of schedules, how much worse they are than the best fixed precision that moves no more bytes.
    """
    plain = replace(OPTIONS, bits=8, estimator="double")
    exact = {seed: float_sgd(prepare(table, options=replace(plain, seed=seed))).losses[-1] for seed in SEEDS}
    fixed = [_row(str(bits), bits, table, exact) for bits in FIXED]
    rows = [*fixed, _row("list", LIST, table, exact), _row("auto", "auto", table, exact)]
    for row in rows[len(fixed) :]:
        rivals = [each["ratio"] for each in fixed if each["bytes of samples"] <= row["bytes of samples"]]
        row["over the best fixed one"] = row["ratio"] / min(rivals)
    return [{"set": name, **row} for row in rows]


def run() -> Result:
    """Compare all ways to choose the bits on all sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[_Row] = []
    with Steps(len(SETS)) as steps, quiet():
        for name in SETS:
            steps.next(name)
            rows += measure(name, load(name))
    judged = [row["over the best fixed one"] for row in rows if "over the best fixed one" in row]
    return {
        "goal": f"with a list and with auto, the final loss is at most {NEAR} times that of any fixed precision that moves as "
        f"many bytes or fewer",
        "met": max(judged) <= NEAR,
        "list": list(LIST),
        "seeds": list(SEEDS),
        "rows": rows,
    }


def plot(result: Result, path: Path) -> None:
    """Plot the loss against the bytes moved, a panel for each set.

    Parameters
    ----------
    result : Result
        From :func:`run`.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(SETS), 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(SETS), squeeze=False)[0], SETS, strict=True):
        rows = [row for row in result["rows"] if row["set"] == name]
        for kind, style in (("fixed", "o-"), ("list", "s"), ("auto", "^")):
            shown = [
                row for row in rows if (row["bits"].isdigit() if kind == "fixed" else row["bits"] == kind)
            ]
            axes.plot(
                [row["bytes of samples"] / 1e6 for row in shown],
                [row["ratio"] for row in shown],
                style,
                label=kind,
            )
        axes.set(title=name, xlabel="MB of samples", yscale="log")
        axes.yaxis.set_major_formatter("{x:.3g}")
        axes.yaxis.set_minor_formatter("{x:.3g}")
    figure.axes[0].set_ylabel("final loss / float64 SGD")
    figure.axes[0].legend()
    save_figure(figure, path)


BENCH = Bench("schedule", "loss against bytes moved, of fixed bits a value and of schedules", run, plot)
