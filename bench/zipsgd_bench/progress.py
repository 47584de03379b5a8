"""Progress of a bench on standard error."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Steps"]


class Steps:
    """Progress over the steps of a bench: a bar on a terminal, and otherwise a line per step. A context manager.

    Parameters
    ----------
    count : int
        Number of steps.
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
        """Finish the current step and begin the next one.

        Parameters
        ----------
        what : str
            Name of the next step.
        """
        self._bar.update(self._task, completed=self._begun, description=what)
        self._begun += 1
        if not self._console.is_terminal:
            self.note(f"{self._begun}/{self._count} {what}")

    def note(self, message: str) -> None:
        """Print a message beside the steps.

        Parameters
        ----------
        message : str
            The message, such as the name of a long operation.
        """
        self._console.print(message, soft_wrap=True)

    def __enter__(self) -> "Steps":
        self._bar.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.stop()
