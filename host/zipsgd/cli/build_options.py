"""Arguments that say on what to train: a backend, and the build that it emulates or simulates."""

import argparse
from pathlib import Path
from typing import Any

from zipsgd.backends import BACKENDS, BackendOptions, build_for, load_build
from zipsgd.protocol.formats import Build

__all__ = ["add_backend", "add_build", "backends_of", "simulated_build"]

_DESCRIBED = {
    "lanes": "--lanes",
    "max_features": "--max-features",
    "level_planes": "--level-planes",
    "heads": "--heads",
    "hinge": "--hinge",
    "polynomial": "--polynomial",
    "refetching": "--refetching",
    "prox": "--prox",
    "ball": "--ball",
}
"""Arguments that describe a build."""


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


def _described(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is said of the build, by the words of :func:`zipsgd.backends.build_for`."""
    said = {name: getattr(arguments, name) for name in _DESCRIBED}
    said["refetch"] = said.pop("refetching")
    return {name: value for name, value in said.items() if value is not None and value is not False}


def _check_described(arguments: argparse.Namespace, has_one: str) -> None:
    """Raises ValueError if the arguments describe a build; ``has_one``: why they must not."""
    if _described(arguments):
        *names, last = _DESCRIBED.values()
        raise ValueError(
            f"{', '.join(names)} and {last} describe a build, and {has_one} one already: leave them out"
        )


def backends_of(arguments: argparse.Namespace, *names: str) -> list[BackendOptions]:
    """Backends by name, with the build, rate and waveform that the arguments ask for where they are of use.

    Raises
    ------
    ValueError
        Where the arguments contradict each other, or would describe a board.
    """
    ports = [name for name in names if name not in BACKENDS]
    if arguments.build is not None or ports:
        _check_described(arguments, f"the board on {ports[0]} has" if ports else "--build names")
    build = _described(arguments) or None if arguments.build is None else load_build(arguments.build)
    several = len(names) > 1
    return [
        BackendOptions(
            name,
            build,
            0 if several and name in ("emulator", "golden") else arguments.baud,
            None if several and name != "sim" else arguments.trace,
        )
        for name in names
    ]


def simulated_build(arguments: argparse.Namespace) -> Build:
    """The build that the arguments name or describe, for no data in particular."""
    if arguments.build is None:
        return build_for(1, **_described(arguments))
    _check_described(arguments, "--build names")
    return load_build(arguments.build)
