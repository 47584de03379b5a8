"""What shards cost in convergence: the loss over the least one, by shards, rounds and step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from zipsgd.data import Table, load_set
from zipsgd.training.api import train_task
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare
from zipsgd.training.task import Task

__all__ = ["GOAL", "SETS", "SHARDS", "cases", "least_loss", "measure"]

GOAL = 1.02
"""Most loss of 8 shards over that of a run without, at equal epochs."""
SHARDS = (1, 2, 4, 8, 16)
ROUNDS = (1, 4)
SIZES = (1.0, 4.0, 8.0)
"""Step sizes relative to the automatic one."""
SEEDS = (1, 2, 3)
SETS = ("mnist49", "cadata", "synthetic100")
OPTIONS = Options(bits=4, epochs=20, keep="last", scaling="range")


def _task(name: str, table: Table) -> Task:
    classes = name == "mnist49"
    options = replace(OPTIONS, classify=classes, loss="squared_error", calibrate=False if classes else None)
    return prepare(table, None, options)


def least_loss(task: Task) -> float:
    """The loss of the best model in full precision, by least squares.

    Parameters
    ----------
    task : Task
        A task with squared errors and one model.

    Returns
    -------
    float
        The mean squared residual of scaled labels.
    """
    values = np.asarray(task.exact_values()[:]).astype(np.float64)
    labels = task.labels[:, 0] / 2.0**15
    found = np.linalg.lstsq(values, labels, rcond=None)[0]
    return float(np.mean((values @ found - labels) ** 2))


def cases() -> Iterator[tuple[int, int, float]]:
    """Shards, rounds in an epoch, and step size relative to the automatic one."""
    for shards in SHARDS:
        for rounds in ROUNDS if shards > 1 else (1,):
            for size in SIZES if shards > 1 else (1.0,):
                yield shards, rounds, size


def measure(name: str, begin: Callable[[str], None]) -> list[dict[str, Any]]:
    """Train on one set with all numbers of shards and rounds, on the emulator.

    Parameters
    ----------
    name : str
        One of :data:`SETS`.
    begin : callable
        Called before each case.

    Returns
    -------
    list of dict
        For each case the median of the seeds: the loss over the least one, and over that of a run without shards; and whether
        values were saturated in any epoch of any seed, as too large a step does.
    """
    task = _task(name, load_set(name))
    least = least_loss(task)
    rows: list[dict[str, Any]] = []
    for shards, rounds, size in cases():
        begin(f"{name}: {shards} shards, {rounds} rounds, step x {size:g}")
        losses, flags = [], set[str]()
        for seed in SEEDS:
            options = replace(task.options, seed=seed, shards=shards, rounds=rounds)
            sizes = [size * step for step in task.step_sizes]
            result = train_task(replace(task, options=options, step_sizes=sizes))
            losses.append(result.final_loss)
            flags |= set(result.flags)
        rows.append(
            {
                "set": name,
                "shards": shards,
                "rounds": rounds,
                "step": size,
                "over least": median(losses) / least,
            }
        )
        rows[-1]["saturated"] = ", ".join(sorted(flags)) or None
        rows[-1]["over one shard"] = rows[-1]["over least"] / rows[0]["over least"]
    return rows
