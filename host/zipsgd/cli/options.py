"""Arguments that several commands share."""

import argparse
import os
import shutil
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from zipsgd.backends import BACKENDS, build_for, load_build
from zipsgd.data import SETS, Table, load
from zipsgd.memory import default_memory, parse_memory_size
from zipsgd.protocol.formats import Build
from zipsgd.training import LEVELS, Options, Task
from zipsgd.training.objective import class_objective
from zipsgd.training.steps import SCHEDULES

__all__ = [
    "Commands",
    "add_backend",
    "add_build",
    "add_command",
    "add_data",
    "add_memory",
    "add_training",
    "build_of",
    "build_of_heads",
    "check_output",
    "memory_of",
    "options_of",
    "table_of",
]

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
    command.set_defaults(run=run)
    return command


def add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", help="a file or a named set; see below")
    command.add_argument(
        "--label", metavar="COLUMN", help="name or index of the label's column (default: the last)"
    )
    command.add_argument("--drop-constant", action="store_true", help="leave out columns that never vary")
    add_memory(command)


def add_memory(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--memory",
        metavar="SIZE",
        help="such as 2G or 500M: a set that takes more is left in its file and worked on in parts, with the same results "
        "(default: a quarter of what is free)",
    )


def memory_of(arguments: argparse.Namespace) -> int:
    """Bytes. Raises ValueError."""
    return default_memory() if arguments.memory is None else parse_memory_size(arguments.memory)


def table_of(arguments: argparse.Namespace, memory: int, progress: Callable[[str], None]) -> Table:
    table = load(arguments.data, label=arguments.label, memory=memory, progress=progress)
    return table.without_constant_columns() if arguments.drop_constant else table


def add_training(command: argparse.ArgumentParser, epochs: int) -> None:
    """Options of :class:`zipsgd.training.Options`."""
    group = command.add_argument_group("training")
    group.add_argument(
        "--base-bits",
        type=int,
        default=2,
        metavar="P",
        help="base planes p of a value, 1 to 8; on optimal levels 0 to 4 (default %(default)s)",
    )
    group.add_argument(
        "--samples-per-value",
        type=int,
        metavar="M",
        help="independent quantisations m of a value, one more plane each: 2 is double sampling, 1 the biased naive quantiser, "
        "0 truncation (default: what the loss takes for a gradient without bias; 2, and 6 of the logistic loss)",
    )
    group.add_argument(
        "--batch-size",
        type=int,
        default=16,
        metavar="B",
        help="samples of a mini-batch (default %(default)s)",
    )
    group.add_argument(
        "--step-size",
        type=float,
        metavar="GAMMA",
        help="of the first epoch (default: one that follows from the data)",
    )
    group.add_argument(
        "--schedule",
        choices=SCHEDULES,
        default="linear",
        help="how the step shrinks by epoch (default %(default)s)",
    )
    group.add_argument(
        "--epochs", type=int, default=epochs, metavar="N", help="passes over the data (default %(default)s)"
    )
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        help="decides order, up bits and rounding: the same seed gives the same bits on every backend (default %(default)s)",
    )
    group.add_argument(
        "--one-sided",
        action="store_true",
        help="g = Q1 l'(z2), rather than the symmetric mean of both orders",
    )
    group.add_argument(
        "--fixed-up-bits", action="store_false", dest="fresh", help="quantise once, not afresh in each epoch"
    )
    penalties = command.add_argument_group(
        "regularisers",
        "of the model of scaled features, the intercept spared; a device needs prox=1 for them",
    )
    penalties.add_argument(
        "--l2", type=float, default=0.0, metavar="LAMBDA", help="add LAMBDA / 2 of the squared length"
    )
    penalties.add_argument(
        "--l1",
        type=float,
        default=0.0,
        metavar="LAMBDA",
        help="add LAMBDA of the sum of sizes: sparse models",
    )
    penalties.add_argument(
        "--bound", type=float, default=0.0, metavar="C", help="keep every entry within C of 0 (default: none)"
    )
    penalties.add_argument(
        "--radius",
        type=float,
        default=0.0,
        metavar="R",
        help="keep the model's length within R; a device needs ball=1, too (default: none)",
    )
    levels = command.add_argument_group("levels", "where values are rounded to")
    levels.add_argument(
        "--levels",
        choices=LEVELS,
        default="uniform",
        help="uniform: evenly spaced; optimal: where the data are, for the least variance, looked up on the device by its "
        "transcoder. --base-bits may then be 0, for two levels a column (default %(default)s)",
    )
    levels.add_argument(
        "--level-bits",
        type=int,
        default=8,
        metavar="V",
        help="bits of an optimal level (default %(default)s)",
    )
    levels.add_argument(
        "--shared-levels", action="store_true", help="the same optimal levels for all columns"
    )


def options_of(arguments: argparse.Namespace) -> Options:
    given = {field.name: getattr(arguments, field.name) for field in fields(Options)}
    if given["samples_per_value"] is None:
        given["samples_per_value"] = class_objective(
            getattr(arguments, "loss", None) or "squared_error"
        ).samples_per_value
    return Options(**given)


def add_build(command: argparse.ArgumentParser) -> None:
    """Parameters of the build that is emulated or simulated."""
    group = command.add_argument_group(
        "build", "the gateware that is emulated or simulated; a board on a port comes with its own"
    )
    group.add_argument("--lanes", type=int, help="features side by side, a power of two (default 8)")
    group.add_argument(
        "--max-features",
        type=int,
        metavar="N",
        help="most features, with the intercept (default: what the data need, at least 1024)",
    )
    group.add_argument(
        "--level-planes",
        type=int,
        metavar="P",
        help="with a transcoder for optimal levels of up to P base planes (default: what --levels needs)",
    )
    group.add_argument(
        "--heads",
        type=int,
        metavar="K",
        help="models trained side by side (default 1; to train classes, one for each, as far as there is room)",
    )
    group.add_argument(
        "--hinge", action="store_true", help="with hinge losses (default: where one is asked for)"
    )
    group.add_argument(
        "--polynomial",
        type=int,
        metavar="D",
        help="with polynomial losses of up to degree D, 1 to 7 (default: where one is asked for)",
    )
    group.add_argument(
        "--refetching",
        action="store_true",
        help="with a list of samples to fetch again, beside --hinge (default: where one is asked for)",
    )
    group.add_argument(
        "--prox",
        action="store_true",
        help="with a proximal step for regularisers (default: where one is asked for)",
    )
    group.add_argument(
        "--ball", action="store_true", help="with a ball for the model, too (default: where one is asked for)"
    )
    group.add_argument(
        "--build",
        type=Path,
        metavar="FILE",
        help="exactly the build of a build.json that 'zipsgd build' wrote; a board must hold that one",
    )


def _described(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is said of the build, by the parameters of :func:`zipsgd.backends.build_for`."""
    said = {
        name: getattr(arguments, name)
        for name in ("lanes", "max_features", "level_planes", "heads", "hinge", "polynomial", "prox", "ball")
    }
    said["refetch"] = arguments.refetching
    return {name: value for name, value in said.items() if value is not None and value is not False}


def named_build(arguments: argparse.Namespace, *backends: str) -> Build | None:
    """The build that the arguments name; None where they describe one, and for whatever is on a board.

    Raises ValueError where the arguments contradict each other, or would describe a board.
    """
    ports = [name for name in backends if name not in BACKENDS]
    if _described(arguments) and (arguments.build is not None or ports):
        what = f"the board on {ports[0]} has" if ports else "--build names"
        raise ValueError(
            f"--lanes, --max-features, --level-planes, --heads, --hinge, --polynomial, --refetching, --prox and --ball "
            f"describe a build, and {what} one already: leave them out"
        )
    return None if arguments.build is None else load_build(arguments.build)


def build_of(arguments: argparse.Namespace, features: int = 1, *backends: str) -> Build | None:
    """The build that the arguments ask for, with room for ``features``; None for whatever is on a board or in a checkpoint.

    Raises ValueError as :func:`named_build`.
    """
    build, described = named_build(arguments, *backends), _described(arguments)
    if (
        build is not None
        or not BACKENDS.keys() >= set(backends)
        or (getattr(arguments, "resume", False) and not described)
    ):
        return build
    needed: dict[str, Any] = {"batch": getattr(arguments, "batch_size", 1)}
    if getattr(arguments, "levels", "uniform") == "optimal":
        needed["level_planes"] = arguments.base_bits
    if any(getattr(arguments, name, 0) for name in ("l2", "l1", "bound")):
        needed["prox"] = True
    if getattr(arguments, "radius", 0):
        needed["ball"] = True
    return build_for(features, **{**needed, **described})


def build_of_heads(
    arguments: argparse.Namespace, backend: str
) -> Build | Callable[[Task, int], Build] | None:
    """The same for models side by side: a build, or what makes one for a task and a number of models.

    Raises ValueError as :func:`named_build`, ModuleNotFoundError without scikit-learn.
    """
    from zipsgd.training.heads import build_of

    build = named_build(arguments, backend)
    if build is not None or backend not in BACKENDS:
        return build
    return partial(build_of, **_described(arguments))


def add_backend(command: argparse.ArgumentParser) -> None:
    names = "; ".join(f"{name}: {text}" for name, text in BACKENDS.items())
    command.add_argument(
        "--backend",
        default="emulator",
        metavar="BACKEND",
        help=f"{names}; or a serial port or URL, such as /dev/ttyUSB1 or socket://127.0.0.1:4000 (default %(default)s)",
    )
    command.add_argument(
        "--baud",
        type=int,
        default=0,
        metavar="RATE",
        help="of a serial port (default 3,000,000); the virtual board's link is held to it (default: a byte a cycle)",
    )
    command.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="the virtual board writes a waveform (.vcd), and beside it groups of signals for GTKWave (.gtkw)",
    )


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
