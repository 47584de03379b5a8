"""The history of an estimator: what is stored, printed and drawn of each epoch."""

from typing import Any

from zipsgd.training.epochs import EpochReport
from zipsgd.training.plots import new_axes

__all__ = ["describe", "entry_of", "plot"]

Entry = dict[str, Any]


def entry_of(report: EpochReport, heads: int) -> Entry:
    """The entry of ``history_`` for an epoch.

    Parameters
    ----------
    report : EpochReport
        Report of the epoch.
    heads : int
        Number of models trained side by side.

    Returns
    -------
    dict[str, Any]
        Values by name.
    """
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
    for name in ("refetched", "exact_loss", "score", "validation_loss", "validation_score", "merit"):
        if (value := getattr(report, name)) is not None:
            entry[name] = value
    return entry


def describe(entry: Entry) -> str:
    """The line that is printed for an epoch if ``verbose`` is set.

    Parameters
    ----------
    entry : dict[str, Any]
        Entry of ``history_``.

    Returns
    -------
    str
        The line.
    """
    validation = entry.get("validation_score")
    return (
        f"epoch {entry['epoch']}: loss {entry['loss']:.5g}"
        + ("" if validation is None else f", validation score {validation:.4f}")
        + f", step {entry['step_size']:.3g}, {entry['samples_per_second']:,.0f} samples/s, {entry['bits'] / 8e6:,.2f} MB"
        + (f", {entry['refetched']:.1%} fetched again" if "refetched" in entry else "")
        + (f", saturated: {', '.join(entry['flags'])}" if entry["flags"] else "")
    )


def plot(history: list[Entry], axis: Any = None) -> Any:
    """Draw the loss by epoch, and the validation score if there is one.

    Parameters
    ----------
    history : list of dict
        Entries of ``history_``.
    axis : matplotlib Axes or None
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib Axes
        The axes.

    Raises
    ------
    ModuleNotFoundError
        Matplotlib is not installed.
    """
    axis = new_axes() if axis is None else axis
    epochs = [entry["epoch"] for entry in history]
    losses = [entry["loss"] for entry in history]
    axis.plot(epochs, losses, "o-", label="loss while training")
    # An unbiased estimate of a loss near 0 may be negative
    axis.set(xlabel="epoch", ylabel="loss of scaled targets", yscale="log" if min(losses) > 0 else "linear")
    scores = [(entry["epoch"], entry["validation_score"]) for entry in history if "validation_score" in entry]
    if scores:
        axis.plot([], [], "s--", color="C1", label="validation score")  # for the legend of both axes
        other = axis.twinx()
        other.plot(*zip(*scores), "s--", color="C1")
        other.set_ylabel("validation score")
    axis.legend()
    return axis
