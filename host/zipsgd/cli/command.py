"""What all commands share: the form of their help, and checks of the places that they write to.

Each module of a command has a function ``add``, which adds the command to the parser, and a function ``run``, which takes the
parsed arguments and returns the exit status.
"""

import argparse
import shutil
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zipsgd.data import SETS
from zipsgd.output import STANDARD, OutputError, check_writable

__all__ = ["Commands", "add_command", "check_output"]

Commands = Any
"""Type of the result of ``add_subparsers``, for which argparse has no public name."""

_FILES = """\
data:
  .csv .tsv .txt .dat ...   numbers separated by comma, semicolon, tab or blanks, with or without a header line
  .npy                      one array, (rows, columns); may be larger than memory
  .npz                      arrays X and y; X may be larger than memory if it is not compressed
  .parquet .arrow .feather  columns of numbers, booleans and text; may be larger than memory
  .libsvm .svm .svmlight    label index:value ..., with ascending indices from 1
  -                         standard input; a pipe is read once
  Text may be compressed (.gz .bz2 .xz). Files of other suffixes are recognised by their first bytes, or --format names theirs.
  named sets, downloaded once: """


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
    """Add a command to the parser.

    Parameters
    ----------
    commands : Commands
        The commands of the parser.
    name : str
        Name of the command.
    run : callable
        Function that carries it out, and returns the exit status.
    summary : str
        Line for the list of commands.
    description : str
        Text at the beginning of its help.
    examples : str
        Text at the end of its help.
    data : bool
        Whether the help also lists formats of files and named sets.

    Returns
    -------
    argparse.ArgumentParser
        Parser of the command.
    """
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
        help="also print details, such as builds, and frames that were sent again",
    )
    command.set_defaults(run=run, command=command)
    return command


def check_output(
    *paths: Path | None,
    folder: bool = False,
    inputs: Sequence[str | Path] = (),
    never_standard: Sequence[Path | None] = (),
) -> None:
    """Check, before any work, that files can be written, and create their folders.

    Parameters
    ----------
    paths : Path or None
        Files to write; None is skipped.
    folder : bool
        Whether the paths are folders instead of files.
    inputs : sequence of str or Path
        Files that must not be overwritten.
    never_standard : sequence of Path or None
        Further files to write, for which "-" does not mean standard output.

    Raises
    ------
    ValueError
        A path cannot be written, is given twice, or is an input.
    """
    if STANDARD in (paths if folder else never_standard):
        raise ValueError(
            "cannot write -: only single texts, such as a model, go to standard output; name a place"
        )
    taken = {Path(path).resolve() for path in inputs if Path(path) != STANDARD}
    for path in (*paths, *never_standard):
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
        try:
            check_writable(path / "file" if folder else path)
        except OutputError as error:
            raise ValueError(error) from None
