"""Arguments for the backend, and for the build that it emulates or simulates."""

import argparse
from pathlib import Path
from typing import Any

from zipsgd.backends import BACKENDS, BackendOptions, build_for, load_build
from zipsgd.driver.tcp import check_url
from zipsgd.protocol.formats import Build

__all__ = ["add_backend", "add_build", "add_usb", "backends_of", "build_words", "simulated_build"]

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
    "diagonal": "--diagonal",
    "store": "--store",
    "scores": "--scores",
}
"""Arguments that describe a build."""


def add_build(command: argparse.ArgumentParser) -> None:
    """Add arguments for the build that is emulated or simulated.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.
    """
    group = command.add_argument_group(
        "build", "the gateware that is emulated or simulated; a board on a port has its own build"
    )
    group.add_argument(
        "--lanes", type=int, help="features that are processed in parallel, a power of two (default 8)"
    )
    group.add_argument(
        "--max-features",
        type=int,
        metavar="N",
        help="largest number of features, including the intercept (default: what the data need, at least 1024)",
    )
    group.add_argument(
        "--level-planes",
        type=int,
        metavar="P",
        help="include a transcoder for optimal levels with up to P base planes (default: what --levels needs)",
    )
    group.add_argument(
        "--heads",
        type=int,
        metavar="K",
        help="models trained side by side (default: one for each class or output, as far as there is room; for 'zipsgd sim' 1)",
    )
    group.add_argument(
        "--hinge", action="store_true", help="include hinge losses (default: if the training needs them)"
    )
    group.add_argument(
        "--polynomial",
        type=int,
        metavar="D",
        help="include polynomial losses of up to degree D, 1 to 7 (default: what the training needs)",
    )
    group.add_argument(
        "--refetching",
        action="store_true",
        help="include refetching; needs --hinge (default: if the training needs it)",
    )
    group.add_argument(
        "--prox",
        action="store_true",
        help="include the proximal step for regularisers (default: if the training needs it)",
    )
    group.add_argument(
        "--ball",
        action="store_true",
        help="include the limit on the length of the model, --radius (default: if the training needs it)",
    )
    group.add_argument(
        "--diagonal",
        action=argparse.BooleanOptionalAction,
        help="include the correction of one draw's bias, which --estimator one-draw needs (default: if the training needs it; "
        "for 'zipsgd sim' yes)",
    )
    group.add_argument(
        "--store",
        type=int,
        metavar="BYTES",
        help="include a store of so many bytes for samples that stay on the board (default: what --resident needs)",
    )
    group.add_argument(
        "--scores",
        type=int,
        metavar="N",
        help="include room for the scores of N samples and models, a power of two, by which the board predicts (default: what "
        "'zipsgd predict' needs; for 'zipsgd sim' 1024)",
    )
    group.add_argument(
        "--build",
        type=Path,
        metavar="FILE",
        help="use exactly the build in a build.json of 'zipsgd build'; a board must have this build",
    )


def add_backend(command: argparse.ArgumentParser, default: str | None = "emulator") -> None:
    """Add arguments for the backend.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.
    default : str or None
        The backend if none is named; None for none.
    """
    names = "; ".join(f"{name}: {text}" for name, text in BACKENDS.items())
    unsaid = "%(default)s" if default else "none: floating-point numbers, on this computer"
    command.add_argument(
        "--backend",
        default=default,
        metavar="BACKEND",
        help=f"{names}; or a serial port or URL, such as /dev/ttyUSB1, socket://127.0.0.1:4000, or tcp://lab:9474 of "
        f"'zipsgd serve' (default {unsaid})",
    )
    command.add_argument(
        "--baud",
        type=int,
        default=0,
        metavar="RATE",
        help="baud rate of a serial port (default 3,000,000), or limit of the virtual board's link (default: one byte per "
        "cycle)",
    )
    add_usb(command)
    command.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="let the virtual board write a waveform (.vcd), and a list of its signals in groups for GTKWave (.gtkw)",
    )


def add_usb(command: argparse._ActionsContainer) -> None:
    """Add ``--usb``.

    Parameters
    ----------
    command : argument parser or group
        What gets the argument.
    """
    command.add_argument(
        "--usb",
        choices=("full", "high"),
        help="put the virtual board on a USB bus of this speed, with a host that finds it (default: a plain byte stream)",
    )


def _described(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parameters of the build that were given, as arguments of :func:`zipsgd.backends.build_for`."""
    said = {name: getattr(arguments, name) for name in _DESCRIBED}
    said["refetch"] = said.pop("refetching")
    diagonal = said.pop("diagonal")
    asked = {name: value for name, value in said.items() if value is not None and value is not False}
    return asked if diagonal is None else {**asked, "diagonal": diagonal}


def build_words(arguments: argparse.Namespace) -> list[str]:
    """The arguments that were given of :func:`add_build` and, but for the backend's name, :func:`add_backend`.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    list of str
        Such as "--lanes".
    """
    given = {**vars(arguments), "baud": arguments.baud or None}
    names = {**_DESCRIBED, "build": "--build", "baud": "--baud", "usb": "--usb", "trace": "--trace"}
    return [word for name, word in names.items() if given[name] is not None and given[name] is not False]


def _check_described(arguments: argparse.Namespace, has_one: str) -> None:
    """Raise ValueError if the arguments describe a build. ``has_one`` says why they must not."""
    if _described(arguments):
        *names, last = _DESCRIBED.values()
        raise ValueError(
            f"{', '.join(names)} and {last} describe a build, and {has_one} one already: leave them out"
        )


def backends_of(arguments: argparse.Namespace, *names: str) -> list[BackendOptions]:
    """The backends that the arguments describe.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.
    names : str
        Names of the backends. If there are several, each gets only the arguments that it supports.

    Returns
    -------
    list of BackendOptions
        The backends, not opened yet.

    Raises
    ------
    ValueError
        The arguments contradict each other, or describe the build of a board.
    """
    for name in names:
        check_url(name)
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
            *(None, None) if several and name != "sim" else (arguments.trace, arguments.usb),
        )
        for name in names
    ]


def simulated_build(arguments: argparse.Namespace) -> Build:
    """The build that the arguments describe, without regard to data.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    Build
        The build.

    Raises
    ------
    ValueError
        The arguments contradict each other.
    """
    if arguments.build is None:
        return build_for(1, **{"diagonal": True, "scores": 1024, **_described(arguments)})
    _check_described(arguments, "--build names")
    return load_build(arguments.build)
