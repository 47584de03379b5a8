"""What a run tells while it trains: callbacks, and those that write a log."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from .epochs import EpochReport

if TYPE_CHECKING:
    from zipsgd.protocol.formats import Build

    from .result import Result
    from .task import Task

__all__ = ["Callback", "Callbacks", "CsvLog", "StopTraining", "TensorBoardLog"]


class StopTraining(Exception):
    """Raised by ``on_epoch`` to end the run after this epoch, with the model there is."""


class Callback:
    """Base of what a run tells. Each method does nothing unless a subclass says otherwise."""

    def on_begin(self, task: "Task", build: "Build") -> None:
        """The run begins: its data and options, and the device's build."""

    def on_samples(self, epoch: int, samples: int) -> None:
        """So many samples of an epoch, by its number from 1, have gone in."""

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch is over. Raise :class:`StopTraining` to end the run here."""

    def on_end(self, result: "Result | None") -> None:
        """The run is over, with its result; None where it was broken off, or where an estimator runs it."""


class _OnEpoch(Callback):
    """A function that is told of each epoch."""

    def __init__(self, function: Callable[[EpochReport], Any]) -> None:
        self._function = function

    def on_epoch(self, report: EpochReport) -> None:
        self._function(report)


class Callbacks:
    """Several callbacks as one. A context manager: on leaving it, all of them are told of the end.

    Parameters
    ----------
    several : iterable of Callback or callable
        A function is told of each epoch's report.
    """

    def __init__(self, several: Iterable[Callback | Callable[[EpochReport], Any]] = ()) -> None:
        self._all = [each if isinstance(each, Callback) else _OnEpoch(each) for each in several]
        self.result: Result | None = None

    def begin(self, task: "Task", build: "Build") -> None:
        """Tell all that the run begins."""
        for each in self._all:
            each.on_begin(task, build)

    def samples(self, epoch: int, samples: int) -> None:
        """Tell all how many samples of an epoch have gone in."""
        for each in self._all:
            each.on_samples(epoch, samples)

    def epoch(self, report: EpochReport) -> bool:
        """Tell all that an epoch is over; whether the run is to go on."""
        goes_on = True
        for each in self._all:
            try:
                each.on_epoch(report)
            except StopTraining:
                goes_on = False
        return goes_on

    def __enter__(self) -> "Callbacks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in self._all:
            each.on_end(self.result)


_LOGGED = (
    "number",
    "loss",
    "exact_loss",
    "score",
    "validation_loss",
    "validation_score",
    "step_size",
    "samples",
    "sample_bits",
    "refetched",
    "seconds",
    "flags",
)
"""Fields of an epoch's report that logs take."""


class CsvLog(Callback):
    """Writes a line for each epoch into a CSV file, as the epoch ends.

    Parameters
    ----------
    path : str or Path
        The file; what it held before is replaced.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._file: TextIO | None = None

    def on_begin(self, task: "Task", build: "Build") -> None:
        self._file = self._path.open("w", newline="")
        csv.writer(self._file).writerow(_LOGGED)

    def on_epoch(self, report: EpochReport) -> None:
        assert self._file is not None
        values = [getattr(report, name) for name in _LOGGED]
        csv.writer(self._file).writerow(
            [" ".join(value) if isinstance(value, list) else value for value in values]
        )
        self._file.flush()

    def on_end(self, result: "Result | None") -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class TensorBoardLog(Callback):
    """Writes each epoch's numbers for TensorBoard.

    Parameters
    ----------
    folder : str or Path
        Where the event file goes: ``tensorboard --logdir FOLDER`` shows it.

    Raises
    ------
    ModuleNotFoundError
        tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"a log for TensorBoard needs {error.name}, which is not installed: pip install 'zipsgd[tensorboard]'",
                name=error.name,
            ) from None
        self._writer: Any = SummaryWriter(str(folder))

    def on_epoch(self, report: EpochReport) -> None:
        for name in _LOGGED[1:]:
            value = getattr(report, name)
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, report.number)

    def on_end(self, result: "Result | None") -> None:
        self._writer.close()
