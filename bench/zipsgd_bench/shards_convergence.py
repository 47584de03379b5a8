"""What shards cost in convergence: the loss over the least one, by shards and rounds; and what momentum saves."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np

from zipsgd.data import Table, load_set
from zipsgd.golden.averaging import Ahead
from zipsgd.training.api import train_task
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare
from zipsgd.training.task import Task

__all__ = ["GOAL", "SEEDS", "SETS", "cases", "least_loss", "measure"]

GOAL = 1.02
"""Most loss of 8 shards over that of a run without, at equal epochs, with the automatic step and the default rounds."""
SHARDS, ROUNDS = (2, 4, 8, 16, 64), (1, 2, 4, 8)
PLAIN_SHARDS, PLAIN_STEPS = 8, (1.0, 4.0, 8.0)
"""Without momentum: the number of shards, and step sizes relative to the automatic one."""
SEEDS = (1, 2, 3)
FULL = "mnist, 4 against 9"
SETS = (FULL, "mnist49", "cadata", "synthetic100")
"""``mnist49`` has 1,000 images of the same digits, so a shard of 8 has fewer rows than columns."""
OPTIONS = Options(bits=4, epochs=20, keep="last", scaling="range")


def _table(name: str) -> Table:
    """One of :data:`SETS`."""
    if name != FULL:
        return load_set(name)
    mnist = load_set("mnist")
    images = np.asarray(mnist.features)[np.isin(mnist.labels, (4, 9))]
    labels = mnist.labels[np.isin(mnist.labels, (4, 9))]
    varies = np.ptp(images, axis=0) > 0
    names = tuple(pixel for pixel, used in zip(mnist.names, varies, strict=True) if used)
    return Table(images[:, varies], np.where(labels == 4, 1.0, -1.0), names, name)


def _task(name: str) -> Task:
    classes = "mnist" in name
    options = replace(OPTIONS, classify=classes, loss="squared_error", calibrate=False if classes else None)
    return prepare(_table(name), None, options)


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


def cases(name: str) -> Iterator[tuple[int, int, bool, float]]:
    """Of a set: shards, rounds in an epoch, whether there is momentum, and step size relative to the automatic one."""
    yield 1, 1, True, 1.0
    for shards in SHARDS:
        for rounds in ROUNDS:
            if name != "mnist49" or rounds <= 1000 // shards // OPTIONS.batch_size:  # one mini-batch or more
                yield shards, rounds, True, 1.0
    for size in PLAIN_STEPS:
        yield PLAIN_SHARDS, 4, False, size


def _resting(start: Any, before: Any, mean: Any, *rest: Any) -> Ahead:
    """What :func:`zipsgd.golden.averaging.go_ahead` would be without momentum."""
    return Ahead(mean, saturated=False)


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
    task = _task(name)
    least = least_loss(task)
    rows: list[dict[str, Any]] = []
    for shards, rounds, momentum, size in cases(name):
        begin(
            f"{name}: {shards} shards, {rounds} rounds{'' if momentum else ', no momentum'}, step x {size:g}"
        )
        losses, flags = [], set[str]()
        for seed in SEEDS:
            options = replace(task.options, seed=seed, shards=shards, rounds=rounds)
            sizes = [size * step for step in task.step_sizes]
            with nullcontext() if momentum else patch("zipsgd.distributed.backend.go_ahead", _resting):
                result = train_task(replace(task, options=options, step_sizes=sizes))
            losses.append(result.final_loss)
            flags |= set(result.flags)
        over = median(losses) / least
        rows.append(
            {
                "set": name,
                "shards": shards,
                "rounds": rounds,
                "momentum": momentum,
                "step": size,
                "over least": over,
                "over one shard": over / (rows[0]["over least"] if rows else over),
                "saturated": ", ".join(sorted(flags)) or None,
            }
        )
    return rows
