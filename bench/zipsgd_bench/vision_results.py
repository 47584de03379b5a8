"""Tables, curves and the time left of runs on CIFAR-10."""

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zipsgd.output import save_figure

from .progress import Steps
from .registry import Result

__all__ = ["Clock", "curves_of", "plot_curves", "row_of"]


class Clock:
    """Says how much time is left, from the pace since the start.

    Parameters
    ----------
    steps : Steps
        Shows what is said.
    total : int
        Mini-batches of all runs.
    """

    def __init__(self, steps: Steps, total: int) -> None:
        self._steps, self._left, self._done, self._begun = steps, total, 0, time.monotonic()

    def __call__(self, steps: int, message: str, earlier: bool = False) -> None:
        """See :class:`.vision_training.Progress`."""
        self._left -= steps
        if earlier:  # before this process began
            self._steps.note(message)
            return
        self._done += steps
        minutes = round((time.monotonic() - self._begun) / max(self._done, 1) * self._left / 60)
        self._steps.note(f"{message}; {minutes // 60} h {minutes % 60:02d} min left")


def row_of(method: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A row of the table.

    Parameters
    ----------
    method : str
        Name of the method.
    runs : sequence of dict
        Its runs, one of each seed.

    Returns
    -------
    dict
        Bits a weight, mean and standard deviation of the accuracy, and mean of the training loss.
    """
    accuracies = [100 * each["accuracy"] for each in runs]
    return {
        "method": method,
        "bits a weight": runs[0]["bits a weight"],
        "accuracy, %": statistics.mean(accuracies),
        "s.d.": statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
        "loss": statistics.mean(each["curve"][-1]["loss"] for each in runs),
    }


def curves_of(runs: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Accuracy and loss by steps, means over the seeds.

    Parameters
    ----------
    runs : mapping of str to sequence of dict
        Runs by the name of the method.

    Returns
    -------
    list of dict
        A point each.
    """
    return [
        {
            "method": method,
            "step": points[0]["step"],
            "accuracy, %": 100 * statistics.mean(point["accuracy"] for point in points),
            "loss": statistics.mean(point["loss"] for point in points),
        }
        for method, found in runs.items()
        for points in zip(*(each["curve"] for each in found), strict=True)
    ]


def plot_curves(result: Result, path: Path) -> None:
    """Plot accuracy and training loss by steps.

    Parameters
    ----------
    result : Result
        Its ``curves`` are from :func:`curves_of`.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for method in dict.fromkeys(point["method"] for point in result["curves"]):
        points = [point for point in result["curves"] if point["method"] == method]
        at = [point["step"] for point in points]
        left.plot(at, [point["accuracy, %"] for point in points], ".-", label=method)
        right.plot(at, [point["loss"] for point in points], ".-", label=method)
    left.set(xlabel="steps", ylabel="% of the test images", title="accuracy")
    right.set(xlabel="steps", title="training loss")
    for axes in (left, right):
        axes.grid(True, alpha=0.3)
    right.legend()
    save_figure(figure, path)
