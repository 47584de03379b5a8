"""Precision as a schedule: the base planes of each epoch, given, or climbing when the loss no longer falls."""

from collections.abc import Sequence
from dataclasses import replace

from zipsgd.golden.run import LimitError
from zipsgd.protocol.formats import Build

from .automatic_step import automatic_steps
from .epochs import EpochReport
from .preparation import configuration
from .task import Task

__all__ = ["Ladder", "rung_of"]

_FALLS = 0.02
"""Share by which the loss must fall below the least one at the same precision, or training takes one bit more; and by which
that bit must lower it, or no more bits are taken."""
_EPOCHS = 2
"""Epochs at a precision before it is left."""


def rung_of(reports: Sequence[EpochReport]) -> int:
    """How often a run has taken one bit more.

    It does so when the exact loss, on the rows on which models are judged, no longer falls, as long as the bit before has
    lowered it.

    Parameters
    ----------
    reports : sequence of EpochReport
        Reports of the epochs so far.

    Returns
    -------
    int
        The rung of the next epoch, from 0.
    """
    rung, entry = 0, float("inf")  # the loss with which this rung was entered
    losses: list[float] = []  # on this rung
    for report in reports:
        assert report.merit_loss is not None
        falls = not losses or report.merit_loss <= (1 - _FALLS) * min(losses)
        losses.append(report.merit_loss)
        if falls or len(losses) < _EPOCHS:
            continue
        if min(losses) > (1 - _FALLS) * entry:
            break
        rung, entry, losses = rung + 1, report.merit_loss, []
    return rung


class Ladder:
    """The tasks of a run at each of its precisions.

    They share rows, scaling and labels. Each has its own configuration, with levels and diagonal, and its own steps: where
    these are automatic, an epoch has the step that it would have in a run at its precision alone.

    Parameters
    ----------
    task : Task
        The task at the first precision.
    """

    def __init__(self, task: Task) -> None:
        self._precision = task.options.precision(diagonal=True)
        self._tasks = {task.config.p: task}
        self._first = task

    def task(self, reports: Sequence[EpochReport], build: Build) -> Task:
        """The task of the next epoch.

        Parameters
        ----------
        reports : sequence of EpochReport
            Reports of the epochs so far.
        build : Build
            Build of the device. A climb ends at what it supports.

        Returns
        -------
        Task
            The task.
        """
        planes = self._precision.planes
        if not self._precision.climbs:
            return self._at(planes[min(len(reports), len(planes) - 1)])
        for climbed in range(min(rung_of(reports), len(planes) - 1), 0, -1):
            task = self._at(planes[climbed])
            try:
                task.config.check(build, task.rows)
            except LimitError:
                continue
            return task
        return self._first

    def _at(self, planes: int) -> Task:
        if planes not in self._tasks:
            first = self._first
            config = configuration(
                first.options,
                planes,
                first.values,
                first.config.levels is not None,
                first.shares,
                first.config.label_form,
            )
            task = replace(first, config=config)
            if first.options.step_size is None:
                task = replace(task, step_sizes=automatic_steps(task))
            self._tasks[planes] = task
        return self._tasks[planes]
