"""Figures of runs, drawn with Matplotlib."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zipsgd.extras import need
from zipsgd.output import save_figure

from .result import Result

if TYPE_CHECKING:
    from .comparison import Comparison
    from .sweep import Sweep

__all__ = ["need_plots", "new_axes", "plot", "plot_comparison"]


def need_plots() -> None:
    """Check that figures can be drawn.

    Raises
    ------
    MissingExtra
        Matplotlib is not installed.
    """
    need("plot", "a figure", "matplotlib")


def new_axes(rows: int = 1, *, figsize: tuple[float, float] = (6.4, 4.8), **arranged: Any) -> Any:
    """Axes of a new figure, which does not open a window.

    Parameters
    ----------
    rows : int
        Number of axes, one below the other.
    figsize : tuple[float, float]
        Width and height in inches.
    arranged
        Arguments of Matplotlib's ``Figure.subplots``.

    Returns
    -------
    matplotlib Axes, or an array of them

    Raises
    ------
    MissingExtra
        Matplotlib is not installed.
    """
    need_plots()
    from matplotlib.figure import Figure

    return Figure(layout="constrained", figsize=figsize).subplots(rows, **arranged)


def plot(
    results: "Result | Mapping[str, Result] | Sweep", axes: Any = None, path: str | Path | None = None
) -> Any:
    """Draw the loss by epoch of one run or of several.

    The figure shows the exact loss where it was measured (``Options.measure``), and otherwise the loss during training.

    Parameters
    ----------
    results : Result, mapping of names to Result, or Sweep
        The runs to draw. For a sweep, float64 SGD is drawn as well, as a dashed line.
    axes : matplotlib Axes or None
        Where to draw; None for a new figure.
    path : str, Path or None
        File for the figure; None to write none.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    MissingExtra
        Matplotlib is not installed.
    """
    axes = new_axes(figsize=(7, 4.2)) if axes is None else axes
    if isinstance(results, Result):
        named: Mapping[str, Result] = {results.loss_name: results}
    else:
        named = results if isinstance(results, Mapping) else results.named()
    exact = getattr(results, "float_loss", None)
    if exact:
        axes.plot(range(1, len(exact) + 1), exact, "k--", label="float64 SGD", zorder=3)
    lowest = min(exact) if exact else float("inf")
    for name, result in named.items():
        losses = result.exact_losses or result.loss
        lowest = min([lowest, *losses])
        axes.plot(range(1, len(losses) + 1), losses, "o-", markersize=3, label=name)
    # An unbiased estimate of a loss near 0 may be negative
    axes.set(xlabel="epoch", ylabel="loss of scaled targets", yscale="log" if lowest > 0 else "linear")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small")
    if path is not None:
        save_figure(axes.figure, path)
    return axes


def plot_comparison(result: Result, comparison: "Comparison", title: str, path: Path) -> None:
    """Draw the loss by epoch next to float64 SGD and naive quantisation, and write it to a file.

    Parameters
    ----------
    result : Result
        The result of the run.
    comparison : Comparison
        Losses of float64 SGD and naive quantisation.
    title : str
        Title of the figure.
    path : Path
        PNG file.
    """
    axes = new_axes(figsize=(7, 4.2))
    epochs = range(1, len(result.loss) + 1)
    p = result.options["base_bits"]
    m = result.bits_per_value - p
    naive = f"naive, p = {p}, m = 1: final model"
    axes.plot(
        range(1, len(comparison.float_loss) + 1),
        comparison.float_loss,
        "k--",
        label="float64 SGD, after the epoch",
    )
    axes.plot(epochs, result.loss, "o-", label=f"p = {p}, m = {m}, while training ({p + m} bits a value)")
    axes.axhline(comparison.naive_final_loss, color="C3", linestyle=":", label=naive)
    axes.axhline(result.final_loss, color="C0", linestyle=":", label=f"p = {p}, m = {m}: final model")
    positive = min([*comparison.float_loss, *result.loss]) > 0
    axes.set(
        xlabel="epoch",
        ylabel=f"{result.loss_name}, labels scaled to [-1, 1]",
        title=title,
        yscale="log" if positive else "linear",
    )
    axes.legend()
    save_figure(axes.figure, path)
