"""Training on the same data with many settings."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from zipsgd.backends import Backend, BackendOptions

from .api import train
from .full_precision import float_sgd
from .options import Options
from .plots import plot
from .preparation import prepare
from .result import Result

__all__ = ["Sweep", "sweep"]

_Grid = Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Sweep:
    """The results of a sweep.

    Parameters
    ----------
    settings : list of dict
        The setting of each run: fields of :class:`zipsgd.Options`.
    results : list of Result
        The result of each run.
    float_loss : list of float
        Loss of float64 SGD after each epoch, with the options that all runs share.
    """

    settings: list[dict[str, Any]]
    results: list[Result]
    float_loss: list[float]

    def named(self) -> dict[str, Result]:
        """The results by name.

        Returns
        -------
        dict[str, Result]
            Names consist of the setting, such as "base_bits 2, samples_per_value 1".
        """
        names = [", ".join(f"{word} {value}" for word, value in setting.items()) for setting in self.settings]
        return dict(zip(names, self.results, strict=True))

    def table(self) -> list[dict[str, Any]]:
        """A table with a row for each run.

        Returns
        -------
        list of dict
            The setting, bits per value, final loss, its ratio to that of float64 SGD, score, and kinds of warnings.
        """
        return [
            {
                **setting,
                "bits": result.bits_per_value,
                "loss": result.final_loss,
                "over float": result.final_loss / self.float_loss[-1],
                result.scoring.title: result.train_score,
                "warnings": " ".join(finding.kind for finding in result.warnings),
            }
            for setting, result in zip(self.settings, self.results, strict=True)
        ]

    def plot(self, axes: Any = None, path: str | Path | None = None) -> Any:
        """Draw the loss by epoch of all runs and of float64 SGD.

        Parameters
        ----------
        axes : matplotlib Axes or None
            Where to draw; None for a new figure.
        path : str, Path or None
            File for the figure; None to write none.

        Returns
        -------
        matplotlib Axes
            The axes.
        """
        return plot(self, axes, path)


def _settings(grid: _Grid) -> list[dict[str, Any]]:
    """All combinations of a mapping's values, or the settings of a list."""
    if not isinstance(grid, Mapping):
        return [dict(setting) for setting in grid]
    if not grid:
        return []
    values: list[Sequence[Any]] = [list(each) for each in grid.values()]
    return [dict(zip(grid, each, strict=True)) for each in product(*values)]


def sweep(
    X: Any,
    y: Any = None,
    grid: _Grid = (),
    options: Options | None = None,
    *,
    backend: str | BackendOptions | Backend = "emulator",
    on_run: Callable[[dict[str, Any], Result], None] = lambda setting, result: None,
    **prepared: Any,
) -> Sweep:
    """Train on the same data with each setting of a grid, and once in float64.

    The exact loss of the model is measured after each epoch, so that the runs can be compared.

    Parameters
    ----------
    X, y : array or Table
        The data, see :func:`zipsgd.train`; ``y`` is None for a table.
    grid : mapping or iterable of mapping
        A mapping such as ``{"base_bits": [1, 2, 3], "samples_per_value": [1, 2]}`` stands for all six combinations. A list of
        mappings contains the settings themselves.
    options : Options or None
        Options that all runs share.
    backend : str, BackendOptions or Backend
        See :func:`zipsgd.train`.
    on_run : callable
        Called with the setting and the result after each run.
    prepared
        ``weights`` and ``memory``, see :func:`zipsgd.train`.

    Returns
    -------
    Sweep
        Settings and results.

    Raises
    ------
    ValueError
        The grid is empty, or a setting is invalid. Raised before training begins.
    """
    shared = replace(options or Options(), measure=True)
    settings = _settings(grid)
    if not settings:
        raise ValueError('a sweep needs a grid of options, such as {"base_bits": [1, 2, 4, 8]}')
    wanted = [replace(shared, **setting) for setting in settings]
    results = []
    for setting, each in zip(settings, wanted, strict=True):
        results.append(train(X, y, each, backend=backend, **prepared))
        on_run(setting, results[-1])
    return Sweep(settings, results, float_sgd(prepare(X, y, shared, **prepared)).losses)
