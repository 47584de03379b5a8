"""A classifier from a table of any size, with all the options of a run: what the command line trains."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from zipsgd.backends import BACKENDS, Backend, open_backend
from zipsgd.data import DataError, Table
from zipsgd.model import ClassifierResult, class_name
from zipsgd.protocol.formats import Build
from zipsgd.training import Options, Task, about_run
from zipsgd.training.epochs import EpochReport
from zipsgd.training.heads import build_of

from .classifier import ZipClassifier

__all__ = ["train_classifier"]

_MOST_CLASSES = 1000
_FEW_CLASSES = 20
"""However few rows there are."""


def train_classifier(
    table: Table,
    options: Options,
    *,
    loss: str = "squared_hinge",
    refetch: str = "never",
    backend: str = "emulator",
    build: Build | Callable[[Task, int], Build] | None = None,
    baud: int = 0,
    trace: Path | None = None,
    memory: int | None = None,
    progress: Callable[[str], None] = lambda message: None,
    on_samples: Callable[[int, int], None] = lambda epoch, samples: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> ClassifierResult:
    """Train :class:`ZipClassifier` on a table whose labels are classes; its bits are those of the estimator on the same rows.

    Parameters
    ----------
    table : each different label is a class.
    options, baud, trace, memory, progress, on_samples, on_epoch : as of :func:`zipsgd.training.train`.
    loss : of :data:`zipsgd.training.objective.CLASS_LOSSES`.
    refetch : of :class:`ZipClassifier`.
    backend : by name.
    build : or what makes one for a task and a number of models; the default has as many heads as builds can, and of a device is
        whatever is there.

    Raises
    ------
    DataError, LimitError, ValueError
        Before anything is built or streamed: labels that are no classes, a build or options that do not fit.
    DeviceError
        No device, a wrong one, or one that was lost.
    """
    classes = _classes(table)

    def build_for(task: Task, heads: int) -> Build | None:
        task.report_streaming(table.source, progress)
        if build is None:
            return build_of(task, heads) if backend in BACKENDS else None
        return build if isinstance(build, Build) else build(task, heads)

    model = _TableClassifier(
        options,
        loss,
        refetch,
        memory,
        build_for,
        partial(open_backend, backend, baud=baud, trace=trace, progress=progress),
        on_samples,
        on_epoch,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # flags say it
        model.fit_table(table, classes)
    result = ClassifierResult(
        **about_run(table, options, model.task.config, model.opened, model.reports),
        loss_name=loss,
        classes=classes.tolist(),
        coef=model.coef_.tolist(),
        intercept=model.intercept_.tolist(),
        model_words=model.model_words_.tolist(),
        seconds=sum(report.seconds for report in model.reports),
        step_sizes=[entry["step_size"] for entry in model.history_],
        refetched=[entry["refetched"] for entry in model.history_ if "refetched" in entry],
    )
    result.accuracy = result.score(table.features, table.labels)
    return result


def _classes(table: Table) -> npt.NDArray[np.float64]:
    """The different labels, ascending. Raises :class:`DataError` where they are too few or too many to be classes."""
    classes, rows = np.unique(table.labels), table.labels.size
    if classes.size == 1:
        raise DataError(
            f"{table.source}: every {table.label_name!r} is {class_name(classes[0])}; a classifier needs rows of two classes"
        )
    if classes.size > _MOST_CLASSES or (classes.size > _FEW_CLASSES and 2 * classes.size > rows):
        raise DataError(
            f"{table.source}: {table.label_name!r} has {classes.size:,} different values in {rows:,} rows, which looks like "
            f"regression: leave out --classify, or name the column of the classes with --label"
        )
    return classes


class _TableClassifier(ZipClassifier):
    """Takes a table as it is, which may be larger than memory, and all options of a run.

    ``build``: makes what to ``open`` a backend with, for a task and a number of models. ``task``, ``opened``, ``reports``: what
    it was trained on, and of each epoch.
    """

    task: Task
    opened: Backend

    def __init__(
        self,
        options: Options,
        loss: str,
        refetch: str,
        memory: int | None,
        build: Callable[[Task, int], Build | None],
        open: Callable[[Build | None], Backend],
        on_samples: Callable[[int, int], None],
        on_epoch: Callable[[EpochReport], None],
    ) -> None:
        super().__init__(
            loss=loss,
            refetch=refetch,
            schedule=options.schedule,
            max_iter=options.epochs,
            random_state=options.seed,
        )
        self.reports: list[EpochReport] = []
        self._given, self._memory = options, memory
        self._builder, self._opener = build, open
        self._told_samples, self._told_epoch = on_samples, on_epoch

    def fit_table(self, table: Table, classes: npt.NDArray[np.float64]) -> None:
        """What ``fit`` does, less the checks that a table has been through."""
        self.classes_ = classes
        self._source, self._columns = table.source, table.names
        self._fit(self._data(table.features, table.labels, None))

    def _options(self, schedule: Any, epochs: int, rows: int, unbiased: int) -> Options:
        return self._given

    def _names(self) -> tuple[str, ...]:
        return self._columns

    def _build(self, task: Task, heads: int) -> Build | None:
        self.task = task
        return self._builder(task, heads)

    def _open(self, build: Build | None) -> Backend:
        self.opened = self._opener(build)
        return self.opened

    def _on_samples(self, epoch: int) -> Callable[[int], None]:
        return partial(self._told_samples, epoch)

    def _on_epoch(self, report: EpochReport, entry: dict[str, Any]) -> None:
        self.reports.append(report)
        self._told_epoch(report)
