"""How long an epoch takes on the emulator of this computer."""

import time
from contextlib import closing
from dataclasses import replace

import numpy as np

from zipsgd.backends import BackendOptions, open_backend
from zipsgd.data import Table
from zipsgd.protocol.formats import Build

from .heads import Heads
from .options import Options
from .preparation import prepare
from .task import Task

__all__ = ["EmulatorTime", "emulator_time"]

_MOST_VALUES = 1 << 25
"""Values of the rows that are measured at most: some hundredths of a second for each head."""
_EPOCHS, _SECONDS = 20, 0.5
"""Most epochs that are measured, and the seconds after which no further one is begun."""


class EmulatorTime:
    """Seconds of an epoch on the emulator.

    Parameters
    ----------
    rows : int
        Rows that were measured, with all heads. The seconds are scaled to all rows of the set.
    streamed : float
        Seconds of an epoch whose values are rounded anew, as for a device whose samples come over the link.
    resident : float
        Seconds of an epoch whose values are rounded as in every other epoch, as for a device that keeps its samples.
    """

    def __init__(self, rows: int, streamed: float, resident: float) -> None:
        self.rows, self.streamed, self.resident = rows, streamed, resident


def emulator_time(table: Table, options: Options, build: Build) -> EmulatorTime:
    """Measure epochs of the emulator on a set, or on rows of it at equal distances if it is large.

    Parameters
    ----------
    table : Table
        The set.
    options : Options
        How to train: without ``bits`` of each epoch.
    build : Build
        The build to emulate.

    Returns
    -------
    EmulatorTime
        The shortest of up to 20 epochs each.

    Raises
    ------
    DataError, LimitError, ValueError
        The data cannot be trained on, or not with this build.
    """
    total, columns = table.features.shape
    rows = min(total, max(1, _MOST_VALUES // columns))
    if rows < total:
        index = np.linspace(0, total - 1, rows).astype(np.int64)
        table = table.with_rows(np.asarray(table.features[index]), table.labels[index])
    # What is computed from the data without need would take longer than the epochs
    chosen = replace(options, epochs=1 + _EPOCHS, scaling="range", step_size=1 / (1 + columns))
    task = prepare(table, options=chosen)
    kept = replace(task, options=replace(task.options, resident=True))
    streamed, resident = (_seconds(each, build) * total / rows for each in (task, kept))
    return EmulatorTime(rows, streamed, resident)


def _seconds(task: Task, build: Build) -> float:
    with closing(open_backend(BackendOptions("emulator", build))) as backend:
        heads = Heads(task, backend)
        _, words = heads.epoch(0, task.new_state().words, 0)  # it may compile
        seconds: list[float] = []
        while len(seconds) < _EPOCHS and sum(seconds) < _SECONDS:
            number = 1 + len(seconds)
            start = time.perf_counter()
            _, words = heads.epoch(number, words, number)
            seconds.append(time.perf_counter() - start)
    return min(seconds)
