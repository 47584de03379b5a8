"""The files that a command writes at the end of its work."""

import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from zipsgd.output import is_standard, write_file

if TYPE_CHECKING:
    from zipsgd.training.result import Result

__all__ = ["Outputs"]


class Outputs:
    """Writes files, goes on after one that fails, and says at the end what became of each."""

    def __init__(self) -> None:
        self._written: list[Path] = []
        self._failed: list[str] = []

    @property
    def wrote(self) -> list[str]:
        """list of str: A line for each file that was written."""
        return [f"wrote {path}" for path in self._written if not is_standard(path)]

    def add(self, path: Path, error: OSError | None) -> None:
        """Note a file that was written elsewhere.

        Parameters
        ----------
        path : Path
            The file.
        error : OSError or None
            Why it could not be written.
        """
        if error is None:
            self._written.append(path)
        else:
            self._failed.append(str(error))

    def attempt(self, work: Callable[[], Iterable[Path]]) -> bool:
        """Write files.

        Parameters
        ----------
        work : callable
            Writes them, and returns their paths.

        Returns
        -------
        bool
            Whether it succeeded.
        """
        try:
            self._written += work()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failed.append(str(error))
            return False
        return True

    def write(self, path: Path, text: str) -> None:
        """Write a text into a file.

        Parameters
        ----------
        path : Path
            The file.
        text : str
            The text.
        """

        def work() -> list[Path]:
            write_file(path, text)
            return [path]

        self.attempt(work)

    def save(self, result: "Result", path: Path) -> None:
        """Save a model; if that fails, save it in the folder of temporary files, so that it is not lost.

        Parameters
        ----------
        result : Result
            The model.
        path : Path
            The file.
        """

        def work() -> list[Path]:
            result.save(path)
            return [path]

        if self.attempt(work):
            return
        try:
            with tempfile.NamedTemporaryFile(prefix="zipsgd-model-", suffix=".json", delete=False) as file:
                rescue = Path(file.name)
            result.save(rescue)
        except OSError:
            return
        self._failed[-1] += f"; the model is in {rescue}"

    def status(self) -> int:
        """Print what could not be written to standard error.

        Returns
        -------
        int
            The exit status: 0, or 1 if a file could not be written.
        """
        for message in self._failed:
            print(f"zipsgd: {message}", file=sys.stderr)
        return 1 if self._failed else 0
