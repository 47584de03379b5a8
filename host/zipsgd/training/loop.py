"""The run loop: epochs of a task on a backend, from a model to a model."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from zipsgd.backends import Backend

from .calibration import calibrate
from .callbacks import Callbacks
from .epochs import EpochModel, EpochReport
from .heads import Heads
from .measuring import Validation, measure_task, measure_validation
from .state import State
from .task import Task

__all__ = ["Best", "Run"]


@dataclass(frozen=True)
class Best:
    """The best epoch so far, by the score on the validation rows.

    Parameters
    ----------
    score : float
        Score of the model after that epoch.
    epoch : int
        The epoch of this run, counted from 1; 0 before the first epoch.
    state : State or None
        The model after that epoch.
    """

    score: float = float("-inf")
    epoch: int = 0
    state: State | None = None


@dataclass
class Run:
    """A training run.

    Parameters
    ----------
    task : Task
        Data and options.
    state : State
        The model to begin with; updated after each epoch.
    validation : Validation or None
        Rows to measure the model on after each epoch.
    first_step : int
        Index of the first epoch's step among the steps of the task.
    reports : list of EpochReport
        Reports of the finished epochs, including those from a checkpoint.
    best : Best
        The best of the finished epochs.
    """

    task: Task
    state: State
    validation: Validation | None = None
    first_step: int = 0
    reports: list[EpochReport] = field(default_factory=list)
    best: Best = field(default_factory=Best)

    @property
    def over(self) -> bool:
        """bool: Whether all epochs are finished, or the score has not improved for ``patience`` epochs."""
        done, options = len(self.reports), self.task.options
        early = (
            options.patience and self.validation is not None and done - self.best.epoch >= options.patience
        )
        return self.first_step + done >= len(self.task.steps) or bool(early and done)

    def train(
        self, backend: Backend, callbacks: Callbacks, keep: Callable[["Run"], None] = lambda run: None
    ) -> None:
        """Train until the run is over, and leave the final model in ``state``.

        Parameters
        ----------
        backend : Backend
            Open backend whose build supports the task.
        callbacks : Callbacks
            Called as samples are taken and epochs end.
        keep : callable
            Called after each epoch, before the callbacks, for instance to write a checkpoint.
        """
        self.state = self.state.rescaled(self.task.scalings, self.task.scale, backend.build)
        for report in self._epochs(backend, callbacks):
            keep(self)
            if not callbacks.epoch(report):
                break
        if self.best.state is not None and self.task.options.patience:
            self.state = replace(self.best.state, epochs=self.state.epochs)

    def _epochs(self, backend: Backend, callbacks: Callbacks) -> Iterator[EpochReport]:
        task, options = self.task, self.task.options
        heads = Heads(task, backend)
        words = self.state.words
        while not self.over:
            number, step = self.state.epochs, self.first_step + len(self.reports)
            start = time.perf_counter()
            done, words = heads.epoch(number, words, step, partial(callbacks.samples, number + 1))
            seconds = time.perf_counter() - start
            self.state = self.state.trained(words, options.average)
            models = self.state.models()
            report = EpochReport(
                number + 1,
                done.loss * options.objective.scale,
                seconds,
                done.result,
                task.rounded_size(task.steps[step]),
                done.samples,
                done.sample_bits,
                done.again / done.samples / len(models) if heads.refetches else None,
                EpochModel(models[:, :-1].copy(), models[:, -1].copy(), words),
            )
            report = self._measured(report)
            self.reports.append(report)
            yield report

    def _measured(self, report: EpochReport) -> EpochReport:
        """Add the measurements that the options ask for to the report, and remember the best model."""
        options = self.task.options
        watched = self.validation is not None and bool(options.measure or options.patience)
        calibration = calibrate(self.task, self.state.scaled_models()) if options.measure or watched else None
        if calibration is not None and report.model is not None:
            models = calibration.models(self.state.models())
            report = replace(report, model=EpochModel(models[:, :-1], models[:, -1], report.model.words))
        if options.measure:
            found = measure_task(self.task, self.state, calibration)
            report = replace(report, exact_loss=found.loss, score=found.score)
        if self.validation is not None and watched:
            found = measure_validation(self.task, self.validation, self.state, calibration)
            report = replace(report, validation_loss=found.loss, validation_score=found.score)
            if found.score is not None and not found.score < self.best.score + options.tolerance:
                self.best = Best(found.score, len(self.reports) + 1, self.state)
        return report
