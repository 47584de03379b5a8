"""The same data trained on with many options."""

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
from .result import Result
from .task import prepare

__all__ = ["Sweep", "sweep"]

_Grid = Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Sweep:
    """Results by setting.

    Parameters
    ----------
    settings : list of dict
        Words of :class:`zipsgd.Options`, of each run.
    results : list of Result
        Of each run.
    float_loss : list of float
        Loss of float64 SGD after each epoch, with the options that all runs share.
    """

    settings: list[dict[str, Any]]
    results: list[Result]
    float_loss: list[float]

    def named(self) -> dict[str, Result]:
        """Results by a name that says what is special about each."""
        names = [", ".join(f"{word} {value}" for word, value in setting.items()) for setting in self.settings]
        return dict(zip(names, self.results, strict=True))

    def table(self) -> list[dict[str, Any]]:
        """A row for each run: its setting, bits a value, final loss, that over float64 SGD's, score, and what saturated."""
        return [
            {
                **setting,
                "bits": result.bits_per_value,
                "loss": result.final_loss,
                "over float": result.final_loss / self.float_loss[-1],
                result.MEASURE: result.train_score,
                "saturated": " ".join(result.spoilt_by),
            }
            for setting, result in zip(self.settings, self.results, strict=True)
        ]

    def plot(self, axes: Any = None, path: str | Path | None = None) -> Any:
        """Draw the loss by epoch of all runs and of float64 SGD, as :func:`zipsgd.plot` does."""
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
    """Train on the same data with each setting of a grid, and in float64.

    Each epoch's model is measured exactly, so that curves can be compared.

    Parameters
    ----------
    X, y
        As of :func:`zipsgd.train`; ``y`` is None for a table.
    grid : mapping or iterable of mapping
        ``{"base_bits": [1, 2, 3], "samples_per_value": [1, 2]}`` is all six combinations. A list of mappings has a setting
        each.
    options : Options or None
        What all runs share.
    backend : str, BackendOptions or Backend
        As of :func:`zipsgd.train`.
    on_run : callable
        Told of each setting and its result, as runs end.
    prepared
        ``weights`` and ``memory`` of :func:`zipsgd.train`.

    Raises
    ------
    ValueError
        No setting, or one that no build could train with; before anything is trained.
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
