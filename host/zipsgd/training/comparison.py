"""Comparison of a run with float64 SGD and with naive quantisation, as numbers, text and figure."""

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from zipsgd.backends import BackendOptions
from zipsgd.output import write_file
from zipsgd.protocol.formats import Build

from .api import train_task
from .full_precision import float_sgd
from .guard import describe
from .options import Options
from .parts import Parts
from .plots import plot_comparison
from .preparation import prepare
from .result import RegressionResult, Result
from .task import Task

__all__ = ["Comparison", "compare", "compare_task", "save_report", "summary"]

_FLOAT_BYTES = 4

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """Results of float64 SGD and of naive quantisation, with the same steps and the same order of samples as a run.

    Parameters
    ----------
    float_loss : list of float
        Loss of float64 SGD after each epoch.
    float_score : float
        Score of the final model of float64 SGD.
    over_float : float
        Ratio of the run's final loss to that of float64 SGD.
    naive_loss : list of float
        Loss of naive quantisation (m = 1) during each epoch.
    naive_final_loss, naive_score : float
        Loss and score of the final model of naive quantisation, on the unquantised rows.
    naive_over_float : float
        Ratio of the final loss of naive quantisation to that of float64 SGD.
    """

    float_loss: list[float]
    float_score: float | None
    over_float: float
    naive_loss: list[float]
    naive_final_loss: float
    naive_score: float | None
    naive_over_float: float


def compare(X: Any, y: Any, options: Options, result: Result, **prepared: Any) -> Comparison:
    """Compare a run with float64 SGD, and with naive quantisation on the emulator.

    Parameters
    ----------
    X, y : array or Table
        The data of the run, see :func:`zipsgd.train`; ``y`` is None for a table.
    options : Options
        The options of the run.
    result : Result
        The result of the run.
    prepared
        ``weights`` and ``memory`` of the run, see :func:`zipsgd.train`.

    Returns
    -------
    Comparison
        Losses and scores of both.
    """
    return compare_task(
        prepare(X, y, options, **prepared, parts=Parts.of_build(Build(**result.build))), result
    )


def compare_task(task: Task, result: Result) -> Comparison:
    """Compare a run on a prepared task with float64 SGD and with naive quantisation.

    Parameters
    ----------
    task : Task
        The task of the run.
    result : Result
        The result of the run.

    Returns
    -------
    Comparison
        Losses and scores of both.
    """
    _log.info("comparing with float64 SGD")
    exact = float_sgd(task)
    _log.info("comparing with naive quantisation")
    config = replace(task.config, m=1, diagonal=None)
    plain = replace(task.options, estimator="naive", bits=None, patience=0, keep="last")
    naive = train_task(
        replace(task, options=plain, config=config),
        backend=BackendOptions("emulator", Build(**result.build)),
    )
    return Comparison(
        exact.losses,
        exact.scores[-1],
        result.final_loss / exact.losses[-1],
        naive.loss,
        naive.final_loss,
        naive.train_score,
        naive.final_loss / exact.losses[-1],
    )


def summary(result: Result, comparison: Comparison | None = None) -> list[str]:
    """Describe a run in a few lines of text.

    Parameters
    ----------
    result : Result
        The result of the run.
    comparison : Comparison or None
        Comparison with float64 SGD and naive quantisation; None to leave it out.

    Returns
    -------
    list of str
        Lines of text.
    """
    epochs = len(result.loss)
    lines = [f"{result.outcome()} after {epochs} epoch{'s' * (epochs > 1)} in {result.seconds:.1f} s"]
    if result.kept_epoch != epochs:
        lines.append(f"the model of epoch {result.kept_epoch} is kept, the best one")
    if result.held_out_score is not None:
        lines.append(
            f"{result.scoring.title} {result.held_out_score:.4f} on {result.held_out:,} rows held out"
        )
    if comparison is not None:
        lines.append(
            f"{comparison.over_float:.4f} times the loss of float64 SGD with the same steps and order; naive quantisation ends "
            f"at {comparison.naive_over_float:.4f} times"
        )
    bits = result.bits_per_value
    told = f"{bits:.3g} bit{'s' * (bits != 1)} a value{'' if bits % 1 == 0 else ' in the mean'}"
    if result.refetched:
        share = mean(result.refetched)
        more = result.build["p_max"] + result.bits_per_value - result.options["base_bits"]
        told += f", and {more} more of the {share:.1%} of samples that came again"
    moved = result.sample_bytes / (result.rows * epochs)
    labels = len(result.intercept) if isinstance(result, RegressionResult) and result.several else 1
    in_float = _FLOAT_BYTES * (len(result.columns) + labels)
    if moved:
        times = in_float / moved
        lines.append(
            f"{told}: {moved:.4g} bytes a row with labels and padding; float32 moves {in_float:,}, {times:.1f} times as many"
        )
    else:
        lines.append(f"{told}; no sample was sent, as the board held them all")
    if result.exchange_bytes:
        lines.append(
            f"{result.exchange_bytes:,} bytes of models went to {result.options['shards']} shards and back, beside "
            f"{result.sample_bytes:,} bytes of samples"
        )
    if result.link_bytes is not None:
        lines.append(
            f"{result.sample_bytes:,} bytes of samples streamed, {result.sample_bytes / result.link_bytes:.1%} of all bytes "
            f"sent"
        )
    if result.cycles is not None and result.plane_cycles is not None and result.starved_cycles is not None:
        clock = result.build["clock_hz"]
        lines.append(
            f"{result.cycles:,} cycles, {result.cycles / clock:.3f} s at {clock / 1e6:g} MHz: "
            f"{result.plane_cycles / result.cycles:.1%} of the plane limit, waiting for samples in "
            f"{result.starved_cycles / result.cycles:.1%}"
        )
    lines += result.scaling_lines()
    if result.warnings:
        lines.append(f"warning: {describe(result.warnings)}")
    return lines


def save_report(folder: Path, title: str, result: Result, comparison: Comparison) -> list[Path]:
    """Write ``report.json`` and ``loss.png``.

    Parameters
    ----------
    folder : Path
        Folder for both files; it is created if necessary.
    title : str
        Title of the figure.
    result : Result
        The result of the run.
    comparison : Comparison
        Comparison with float64 SGD and naive quantisation.

    Returns
    -------
    list of Path
        Paths of the two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "report.json", folder / "loss.png"]
    content = {"title": title, **result.as_dict(), "comparison": asdict(comparison)}
    write_file(paths[0], json.dumps(content, indent=1) + "\n")
    plot_comparison(result, comparison, title, paths[1])
    return paths
