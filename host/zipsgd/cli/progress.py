"""What the commands show while they work."""

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from zipsgd.training import EpochReport

__all__ = ["TrainingProgress", "epoch_line", "messages"]


def messages(quiet: bool = False) -> Console:
    """Standard error, for what is not a result: no colours on numbers, no line broken that another program may read."""
    return Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)


def epoch_line(report: EpochReport, rows: int) -> str:
    """Epoch, loss, samples a second; where there is a device, cycles and share of the plane limit."""
    result = report.result
    text = f"epoch {report.number:3}  loss {report.loss:.6f}  {rows / report.seconds:11,.0f} samples/s"
    if result.cycles and result.plane_cycles is not None:
        text += f"  {result.cycles:13,} cycles  {result.plane_cycles / result.cycles:6.1%} of the plane limit"
    return text


class TrainingProgress:
    """A line for each epoch done and for each thing to say; on a terminal, a bar for what is under way. A context manager."""

    def __init__(self, console: Console) -> None:
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

    def doing(self, what: str) -> None:
        """Show on the bar what is under way."""
        self._bar.reset(self._task, total=None, description=what, samples="")

    def say(self, message: str) -> None:
        """Print a line, and show it as what is under way."""
        self._console.print(message)
        self.doing(message)

    def begin(self, rows: int) -> None:
        """Epochs of ``rows`` samples come."""
        self._rows = rows

    def on_samples(self, epoch: int, done: int) -> None:
        self._bar.update(
            self._task,
            total=self._rows,
            completed=done,
            description=f"epoch {epoch}",
            samples=f"{done:,} of {self._rows:,} samples",
        )

    def on_epoch(self, report: EpochReport) -> None:
        self._console.print(epoch_line(report, self._rows))

    def __enter__(self) -> "TrainingProgress":
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()
