"""The figure of the bench ``tomography``: reconstructions side by side, and errors by epoch and by bits moved."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.output import save_figure

from .convergence import METHODS
from .registry import Result

__all__ = ["plot"]

ESTIMATORS = ("one-draw", "double", "naive")
_COLOURS = {"one-draw": "C1", "double": "C0", "naive": "C2", "float": "k"}


def _image(content: dict[str, Any], name: str) -> npt.NDArray[np.uint8]:
    side = content["side"]
    return np.frombuffer(base64.b64decode(content[name]), dtype=np.uint8).reshape(side, side)


def _show(axes: Any, content: dict[str, Any], rows: list[dict[str, Any]], bits: list[int]) -> None:
    """A row of images for each estimator: the image, that of float64, then from many bits to few."""
    for line, estimator in zip(axes, ESTIMATORS):
        for axis in line:
            axis.set_axis_off()
        for axis, (name, title) in zip(line, (("exact", "the image"), ("float", "float64"))):
            axis.imshow(_image(content, name), cmap="gray", vmin=0, vmax=255)
            axis.set_title(title, fontsize=8)
        line[0].text(
            -0.1, 0.5, METHODS[estimator], rotation=90, va="center", ha="right", transform=line[0].transAxes
        )
        for axis, count in zip(line[2:], bits):
            tried = [row for row in rows if (row["estimator"], row["bits"]) == (estimator, count)]
            if tried:  # the better levels
                row = min(tried, key=lambda row: row["error"])
                image = _image(content, f"{row['levels']} {estimator} {count}")
                axis.imshow(image, cmap="gray", vmin=0, vmax=255)
                axis.set_title(f"{count} bit{'s' * (count > 1)}: {row['error']:.3f}", fontsize=8)


def _curves(axes: Any, rows: list[dict[str, Any]], errors: dict[str, list[float]]) -> None:
    """Errors by epoch at 3 bits and in float64, and final errors by the bits that an epoch moves."""
    by_epoch, by_bits = axes
    for row in rows:
        name = "float" if row["levels"] is None else f"{row['levels']} {row['estimator']} {row['bits']}"
        if row["bits"] not in (3, 32):
            continue
        style = {"uniform": "-", "optimal": "--", None: "-"}[row["levels"]]
        label = "float64" if row["levels"] is None else f"{METHODS[row['estimator']]}, {row['levels']} levels"
        by_epoch.plot(
            range(1, 1 + len(errors[name])),
            errors[name],
            style,
            color=_COLOURS[row["estimator"]],
            label=label,
        )
    for estimator in ESTIMATORS:
        for levels, style in (("uniform", "o-"), ("optimal", "s--")):
            points = [row for row in rows if (row["estimator"], row["levels"]) == (estimator, levels)]
            if points:
                by_bits.plot(
                    [row["bytes a ray"] for row in points],
                    [row["error"] for row in points],
                    style,
                    color=_COLOURS[estimator],
                    markersize=4,
                )
    exact = rows[0]
    by_bits.plot(exact["bytes a ray"], exact["error"], "k*")
    by_bits.axhline(exact["error"], color="k", linewidth=0.7)
    by_epoch.set(
        xlabel="epoch", ylabel="relative error", yscale="log", title="by epoch, 3 bits a value", xscale="log"
    )
    by_bits.set(xlabel="bytes a ray and epoch", yscale="log", xscale="log", title="after the last epoch")
    for axis in axes:
        axis.grid(alpha=0.3, which="both")
    by_epoch.legend(fontsize=7)


def plot(result: Result, path: Path) -> None:
    """Draw the first study.

    Parameters
    ----------
    result : Result
        From :func:`.tomography.run`.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    name, content = next(iter(result["images"].items()))
    rows = [row for row in result["rows"] if row["study"] == name]
    rows = [row for row in rows if not row["then"]]
    bits = sorted({row["bits"] for row in rows if row["levels"]}, reverse=True)
    figure = Figure(figsize=(11, 8), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(3, 2))
    above, below = parts
    _show(above.subplots(len(ESTIMATORS), 2 + len(bits), squeeze=False), content, rows, bits)
    _curves(below.subplots(1, 2, sharey=True), rows, result["errors by epoch"][name])
    figure.suptitle(
        f"{name}: reconstructions, each with its relative error, on the better levels", fontsize=10
    )
    save_figure(figure, path)
