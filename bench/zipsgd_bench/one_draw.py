"""Compare one draw and a diagonal with double sampling, at equal bits a value and equal numbers of epochs.

Every run has its own automatic step, and is compared with float64 SGD with its own. Naive quantisation shows the bias that one
draw corrects, and truncation that of rounding down. Where draws are made once for all epochs, as on a device that keeps its
samples, noise does not average out over the epochs. A separate table tells what the mean of the models of the second half of
the epochs gains, and another one whether smaller steps than the automatic one would be better.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.output import save_figure
from zipsgd.training.options import Options

from .convergence import DRAWS, METHODS
from .few_bits import Trials, load, quiet
from .one_draw_goals import EQUAL_BITS, FEW, GOAL_SETS, NEAR, REAL, equal_bits, fewest, goals
from .progress import Steps
from .registry import Bench, Result

__all__ = [
    "BENCH",
    "average",
    "classes",
    "configurations",
    "measure",
    "plot",
    "run",
    "steps",
]

SETS = (*REAL, "synthetic100", "departures")
SEEDS = (1, 2, 3, 4, 5)
ESTIMATORS = ("double", "one-draw", "naive", "truncated")
UNBIASED = ESTIMATORS[:2]
"""Estimators that are also measured with draws made once."""
BITS = range(1, 7)
"""Bits a value that are tried: up to 5, and 6 where 5 are not close to float64 SGD."""
CLOSE = 1.005
ONCE_BITS = 4
"""Most bits a value that are tried with draws made once."""
LEAST_PLANES = {"uniform": 1, "optimal": 0}
MOST_PLANES = {"uniform": 8, "optimal": 4}
OPTIONS = Options(epochs=20, scaling="range", keep="last")
"""Options of every run, without seed, estimator, bits, levels and draws."""
CLASS_SETS = ("breast_cancer", "digits", "mnist5k")
CLASS_BITS = range(2, 6)
CLASS_SEEDS = (1, 2, 3)
COARSE = (("optimal", 1), ("uniform", 2))
"""Levels and bits of the runs of one draw for which averages and steps are tried."""
AVERAGES = {
    "last, linear": ("linear", False),
    "mean, linear": ("linear", True),
    "mean, constant": ("constant", True),
}
"""Schedules, and whether the mean of the models is taken."""
SIZES = (0.25, 0.5, 1.0, 2.0)
"""Step sizes relative to the automatic one."""

_Row = dict[str, Any]
_Float = npt.NDArray[np.float64]
_Configuration = tuple[str, str, int, bool]


def configurations() -> Iterator[_Configuration]:
    """What is measured on each set, if nothing is close enough to be left out.

    Yields
    ------
    estimator, levels : str
        Estimator and kind of levels.
    bits : int
        Bits a value.
    fresh : bool
        Whether draws are new in each epoch. Naive quantisation is only measured with new ones. Truncation has none; it is
        measured on even levels, because optimal ones are placed for stochastic rounding.
    """
    for fresh in (True, False):
        for estimator in ESTIMATORS if fresh else UNBIASED:
            for levels, least in LEAST_PLANES.items():
                for bits in BITS if (estimator, levels) != ("truncated", "optimal") else ():
                    tried = fresh or bits <= ONCE_BITS
                    if tried and least <= bits - DRAWS[estimator] <= MOST_PLANES[levels]:
                        yield estimator, levels, bits, fresh


def measure(trials: Trials) -> list[_Row]:
    """Measure all :func:`configurations`.

    Parameters
    ----------
    trials : Trials
        Training runs on one set.

    Returns
    -------
    list[dict[str, Any]]
        A row for each configuration.
    """
    rows: list[_Row] = []
    for estimator, levels, bits, fresh in configurations():
        if bits == BITS[-1] and rows[-1]["ratio"] <= CLOSE:
            continue
        found = trials.measure(estimator=estimator, levels=levels, bits=bits, fresh=fresh)
        draws = "each epoch" if fresh else "once"
        rows.append({"estimator": estimator, "levels": levels, "bits": bits, "draws": draws, **found})
    return rows


def average(trials: Trials) -> list[_Row]:
    """What the mean of the models of the second half of the epochs gains over the last model, for one draw.

    Parameters
    ----------
    trials : Trials
        Training runs on one set.

    Returns
    -------
    list[dict[str, Any]]
        A row for each of :data:`COARSE` and each kind of draws: ratios for each of
        :data:`AVERAGES`.
    """
    first = trials.epochs // 2 + 1
    rows = []
    for levels, bits in COARSE:
        for fresh in (True, False):
            row: _Row = {"levels": levels, "bits": bits, "draws": "each epoch" if fresh else "once"}
            for what, (schedule, mean) in AVERAGES.items():
                start = first if mean else 0
                found = trials.measure(
                    estimator="one-draw",
                    levels=levels,
                    bits=bits,
                    fresh=fresh,
                    schedule=schedule,
                    average=start,
                )
                row[what] = found["ratio"]
            rows.append(row)
    return rows


def steps(trials: Trials) -> list[_Row]:
    """Losses of one draw with other steps than the automatic one.

    Parameters
    ----------
    trials : Trials
        Training runs on one set.

    Returns
    -------
    list[dict[str, Any]]
        A row for each of :data:`COARSE`: the automatic step, and the ratio for each size.
    """
    rows = []
    for levels, bits in COARSE:
        found = {size: trials.measure(size, estimator="one-draw", levels=levels, bits=bits) for size in SIZES}
        ratios = {f"x {size:g}": row["ratio"] for size, row in found.items()}
        rows.append({"levels": levels, "bits": bits, "step": found[1.0]["step"], **ratios})
    return rows


def classes(trials: Trials) -> list[_Row]:
    """Loss and accuracy with the squared hinge on even levels.

    Parameters
    ----------
    trials : Trials
        Training runs on one set of classes.

    Returns
    -------
    list[dict[str, Any]]
        A row for each estimator and number of bits.
    """
    rows = []
    for estimator in ESTIMATORS:
        for bits in CLASS_BITS:
            if bits > DRAWS[estimator]:
                found = trials.measure(estimator=estimator, bits=bits)
                told = {"accuracy": found["score"], "accuracy, float64 SGD": trials.exact_score}
                kept = {key: found[key] for key in ("ratio", "lowest", "highest", "step")}
                rows.append({"estimator": estimator, "bits": bits, **kept, **told})
    return rows


def run() -> Result:
    """Measure all sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[_Row] = []
    averages: list[_Row] = []
    sizes: list[_Row] = []
    told: list[_Row] = []
    parts: tuple[tuple[str, list[_Row], Callable[[Trials], list[_Row]]], ...] = (
        ("all estimators", rows, measure),
        ("averages", averages, average),
        ("steps", sizes, steps),
    )
    with Steps(len(SETS) * len(parts) + len(CLASS_SETS)) as begun, quiet():
        for name in SETS:
            trials = Trials(load(name), OPTIONS, SEEDS)
            for what, table, part in parts:
                begun.next(f"{name}: {what}")
                table += [{"set": name, **row} for row in part(trials)]
        for name in CLASS_SETS:
            begun.next(name)
            options = replace(OPTIONS, classify=True, calibrate=False)
            told += [{"set": name, **row} for row in classes(Trials(load(name), options, CLASS_SEEDS))]
    equal = equal_bits(rows)
    few = fewest(rows)
    counted = goals(equal, few)
    varied = ("seed", "estimator", "bits", "base_bits", "levels", "fresh", "step_size")
    return {
        "goal": f"with the automatic step and draws of each epoch, the final full-precision training loss ({OPTIONS.epochs} "
        f"epochs, median of {len(SEEDS)} seeds) of one draw on even levels is at most that of double sampling with as many "
        f"bits, at each of {EQUAL_BITS} bits on at least {GOAL_SETS} of {len(SETS)} sets; "
        f"one draw is within {NEAR[1]} of float64 SGD on 2 bits or fewer on {FEW[2]} of the {len(REAL)} real sets, and on 1 "
        f"bit on {FEW[1]}",
        "met": all(row["met"] for row in counted),
        "seeds": list(SEEDS),
        "options": {key: value for key, value in asdict(OPTIONS).items() if key not in varied},
        "rows": rows,
        "equal bits": equal,
        "fewest bits": few,
        "averages": averages,
        "steps": sizes,
        "classes": told,
        "goals": counted,
    }


def plot(result: Result, path: Path) -> None:
    """Plot the loss relative to float64 SGD against the bits a value and the bytes a row that are moved, a panel for each set.

    Parameters
    ----------
    result : Result
        From :func:`run`.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    styles = {
        ("uniform", "each epoch"): ("o-", "even levels"),
        ("optimal", "each epoch"): ("s--", "optimal levels"),
        ("uniform", "once"): ("x:", "even levels, draws made once"),
    }
    names = list(dict.fromkeys(row["set"] for row in result["rows"]))
    figure = Figure(figsize=(12, 3.6 * -(-len(names) // 3)), layout="constrained")
    axes = figure.subplots(-(-len(names) // 3), 3, squeeze=False, sharey=True).ravel()
    for axis, name in zip(axes, names):
        for colour, estimator in enumerate(ESTIMATORS):
            for (levels, draws), (style, what) in styles.items():
                points = [
                    row
                    for row in result["rows"]
                    if (row["set"], row["estimator"]) == (name, estimator)
                    and (row["levels"], row["draws"]) == (levels, draws)
                ]
                axis.plot(
                    [row["bits"] for row in points],
                    [100 * max(row["ratio"] - 1, 1e-4) for row in points],
                    style,
                    color=f"C{colour}",
                    markersize=4,
                    label=f"{METHODS[estimator]}, {what}" if points else None,
                )
        axis.set(title=name, yscale="log", xticks=BITS, xlabel="bits a value")
        moved = {row["bits"]: row["bytes a row"] for row in result["rows"] if row["set"] == name}
        slope, offset = np.polyfit(list(moved), list(moved.values()), 1)  # planes have as many bytes each
        to_bytes, to_bits = _line(slope, offset), _line(1 / slope, -offset / slope)
        axis.secondary_xaxis("top", functions=(to_bytes, to_bits)).set_xlabel("bytes a row in each epoch")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3)
    for axis in axes[::3]:
        axis.set_ylabel("loss above float64 SGD, %")
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    save_figure(figure, path)


def _line(slope: float, offset: float) -> Callable[[_Float], _Float]:
    return lambda values: slope * values + offset


BENCH = Bench("one-draw", "loss of one draw and a diagonal against double sampling at equal bits", run, plot)
