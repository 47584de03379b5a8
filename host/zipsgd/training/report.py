"""What a run was worth: against full precision and against naive quantisation, in words, numbers and a figure."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

from zipsgd.data import Table
from zipsgd.model import ClassifierResult, Model, Result
from zipsgd.protocol.formats import Build
from zipsgd.training import Options, float_sgd, train
from zipsgd.training.epochs import advice

__all__ = ["Comparison", "compare", "need_plots", "plot_losses", "save_report", "summary"]

_FLOAT_BITS = 32


@dataclass(frozen=True)
class Comparison:
    """Yardsticks of a run, with its steps and its order of samples.

    ``float_loss``: of float64 SGD after each epoch. ``naive_loss``: of naive quantisation (m = 1), per epoch while training;
    ``naive_final_loss``: of its final model on the unquantised set. ``over_float``, ``naive_over_float``: final losses of the
    run and of the naive one over that of float64 SGD.
    """

    float_loss: list[float]
    over_float: float
    naive_loss: list[float]
    naive_final_loss: float
    naive_over_float: float


def compare(
    table: Table,
    options: Options,
    result: Result,
    on_step: Callable[[str], None] = lambda what: None,
    *,
    memory: int | None = None,
) -> Comparison:
    """Float64 SGD, and naive quantisation on the emulator, on what ``result`` was trained on.

    ``on_step`` is told what begins. ``memory``: as of :func:`zipsgd.training.train`.
    """
    on_step("comparing with float64 SGD")
    float_loss, _ = float_sgd(table, options, memory=memory)
    on_step("comparing with naive quantisation")
    naive = train(table, replace(options, samples_per_value=1), build=Build(**result.build), memory=memory)
    return Comparison(
        float_loss,
        result.final_loss / float_loss[-1],
        naive.loss,
        naive.final_loss,
        naive.final_loss / float_loss[-1],
    )


def summary(result: Model, comparison: Comparison | None = None) -> list[str]:
    """A run in a few lines."""
    epochs = len(result.loss)
    lines = [f"{result.outcome()} after {epochs} epoch{'s' * (epochs > 1)} in {result.seconds:.1f} s"]
    if result.held_out_score is not None:
        lines.append(f"{result.MEASURE} {result.held_out_score:.4f} on {result.held_out:,} rows held out")
    if comparison is not None:
        lines.append(
            f"{comparison.over_float:.4f} times the loss of float64 SGD with the same steps and order; naive quantisation ends "
            f"at {comparison.naive_over_float:.4f} times"
        )
    bits: float = result.bits_per_value
    told = f"{bits} bits a value"
    if isinstance(result, ClassifierResult) and result.refetched:
        share, more = mean(result.refetched), result.build["p_max"] + result.options["samples_per_value"]
        bits += share * more
        told += f", and {more} more of the {share:.1%} of samples that came again"
    lines.append(f"{told}; float32 moves {_FLOAT_BITS}, {_FLOAT_BITS / bits:.1f} times as many")
    if result.sample_bytes is not None and result.link_bytes is not None:
        in_float = _FLOAT_BITS // 8 * result.rows * (len(result.columns) + 1) * epochs
        lines.append(
            f"{result.sample_bytes:,} bytes of samples streamed, {result.sample_bytes / result.link_bytes:.1%} of all bytes "
            f"sent; as float32 they would be {in_float:,}, {in_float / result.sample_bytes:.1f} times as many"
        )
    if result.cycles is not None and result.plane_cycles is not None and result.starved_cycles is not None:
        clock = result.build["clock_hz"]
        lines.append(
            f"{result.cycles:,} cycles, {result.cycles / clock:.3f} s at {clock / 1e6:g} MHz: "
            f"{result.plane_cycles / result.cycles:.1%} of the plane limit, waiting for samples in "
            f"{result.starved_cycles / result.cycles:.1%}"
        )
    if result.spoilt_by:
        lines.append(
            f"warning: values were saturated ({', '.join(result.spoilt_by)}): the model is not what SGD would give; use a "
            f"smaller step size{advice(result.spoilt_by)}"
        )
    return lines


def need_plots() -> None:
    """Raises ModuleNotFoundError, with what to install, where figures cannot be drawn."""
    if find_spec("matplotlib") is None:
        raise ModuleNotFoundError("figures need matplotlib: pip install 'zipsgd[plot]'")


def plot_losses(result: Result, comparison: Comparison, title: str, path: Path) -> None:
    """The loss by epoch, against float64 SGD and naive quantisation, as a PNG file."""
    need_plots()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, len(result.loss) + 1)
    p, m = result.options["base_bits"], result.options["samples_per_value"]
    naive = f"naive, p = {p}, m = 1: final model"
    axes.plot(epochs, comparison.float_loss, "k--", label="float64 SGD, after the epoch")
    axes.plot(epochs, result.loss, "o-", label=f"p = {p}, m = {m}, while training ({p + m} bits a value)")
    axes.axhline(comparison.naive_final_loss, color="C3", linestyle=":", label=naive)
    axes.axhline(result.final_loss, color="C0", linestyle=":", label=f"p = {p}, m = {m}: final model")
    axes.set(xlabel="epoch", ylabel="mean squared residual", title=title, yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120)


def save_report(folder: Path, title: str, result: Result, comparison: Comparison) -> list[Path]:
    """Write ``report.json`` and ``loss.png`` into ``folder``; the files' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "report.json", folder / "loss.png"]
    content = {"title": title, **result.as_dict(), "comparison": asdict(comparison)}
    paths[0].write_text(json.dumps(content, indent=1) + "\n")
    plot_losses(result, comparison, title, paths[1])
    return paths
