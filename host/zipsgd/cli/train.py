"""``zipsgd train``"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from zipsgd.backends import Backend, open_backend
from zipsgd.data import Table
from zipsgd.training import EpochReport, Options, Result, float_sgd, train

from .options import add_backend, add_build, add_data, add_training, build_of, options_of, table_of

__all__ = ["add", "choose_backend", "train_with_progress"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "train",
        help="train a model",
        description="Train a linear model by least squares on quantised samples; every value streams p + m bits.",
    )
    add_data(command)
    add_backend(command)
    add_training(command)
    add_build(command)
    command.add_argument("--save", type=Path, metavar="FILE", help="write the model, for 'zipsgd predict'")
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="write everything there is to know of the run"
    )
    command.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="compare with float64 SGD and with naive quantisation; write report.json and loss.png there",
    )
    command.add_argument("--quiet", action="store_true", help="no progress, no summary")
    command.set_defaults(run=run)


def choose_backend(name: str, arguments: argparse.Namespace, table: Table, console: Console) -> Backend:
    """The backend that the arguments ask for; of a real board, whatever build is on it."""
    simulated = name in ("sim", "emulator", "golden")
    return open_backend(
        name,
        build_of(arguments, table.features.shape[1] + 1) if simulated else None,
        baud=arguments.baud,
        trace=arguments.trace,
        progress=console.print,
    )


def _line(report: EpochReport, samples: int) -> str:
    result = report.result
    text = f"epoch {report.number:3}  loss {report.loss:.6f}  {samples / report.seconds:11,.0f} samples/s"
    if result.cycles is not None and result.plane_cycles is not None:
        text += f"  {result.cycles:13,} cycles  {result.plane_cycles / result.cycles:6.1%} of the plane limit"
    return text


def train_with_progress(table: Table, options: Options, backend: Backend, console: Console) -> Result:
    """Train, with a bar for the epoch at hand and a line for each one done."""
    rows = table.labels.size
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} samples"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("epoch 1", total=rows)

        def on_samples(epoch: int, done: int) -> None:
            progress.update(task, completed=done, description=f"epoch {epoch}")

        def on_epoch(report: EpochReport) -> None:
            progress.console.print(_line(report, rows), highlight=False, soft_wrap=True)

        return train(table, options, backend=backend, on_samples=on_samples, on_epoch=on_epoch)


def _summary(result: Result, rows: int) -> list[str]:
    values = rows * len(result.model_words) * len(result.loss)
    lines = [
        f"loss {result.final_loss:.6f} (mean squared residual, labels scaled to [-1, 1]) after {len(result.loss)} epochs in "
        f"{result.seconds:.1f} s",
        f"{result.bits_per_value} bits a value, where float32 moves 32: {32 / result.bits_per_value:.1f} times less",
    ]
    if result.sample_bytes is not None and result.link_bytes is not None:
        lines.append(
            f"{result.sample_bytes:,} bytes of samples streamed, {4 * values:,} in float32: "
            f"{4 * values / result.sample_bytes:.1f} times less; they are {result.sample_bytes / result.link_bytes:.1%} of all "
            f"bytes sent"
        )
    if result.flags:
        lines.append(
            f"warning: values were saturated ({', '.join(result.flags)}): the model is not what SGD would give; use a smaller "
            f"step size"
        )
    return lines


def _compare(
    table: Table, options: Options, result: Result, backend: Backend, console: Console
) -> dict[str, Any]:
    """The yardsticks: float64 SGD, and naive quantisation with the same bits a value on the same gateware's emulator."""
    from dataclasses import replace

    console.print("comparing with float64 SGD and with naive quantisation ...")
    float_loss, _ = float_sgd(table, options)
    naive = train(
        table,
        replace(options, samples_per_value=1),
        backend=open_backend("emulator", backend.build),
    )
    return {
        "float_loss": float_loss,
        "over_float": result.final_loss / float_loss[-1],
        "naive_loss": naive.loss,
        "naive_final_loss": naive.final_loss,
        "naive_over_float": naive.final_loss / float_loss[-1],
    }


def _plot(result: Result, comparison: dict[str, Any], title: str, path: Path) -> None:
    from matplotlib.figure import Figure

    epochs = range(1, len(result.loss) + 1)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    p, m = result.options["base_bits"], result.options["samples_per_value"]
    axes.plot(
        epochs,
        comparison["float_loss"],
        "k--",
        label="float64 SGD, after the epoch (32 bits a value on a link)",
    )
    axes.plot(epochs, result.loss, "o-", label=f"p = {p}, m = {m}, while training ({p + m} bits)")
    axes.axhline(
        comparison["naive_final_loss"], color="C3", linestyle=":", label=f"naive, p = {p}, m = 1: final model"
    )
    axes.axhline(result.final_loss, color="C0", linestyle=":", label=f"p = {p}, m = {m}: final model")
    axes.set(xlabel="epoch", ylabel="mean squared residual", title=title, yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120)


def run(arguments: argparse.Namespace) -> int:
    console = Console(stderr=True, quiet=arguments.quiet)
    table = table_of(arguments)
    options = options_of(arguments)
    for path in (arguments.save, arguments.json):  # before the work, so that none of it is lost
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    backend = choose_backend(arguments.backend, arguments, table, console)
    try:
        result = train_with_progress(table, options, backend, console)
        lines = _summary(result, table.labels.size)
        report = {"data": arguments.data, **result.as_dict()}
        if arguments.report is not None:
            comparison = _compare(table, options, result, backend, console)
            report["comparison"] = comparison
            lines.insert(
                1,
                f"{comparison['over_float']:.4f} of float64 SGD's loss, same steps and order; naive quantisation "
                f"{comparison['naive_over_float']:.4f}",
            )
            arguments.report.mkdir(parents=True, exist_ok=True)
            (arguments.report / "report.json").write_text(json.dumps(report, indent=1) + "\n")
            _plot(
                result, comparison, f"{arguments.data} on {arguments.backend}", arguments.report / "loss.png"
            )
            lines.append(f"wrote {arguments.report / 'report.json'} and {arguments.report / 'loss.png'}")
    finally:
        backend.close()
    if arguments.save is not None:
        result.save(arguments.save)
        lines.append(f"wrote {arguments.save}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
        lines.append(f"wrote {arguments.json}")
    if not arguments.quiet:
        print("\n".join(lines), file=sys.stdout)
    return 0
