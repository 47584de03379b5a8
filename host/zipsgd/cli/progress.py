"""What the commands show while they work."""

import logging

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from zipsgd.protocol.formats import Build
from zipsgd.training.callbacks import Callback
from zipsgd.training.epochs import EpochReport
from zipsgd.training.task import Task

__all__ = ["TrainingProgress", "epoch_line", "messages"]


def messages(quiet: bool = False) -> Console:
    """Standard error, for what is not a result: no colours on numbers, no line broken that another program may read."""
    return Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)


def epoch_line(report: EpochReport) -> str:
    """An epoch in a line: loss, what was measured, samples a second and, of a device, cycles and share of the plane limit."""
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


class _Messages(logging.Handler):
    """Log records as messages of a progress."""

    def __init__(self, progress: "TrainingProgress") -> None:
        super().__init__()
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.say(record.getMessage())


class TrainingProgress(Callback):
    """A line for each epoch and for each message of the log; on a terminal, a bar for what is under way. A context manager.

    Parameters
    ----------
    console : Console
        Where to print.
    verbose : bool
        Whether messages that are meant for a closer look are printed, too.
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
        """Show on the bar what is under way."""
        self._bar.reset(self._task, total=None, description=what, samples="")

    def say(self, message: str) -> None:
        """Print a line, and show it as what is under way."""
        self._console.print(message)
        self.doing(message)

    def on_begin(self, task: Task, build: Build) -> None:
        self._rows = task.rows

    def on_samples(self, epoch: int, samples: int) -> None:
        self._bar.update(
            self._task,
            total=self._rows,
            completed=samples,
            description=f"epoch {epoch}",
            samples=f"{samples:,} of {self._rows:,} samples",
        )

    def on_epoch(self, report: EpochReport) -> None:
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
