"""What is kept of each epoch, said of it, and drawn."""

from typing import Any

from zipsgd.training.epochs import EpochReport
from zipsgd.training.plots import new_axes

__all__ = ["describe", "entry_of", "plot"]

Entry = dict[str, Any]


def entry_of(report: EpochReport, heads: int) -> Entry:
    """What ``history_`` keeps of an epoch in which so many heads were trained."""
    entry = {
        "epoch": report.number,
        "loss": report.loss,
        "step_size": report.step_size,
        "flags": report.flags,
        "samples": report.samples,
        "seconds": report.seconds,
        "samples_per_second": report.samples * heads / report.seconds,
        "bits": report.sample_bits,
    }
    for name in ("refetched", "exact_loss", "score", "validation_loss", "validation_score"):
        if (value := getattr(report, name)) is not None:
            entry[name] = value
    return entry


def describe(entry: Entry) -> str:
    """A line for ``verbose``."""
    validation = entry.get("validation_score")
    return (
        f"epoch {entry['epoch']}: loss {entry['loss']:.5g}"
        + ("" if validation is None else f", validation score {validation:.4f}")
        + f", step {entry['step_size']:.3g}, {entry['samples_per_second']:,.0f} samples/s, {entry['bits'] / 8e6:,.2f} MB"
        + (f", {entry['refetched']:.1%} fetched again" if "refetched" in entry else "")
        + (f", saturated: {', '.join(entry['flags'])}" if entry["flags"] else "")
    )


def plot(history: list[Entry], axis: Any = None) -> Any:
    """Loss by epoch, and the validation score where there is one; returns the axis.

    Raises ModuleNotFoundError without Matplotlib.
    """
    axis = new_axes() if axis is None else axis
    epochs = [entry["epoch"] for entry in history]
    losses = [entry["loss"] for entry in history]
    axis.plot(epochs, losses, "o-", label="loss while training")
    # An unbiased estimate of a loss near 0 may be below it
    axis.set(xlabel="epoch", ylabel="loss of scaled targets", yscale="log" if min(losses) > 0 else "linear")
    scores = [(entry["epoch"], entry["validation_score"]) for entry in history if "validation_score" in entry]
    if scores:
        axis.plot([], [], "s--", color="C1", label="validation score")  # for the legend of both axes
        other = axis.twinx()
        other.plot(*zip(*scores), "s--", color="C1")
        other.set_ylabel("validation score")
    axis.legend()
    return axis
