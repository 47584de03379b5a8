"""Quantised training at few bits a value, relative to float64 SGD, each with its own automatic step."""

import logging
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from zipsgd.data import Table, load_set
from zipsgd.training.api import train_task
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare
from zipsgd.training.result import Result
from zipsgd.training.task import Task

from .hard_sets import departures

__all__ = ["Trials", "load", "quiet", "seeded"]

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
    """Without the warnings before runs on too few bits, which are what is measured."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def seeded(task: Task, seeds: Sequence[int]) -> list[Task]:
    """A task for each seed, with the same scaling, levels and steps, which do not depend on it.

    Parameters
    ----------
    task : Task
        The task of any seed.
    seeds : Sequence[int]
        The seeds.

    Returns
    -------
    list of Task
        The tasks.
    """
    return [replace(task, options=replace(task.options, seed=seed)) for seed in seeds]


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
        exact = prepare(table, options=replace(options, bits=_FLOAT_BITS, estimator="double"))
        runs = [float_sgd(task) for task in seeded(exact, seeds)]
        self._exact = [run.losses[-1] for run in runs]
        self.exact_score = statistics.median(run.scores[-1] or 0.0 for run in runs)

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
            task = prepare(self._table, options=options)
            steps = [size * step for step in task.step_sizes]
            self._found[size, options] = self._trained(replace(task, step_sizes=steps))
        return self._found[size, options]

    def _trained(self, task: Task) -> _Row:
        runs: list[Result] = [train_task(each) for each in seeded(task, self._seeds)]
        ratios = [run.final_loss / exact for run, exact in zip(runs, self._exact, strict=True)]
        moved = runs[0].sample_bytes / (runs[0].rows * self.epochs)
        return {
            "ratio": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
            "score": statistics.median(run.train_score or 0.0 for run in runs),
            "step": task.step_sizes[0],
            "bytes a row": moved,
            "less than float32": 4 * (self._table.features.shape[1] + 1) / moved,
        }
