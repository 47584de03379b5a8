"""What every command has: its help, and checks of the places that it writes to."""

import argparse
import os
import shutil
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zipsgd.data import SETS

__all__ = ["Commands", "add_command", "check_output"]

Commands = Any
"""What ``add_subparsers`` returns; argparse has no public name for it."""

_FILES = """\
data:
  .csv .tsv .txt .dat ...   numbers separated by comma, semicolon, tab or blanks; a header line is seen
  .npy                      one array, (rows, columns); may be larger than memory
  .npz                      arrays X and y; X may be larger than memory if it is not compressed
  .libsvm .svm .svmlight    label index:value ...
  named sets, fetched once: """


def _sets() -> str:
    width = max(map(len, SETS))
    return "".join(f"\n    {name:{width}}  {found.title}; {found.task}" for name, found in SETS.items())


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    examples: str,
    data: bool = False,
) -> argparse.ArgumentParser:
    """A command with a help that teaches; with ``data``, also what data it takes."""
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, shutil.get_terminal_size().columns - 2),
        epilog=(_FILES + _sets() + "\n\n" if data else "") + "examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also say what goes on inside: builds, frames that were sent again, ...",
    )
    command.set_defaults(run=run)
    return command


def check_output(*paths: Path | None, folder: bool = False, inputs: Sequence[str | Path] = ()) -> None:
    """Make the folders that ``paths`` need, before any work; with ``folder``, they are folders themselves.

    Raises ValueError for a place that cannot be written, and for one that is named twice, or is one of the ``inputs``.
    """
    taken = {Path(path).resolve() for path in inputs}
    for path in paths:
        if path is None:
            continue
        if path.resolve() in taken:
            raise ValueError(
                f"cannot write {path}: it is named twice, and what it holds would be lost; name another"
            )
        taken.add(path.resolve())
        if path.exists() and path.is_dir() != folder:
            raise ValueError(f"cannot write {path}: it is a {'file' if folder else 'folder'}; name another")
        parent = path if folder else path.parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"cannot write {path}: {error.strerror} ({parent}); name another place"
            ) from None
        if not os.access(path if path.exists() else parent, os.W_OK):
            raise ValueError(f"cannot write {path}: not permitted; name another place")
