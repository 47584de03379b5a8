"""The output of the commands while they work."""

import logging
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from zipsgd.training.callbacks import Callback
from zipsgd.training.epochs import EpochReport

from .interrupt import raise_if_interrupted

if TYPE_CHECKING:
    from zipsgd.protocol.formats import Build
    from zipsgd.training.task import Task

__all__ = ["TrainingProgress", "WorkProgress", "epoch_line", "messages"]

_QUIET_SECONDS = 60.0
"""After so long without a line, work that goes on is said where there is no terminal."""


def messages(quiet: bool = False) -> Console:
    """The console for messages: standard error, without highlighted numbers and without line breaks within a message.

    Parameters
    ----------
    quiet : bool
        Whether to print nothing.

    Returns
    -------
    Console
        The console.
    """
    return Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)


def epoch_line(report: EpochReport) -> str:
    """The line for an epoch: loss, measurements, samples per second, and for a device the cycles.

    Parameters
    ----------
    report : EpochReport
        Report of the epoch.

    Returns
    -------
    str
        The line.
    """
    result = report.result
    text = f"epoch {report.number:3}  loss {report.loss:.6f}"
    for name, value in {
        "exact": report.exact_loss,
        "score": report.score,
        "held-out loss": report.validation_loss,
        "held-out score": report.validation_score,
    }.items():
        if value is not None:
            text += f"  {name} {value:.6f}"
    text += f"  {report.samples / report.seconds:11,.0f} samples/s"
    if result.cycles and result.plane_cycles is not None:
        text += f"  {result.cycles:13,} cycles  {result.plane_cycles / result.cycles:6.1%} of the plane limit"
    return text


class WorkProgress:
    """Prints lines, and shows what is being done and for how long. It is a context manager.

    On a terminal this stands behind a spinner, elsewhere a line says it every minute.

    Parameters
    ----------
    console : Console
        Where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)
        self._begun = self._said = time.monotonic()

    def note(self, line: str) -> None:
        """Print a line, with which the time begins anew.

        Parameters
        ----------
        line : str
            The line.
        """
        self._console.print(line, markup=False)
        self._begun = self._said = time.monotonic()
        self._bar.reset(self._task, total=None, description="")

    def doing(self, what: str) -> None:
        """Show what is being done. Call it often. Raise an interrupt that was lost.

        Parameters
        ----------
        what : str
            What is being done.
        """
        raise_if_interrupted()
        now = time.monotonic()
        self._bar.update(self._task, description=what)
        if not self._console.is_terminal and now - self._said >= _QUIET_SECONDS:
            self._said = now
            self._console.print(f"  {what}, after {(now - self._begun) / 60:.0f} min", markup=False)

    def __enter__(self) -> "WorkProgress":
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()


class _Messages(logging.Handler):
    """Prints log records as lines of a progress display."""

    def __init__(self, progress: "TrainingProgress") -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.say(record.getMessage())


class TrainingProgress(Callback):
    """Prints a line for each epoch and each log message, and on a terminal a progress bar. It is a context manager.

    Parameters
    ----------
    console : Console
        Where to print.
    verbose : bool
        Whether to print detailed messages, too.
    """

    def __init__(self, console: Console, verbose: bool = False) -> None:
        self._console = console
        self._rows = 0
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[samples]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, samples="")
        self._log = logging.getLogger("zipsgd")
        self._handler = _Messages(self)
        self._level = logging.DEBUG if verbose else logging.INFO

    def doing(self, what: str) -> None:
        """Show a description on the progress bar.

        Parameters
        ----------
        what : str
            What is being done.
        """
        self._bar.reset(self._task, total=None, description=what, samples="")

    def counting(self, what: str, rows: int) -> None:
        """Show a description on the progress bar, and how many of the rows are done.

        Parameters
        ----------
        what : str
            What is being done.
        rows : int
            Number of rows.
        """
        self._rows = rows
        self._bar.reset(self._task, total=rows, description=what, samples="")

    def count(self, rows: int) -> None:
        """Advance the progress bar. Raise an interrupt that was lost.

        Parameters
        ----------
        rows : int
            Rows that are done.
        """
        raise_if_interrupted()
        self._bar.update(self._task, completed=rows, samples=f"{rows:,} of {self._rows:,} rows")

    def say(self, message: str) -> None:
        """Print a line, and show it on the progress bar.

        Parameters
        ----------
        message : str
            The line.
        """
        self._console.print(message)
        self.doing(message)

    def on_begin(self, task: "Task", build: "Build") -> None:
        """Note the number of rows, see :meth:`zipsgd.Callback.on_begin`."""
        self._rows = task.rows

    def on_samples(self, epoch: int, samples: int) -> None:
        """Advance the progress bar, see :meth:`zipsgd.Callback.on_samples`. Raise an interrupt that was lost."""
        raise_if_interrupted()
        self._bar.update(
            self._task,
            total=self._rows,
            completed=samples,
            description=f"epoch {epoch}",
            samples=f"{samples:,} of {self._rows:,} samples",
        )

    def on_epoch(self, report: EpochReport) -> None:
        """Print the line of the epoch, see :meth:`zipsgd.Callback.on_epoch`. Raise an interrupt that was lost."""
        raise_if_interrupted()
        self._console.print(epoch_line(report))

    def __enter__(self) -> "TrainingProgress":
        self._before = self._log.level
        self._log.setLevel(self._level)
        self._log.addHandler(self._handler)
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()
        self._log.removeHandler(self._handler)
        self._log.setLevel(self._before)
