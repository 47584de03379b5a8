"""What a bench says of its progress, on standard error."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Steps"]


class Steps:
    """A bench's steps: a bar on a terminal, a line each elsewhere. A context manager.

    Parameters
    ----------
    count : how many there will be.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._begun = 0
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=count)

    def next(self, what: str) -> None:
        """The step before is done, and ``what`` begins."""
        self._bar.update(self._task, completed=self._begun, description=what)
        self._begun += 1
        if not self._console.is_terminal:
            self.note(f"{self._begun}/{self._count} {what}")

    def note(self, message: str) -> None:
        """Say something beside the steps, such as what takes long."""
        self._console.print(message, soft_wrap=True)

    def __enter__(self) -> "Steps":
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()
