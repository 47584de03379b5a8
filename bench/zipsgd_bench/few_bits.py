"""Quantised training at few bits a value, relative to float64 SGD, each with its own automatic step."""

import logging
import statistics
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from zipsgd.data import Table, load_set
from zipsgd.training.api import train
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare

from .hard_sets import departures

__all__ = ["Trials", "load", "quiet"]

_Row = dict[str, Any]

_ROWS = 20_000
"""Rows of the set that is made, departures."""
_FLOAT_BITS = 8
"""Bits of the run whose automatic step float64 SGD takes: with so many, quantisation does not limit the step."""


def load(name: str) -> Table:
    """A set by name; "departures" is made.

    Parameters
    ----------
    name : str
        Name of the set.

    Returns
    -------
    Table
        The set.
    """
    return departures(_ROWS) if name == "departures" else load_set(name)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings of runs on too few bits, which are what is measured."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class Trials:
    """Quantised training on a table relative to float64 SGD with the same order of rows, once for each seed.

    Parameters
    ----------
    table : Table
        Data to train on.
    options : Options
        Options of every run; the seed is replaced.
    seeds : Sequence[int]
        Seeds of the runs.

    Attributes
    ----------
    epochs : int
        Epochs of each run.
    exact_score : float
        Median score of float64 SGD.
    """

    def __init__(self, table: Table, options: Options, seeds: Sequence[int]) -> None:
        self._table = table
        self._seeds = seeds
        self._options = options
        self._found: dict[tuple[float, Options], _Row] = {}
        self.epochs = options.epochs
        exact = self._with_step(replace(options, bits=_FLOAT_BITS, estimator="double"))
        runs = [float_sgd(prepare(table, options=replace(exact, seed=seed))) for seed in seeds]
        self._exact = [run.losses[-1] for run in runs]
        self.exact_score = statistics.median(run.scores[-1] or 0.0 for run in runs)

    def _with_step(self, options: Options, size: float = 1.0) -> Options:
        """The options with ``size`` times their automatic step, which is the same for all seeds."""
        return replace(options, step_size=size * prepare(self._table, options=options).step_sizes[0])

    def measure(self, size: float = 1.0, **changes: Any) -> _Row:
        """Train with changed options, unless that has been done before.

        Parameters
        ----------
        size : float
            Step size relative to the automatic one.
        changes
            Options to change.

        Returns
        -------
        dict[str, Any]
            Median, least and greatest ratio of the final loss to float64 SGD's, median score, step, bytes of a row with label
            and padding, and how many times as many bytes a row of float32 has.
        """
        options = replace(self._options, **changes)
        if (size, options) not in self._found:
            self._found[size, options] = self._trained(self._with_step(options, size))
        return self._found[size, options]

    def _trained(self, options: Options) -> _Row:
        runs = [train(self._table, options=replace(options, seed=seed)) for seed in self._seeds]
        ratios = [run.final_loss / exact for run, exact in zip(runs, self._exact, strict=True)]
        moved = runs[0].sample_bytes / (runs[0].rows * options.epochs)
        return {
            "ratio": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
            "score": statistics.median(run.train_score or 0.0 for run in runs),
            "step": options.step_size,
            "bytes a row": moved,
            "less than float32": 4 * (self._table.features.shape[1] + 1) / moved,
        }
