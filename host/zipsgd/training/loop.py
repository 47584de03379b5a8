"""The run loop: epochs of a task on a backend, from a model to a model."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from zipsgd.backends import Backend

from .calibration import calibrate
from .callbacks import Callbacks
from .epochs import EpochModel, EpochReport
from .guard import Track
from .heads import Heads
from .ladder import Ladder
from .measuring import Validation, measure_task, measure_validation
from .probe import Probe
from .state import State
from .task import Task

__all__ = ["Best", "Run"]


def _told(callbacks: Callbacks, epoch: int, task: Task, samples: int) -> None:
    """Report progress that is counted from the beginning of ``epoch`` on."""
    more, done = divmod(max(0, samples - 1), task.samples_of_epoch)
    callbacks.samples(epoch + more, done + min(1, samples))


@dataclass(frozen=True)
class Best:
    """The best epoch so far.

    Parameters
    ----------
    score : float
        Score of the model after that epoch, on all validation rows with ``patience`` or ``keep="best"``, otherwise its merit.
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
        The model to begin with; updated after each epoch, and at the end the model that is kept.
    validation : Validation or None
        Rows to measure the model on after each epoch.
    first_step : int
        Index of the first epoch's step among the steps of the task.
    reports : list of EpochReport
        Reports of the finished epochs, including those from a checkpoint.
    best : Best
        The best of the finished epochs.
    judged : bool
        Whether models are judged on the rows of ``probe``. Otherwise the last model is kept.
    last : State
        The model after the last epoch, once the run is over.
    trained : Task
        The task at the precision of the latest epoch.
    kept : int
        The epoch of this run whose model is kept, counted from 1, once the run is over.
    """

    task: Task
    state: State
    validation: Validation | None = None
    first_step: int = 0
    reports: list[EpochReport] = field(default_factory=list)
    best: Best = field(default_factory=Best)
    judged: bool = True
    last: State = field(init=False)
    trained: Task = field(init=False)
    kept: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.last, self.trained = self.state, self.task

    @property
    def over(self) -> bool:
        """bool: Whether all epochs are finished, or the score has not improved for ``patience`` epochs."""
        done, options = len(self.reports), self.task.options
        early = (
            options.patience and self.validation is not None and done - self.best.epoch >= options.patience
        )
        return self.first_step + done >= len(self.task.steps) or bool(early and done)

    @cached_property
    def probe(self) -> Probe:
        """Probe: The rows on which the models of all epochs are judged: some validation rows, or else training rows."""
        if self.validation is None:
            return Probe.of_task(self.task)
        return Probe.of_validation(self.task, self.validation)

    def train(
        self,
        backend: Backend,
        callbacks: Callbacks,
        keep: Callable[["Run"], None] = lambda run: None,
        heads: Heads | None = None,
    ) -> None:
        """Train until the run is over, and leave the model that the option ``keep`` asks for in ``state``.

        Parameters
        ----------
        backend : Backend
            Open backend whose build supports the task.
        callbacks : Callbacks
            Called as samples are taken and epochs end.
        keep : callable
            Called after each epoch, before the callbacks, for instance to write a checkpoint.
        heads : Heads or None
            The heads of the task on this backend; None for new ones.
        """
        self.state = self.last = self.state.rescaled(self.task.scalings, self.task.scale, backend.build)
        goes_on = True
        for report in self._epochs(heads or Heads(self.task, backend), callbacks):
            if report.model is not None:
                keep(self)
            goes_on &= callbacks.epoch(report)
            if report.model is not None and not goes_on:
                break
        self.last, self.kept = self.state, len(self.reports)
        if self.best.state is not None and self._keeps_best():
            self.state = replace(self.best.state, epochs=self.state.epochs)
            self.kept = self.best.epoch

    def _keeps_best(self) -> bool:
        """Whether the best model is kept, rather than the last one."""
        options = self.task.options
        if options.keep != "auto" or options.patience:
            return options.keep != "last"
        return self.track.fallen

    @property
    def track(self) -> Track:
        """Track: How good the models of the finished epochs are."""
        judged = [(report.merit, report.merit_loss) for report in self.reports]
        merits, losses = zip(
            *[(merit, loss) for merit, loss in judged if merit is not None and loss is not None], strict=True
        )
        return Track(
            merits,
            losses,
            self.probe.rows,
            accuracy=self.task.numbers is not None,
            held_out=self.validation is not None,
            epochs=[number for number, report in enumerate(self.reports, 1) if report.merit is not None],
        )

    @property
    def _scored(self) -> bool:
        """Whether the best epoch is that of the best score on all validation rows. Otherwise it is that of the best merit."""
        options = self.task.options
        return self.validation is not None and (bool(options.patience) or options.keep == "best")

    def _epochs(self, heads: Heads, callbacks: Callbacks) -> Iterator[EpochReport]:
        options, words, ahead = self.task.options, self.state.words, self.state.ahead
        while not self.over:
            task = self._next_task(heads)
            number, first = self.state.epochs, self.first_step + len(self.reports)
            steps = range(first, min(first + options.unattended, len(task.steps)))
            start = time.perf_counter()
            told = partial(_told, callbacks, number + 1, task)
            epochs, words = heads.epochs(number, words, steps, told, ahead)
            ahead = epochs[-1].ahead
            seconds = (time.perf_counter() - start) / len(steps)
            for step, done in zip(steps, epochs, strict=True):
                self.state = self.state.trained(words, options.average, ahead)
                report = EpochReport(
                    self.state.epochs,
                    done.loss * options.objective.scale,
                    seconds,
                    done.result,
                    task.rounded_size(task.steps[step]),
                    done.samples,
                    8 * done.result.sample_bytes,
                    done.again / done.samples / len(words) if heads.refetches else None,
                    bits=task.config.p + task.config.m,
                )
                if step == steps[-1]:
                    models = self.state.models()
                    model = EpochModel(models[:, :-1].copy(), models[:, -1].copy(), words)
                    report = self._measured(replace(report, model=model))
                self.reports.append(report)
                yield report

    def _next_task(self, heads: Heads) -> Task:
        """The task at the precision of the next epoch, which the heads go on with."""
        if not self.task.options.scheduled:
            return self.task
        self.trained = self._ladder.task(self.reports, heads.build)
        heads.go_on(self.trained)
        return self.trained

    @cached_property
    def _ladder(self) -> Ladder:
        return Ladder(self.task)

    def _measured(self, report: EpochReport) -> EpochReport:
        """Add the merit and the measurements that the options ask for to the report, and remember the best model."""
        options, done = self.task.options, len(self.reports) + 1
        if self.judged:
            merit, loss = self.probe.judge(self.state.scaled_models())
            report = replace(report, merit=merit, merit_loss=loss)
        watched = self.validation is not None and (options.measure or self._scored)
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
        score = report.validation_score if self._scored else report.merit
        if score is not None and self._improves(score):
            self.best = Best(score, done, self.state)
        return report

    def _improves(self, score: float) -> bool:
        """Whether a score is better than the best one, for ``patience`` by the tolerance."""
        if self.task.options.patience:
            return score >= self.best.score + self.task.options.tolerance
        return score > self.best.score
