"""Callbacks: how a run reports its progress, and logs in CSV and TensorBoard format."""

import csv
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from zipsgd.extras import extra
from zipsgd.output import OutputError

from .epochs import EpochReport

if TYPE_CHECKING:
    from zipsgd.protocol.formats import Build

    from .result import Result
    from .task import Task

__all__ = ["Callback", "Callbacks", "CsvLog", "StopTraining", "TensorBoardLog"]

_log = logging.getLogger(__name__)


class StopTraining(Exception):
    """Raised by ``on_epoch`` to end the run after this epoch and keep the current model."""


class Callback:
    """Base class of callbacks. Its methods do nothing; override those that you need."""

    def on_begin(self, task: "Task", build: "Build") -> None:
        """Called when the run begins.

        Parameters
        ----------
        task : Task
            The data and options of the run.
        build : Build
            The build of the device, or the one that is emulated.
        """

    def on_samples(self, epoch: int, samples: int) -> None:
        """Called several times during an epoch.

        Parameters
        ----------
        epoch : int
            The epoch, counted from 1.
        samples : int
            Samples of the epoch that have been taken so far.
        """

    def on_epoch(self, report: EpochReport) -> None:
        """Called when an epoch is over. Raise :class:`StopTraining` to end the run.

        Parameters
        ----------
        report : EpochReport
            Loss, scores and counts of the epoch.
        """

    def on_end(self, result: "Result | None") -> None:
        """Called when the run is over, even if it failed.

        Parameters
        ----------
        result : Result or None
            The result; None if the run failed or was interrupted, or if a scikit-learn estimator runs it.
        """


class _OnEpoch(Callback):
    """A callback that calls a function with each epoch's report."""

    def __init__(self, function: Callable[[EpochReport], Any]) -> None:
        self._function = function

    def on_epoch(self, report: EpochReport) -> None:
        self._function(report)


class Callbacks:
    """Several callbacks as one. It is a context manager, which calls ``on_end`` of all callbacks when it is left.

    Parameters
    ----------
    several : iterable of Callback or callable
        The callbacks; a plain function is called with each epoch's report.

    Attributes
    ----------
    result : Result or None
        The result to pass to ``on_end``.
    begun : bool
        Whether the callbacks have been told that the run has begun.
    """

    def __init__(self, several: Iterable[Callback | Callable[[EpochReport], Any]] = ()) -> None:
        self._all = [each if isinstance(each, Callback) else _OnEpoch(each) for each in several]
        self.result: Result | None = None
        self.begun = False

    def begin(self, task: "Task", build: "Build") -> None:
        """Call ``on_begin`` of all callbacks.

        Parameters
        ----------
        task : Task
            The data and options of the run.
        build : Build
            The build of the device, or the one that is emulated.
        """
        self.begun = True
        for each in self._all:
            each.on_begin(task, build)

    def samples(self, epoch: int, samples: int) -> None:
        """Call ``on_samples`` of all callbacks.

        Parameters
        ----------
        epoch : int
            The epoch, counted from 1.
        samples : int
            Samples of the epoch that have been taken so far.
        """
        for each in self._all:
            each.on_samples(epoch, samples)

    def epoch(self, report: EpochReport) -> bool:
        """Call ``on_epoch`` of all callbacks.

        Parameters
        ----------
        report : EpochReport
            Report of the epoch.

        Returns
        -------
        bool
            False if a callback raised :class:`StopTraining`.
        """
        goes_on = True
        for each in self._all:
            try:
                each.on_epoch(report)
            except StopTraining:
                goes_on = False
        return goes_on

    def end(self) -> None:
        """Call ``on_end`` of all callbacks."""
        for each in self._all:
            each.on_end(self.result)

    def __enter__(self) -> "Callbacks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()


_LOGGED = (
    "number",
    "loss",
    "exact_loss",
    "score",
    "validation_loss",
    "validation_score",
    "merit",
    "step_size",
    "samples",
    "sample_bits",
    "refetched",
    "seconds",
    "flags",
)
"""Fields of an epoch's report that are logged."""


class CsvLog(Callback):
    """Writes a line for each epoch into a CSV file, as the epoch ends.

    If a line cannot be written, for instance onto a full disk, a warning is logged and the run goes on without the log.

    Parameters
    ----------
    path : str or Path
        The file; what it held before is replaced when the run begins.

    Attributes
    ----------
    path : Path
        The file.
    error : OutputError or None
        Why the log is incomplete; None if it is complete so far.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.error: OutputError | None = None
        self._file: TextIO | None = None

    def on_begin(self, task: "Task", build: "Build") -> None:
        """Open the file and write the header, see :meth:`Callback.on_begin`. Raises OSError if it cannot be opened."""
        self._file, self.error = self.path.open("w", newline=""), None
        self._write(_LOGGED)

    def on_epoch(self, report: EpochReport) -> None:
        """Write a line, see :meth:`Callback.on_epoch`."""
        values = [getattr(report, name) for name in _LOGGED]
        self._write([" ".join(value) if isinstance(value, list) else value for value in values])

    def _write(self, values: Iterable[Any]) -> None:
        if self._file is None:
            return
        try:
            csv.writer(self._file).writerow(values)
            self._file.flush()
        except OSError as error:
            self.error = OutputError(f"the log {self.path} is incomplete: {error.strerror or error}")
            _log.warning("%s", self.error)
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what could not be written a moment ago
                self._file.close()
            self._file = None

    def on_end(self, result: "Result | None") -> None:
        """Close the file, see :meth:`Callback.on_end`."""
        self._close()


class TensorBoardLog(Callback):
    """Writes each epoch's numbers for TensorBoard.

    Parameters
    ----------
    folder : str or Path
        Where the event file goes: ``tensorboard --logdir FOLDER`` shows it.

    Raises
    ------
    MissingExtra
        tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        with extra("tensorboard", "a log for TensorBoard"):
            from tensorboardX import SummaryWriter
        self._writer: Any = SummaryWriter(str(folder))

    def on_epoch(self, report: EpochReport) -> None:
        """Write the numbers of the report, see :meth:`Callback.on_epoch`."""
        for name in _LOGGED[1:]:
            value = getattr(report, name)
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, report.number)

    def on_end(self, result: "Result | None") -> None:
        """Close the event file, see :meth:`Callback.on_end`."""
        self._writer.close()
