"""The command ``zipsgd report``."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zipsgd.protocol.formats import Build

from .board_option import board_of, known_boards
from .command import Commands, add_command
from .compared import compared
from .predicted_epoch import add_epoch, epoch_of, task_of
from .text import described

__all__ = ["add", "shown_report"]

_EXAMPLES = """\
  zipsgd report build/icebreaker
  zipsgd report build/icebreaker --data mnist49 --base-bits 4 --link-baud 12000000
  zipsgd report ulx3s-85f --data my.csv --classify       before anything is built
  zipsgd report ulx3s-85f --data my.csv --compare        beside the emulator on this computer
"""
_REPORT_KEYS = ("board", "build", "link_baud", "predicted_epoch")
_BUILT_KEYS = (
    "seed",
    "clocks",
    "clock_met",
    "utilisation",
    "cells_per_lane",
    "seeds_tried",
    "seeds",
    "fmax_spread",
    "from_cache",
    "tools",
    "bitstream",
)
"""What a report contains only after the tools have run."""
_EPOCH_KEYS = (
    "samples",
    "features",
    "base_planes",
    "up_planes",
    "batch",
    "heads",
    "classes",
    "degree",
    "fast_memory",
)


def add(commands: Commands) -> None:
    """Add the command ``report``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "report",
        run,
        summary="show the report of a build",
        description="Show the report of a build: cells, memory, clock, plane bandwidth, and the predicted time of an epoch, "
        "over the link and from the board's store. Figures that a tool did not report are shown as missing.",
        examples=_EXAMPLES,
    )
    command.add_argument(
        "file",
        type=Path,
        help="a build.json, the folder that contains it, or the name or file of a board, for its default build",
    )
    group = add_epoch(command)
    group.add_argument(
        "--link-baud",
        type=int,
        metavar="RATE",
        help="baud rate of the link (default: that of the build's UART)",
    )
    group.add_argument(
        "--compare",
        action="store_true",
        help="also measure an epoch of the emulator on this computer, with --data",
    )


def _stock(board: str) -> dict[str, Any]:
    """What a report says of a board's default build before it is made."""
    found = board_of(board)
    from zipsgd_hw.boards import stock_report

    return stock_report(found)


def shown_report(report: Mapping[str, Any]) -> list[str]:
    """The lines of a report, with words instead of "missing" where a figure cannot exist yet.

    Parameters
    ----------
    report : mapping of str to Any
        The report.

    Returns
    -------
    list of str
        Lines of text.
    """
    shown = dict(report)
    if "utilisation" in shown and shown["utilisation"] is None:
        shown |= dict.fromkeys(_BUILT_KEYS, "not built yet")
    if "tried_on_hardware" in shown:
        shown["tried_on_hardware"] = shown["tried_on_hardware"] or "not yet"
    if "block_rams_estimate" in shown:
        shown["block_rams_estimate"] = "{used} of {available} block RAMs".format(
            **shown["block_rams_estimate"]
        )
    return described(shown)


def _predicted(
    build: Build, epoch: Mapping[str, Any], before: Mapping[str, Any], link_baud: int | None
) -> dict[str, Any]:
    """The prediction of another epoch, for the memories of an earlier one."""
    known_boards()  # raises an error that says what to install
    from zipsgd_hw.boards import predict_epoch
    from zipsgd_hw.store.pace import StorePace

    pace = StorePace(**before["store_pace"]) if "store_pace" in before else None
    known = {"fast_memory": before["fast_memory"], "store_pace": pace, "link_baud": link_baud}
    return predict_epoch(build, **{**epoch, **known})


def _report_of(file: Path) -> tuple[dict[str, Any], Build]:
    """The report in a file or folder, or of a board before it is made; and its build."""
    if file.suffix == ".py":
        report = _stock(str(file))
        return report, Build(**report["build"])
    path = file / "build.json" if file.is_dir() else file
    try:
        report = (
            _stock(path.name)
            if path == Path(path.name) and not path.exists()
            else json.loads(path.read_text())
        )
        missing = [key for key in _REPORT_KEYS if key not in report]
        if missing:
            raise ValueError(f"it has no {', '.join(missing)}")
        return report, Build(**report["build"])
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"no report of a build in {path}: {error}; 'zipsgd build' writes one") from None


def run(arguments: argparse.Namespace) -> int:
    """Print the report of a build, see :func:`zipsgd.cli.main.main`."""
    if arguments.compare and arguments.data is None:
        raise ValueError("--compare measures the emulator on a set: name it with --data")
    report, build = _report_of(arguments.file)
    before = report["predicted_epoch"]
    link_baud = arguments.link_baud or report["link_baud"]
    if arguments.data is not None:
        table, options = task_of(arguments, build)
        report["predicted_epoch"] = _predicted(build, epoch_of(table, options, build), before, link_baud)
        if arguments.compare:
            report["emulator"] = compared(report["predicted_epoch"], table, options, build)
    elif arguments.link_baud is not None:
        epoch = {name: before[name] for name in _EPOCH_KEYS}
        report["predicted_epoch"] = _predicted(build, epoch, before, link_baud)
    print("\n".join(shown_report(report)))
    return 0
