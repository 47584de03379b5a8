"""The figure of the bench ``last-layer``: accuracy by the bits of a value, beside heads in floating point."""

from pathlib import Path

from zipsgd.output import save_figure

from .registry import Result

__all__ = ["plot"]

_STYLES = {"even": "o-", "optimal": "s--"}
_COLOURS = {"each epoch": "C0", "once": "C1"}


def plot(result: Result, path: Path) -> None:
    """Plot accuracy by bits, for each set of features.

    Parameters
    ----------
    result : Result
        From :func:`.last_layer.run`.
    path : Path
        PNG file to write.
    """
    from matplotlib.figure import Figure

    sizes = list(dict.fromkeys(row["features"] for row in result["rows"]))
    figure = Figure(figsize=(4.5 * len(sizes), 3.6), layout="constrained")
    axes = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for axis, size in zip(axes, sizes, strict=True):
        rows = [row for row in result["rows"] if (row["features"], row["settings"]) == (size, "chosen")]
        for levels, draws in dict.fromkeys((row["levels"], row["draws"]) for row in rows):
            points = [row for row in rows if (row["levels"], row["draws"]) == (levels, draws)]
            axis.plot(
                [row["bits"] for row in points],
                [row["test, %"] for row in points],
                _STYLES[levels],
                color=_COLOURS[draws],
                label=f"{levels} levels, drawn {draws}",
            )
        exact = [row for row in result["heads in floating point"] if row["features"] == size]
        best = max(exact, key=lambda row: row["test, %"])
        for row, style in ((best, "-"), (exact[0], ":")):
            name = "the network's own" if row is exact[0] else f"{row['head']}, float64"
            axis.axhline(row["test, %"], color="k", linestyle=style, linewidth=0.8, label=name)
        axis.set(xlabel="bits a value", title=f"{size:,} features", xticks=[row["bits"] for row in points])
        axis.grid(True, alpha=0.3)
        axis.legend(fontsize=7)
    axes[0].set_ylabel("% of the test images")
    save_figure(figure, path)
