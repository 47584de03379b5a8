"""The commands ``zipsgd boards``, ``zipsgd build`` and ``zipsgd report``."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zipsgd.data import SETS, Table, load
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_HEADS
from zipsgd.training.options import Options

from .board_option import add_board, board_of, known_boards
from .command import Commands, add_command, check_output
from .compared import compared
from .progress import messages
from .text import aligned, described
from .training_options import add_bits

__all__ = ["add"]

_BOARDS_EXAMPLES = """\
  zipsgd boards
  zipsgd boards ./my_board.py                            also a board of your own
"""
_BUILD_EXAMPLES = """\
  zipsgd build --board icebreaker
  zipsgd build --board ulx3s-85f --seeds 1 2 3 4         the fastest of four placements, and the spread
  zipsgd build --board icebreaker --data my.csv          also predict the time of an epoch with your own data
  zipsgd build --board ulx3s-85f --set level_bits=8      with a transcoder for optimal levels
  zipsgd build --board ./my_board.py                     a board of your own, see docs/my_board.md
"""
_REPORT_EXAMPLES = """\
  zipsgd report build/icebreaker
  zipsgd report build/icebreaker --data mnist49 --base-bits 4 --link-baud 12000000
  zipsgd report ulx3s-85f --data my.csv --classify       before anything is built
  zipsgd report ulx3s-85f --data my.csv --compare        beside the emulator on this computer
"""
_REPORT_KEYS = ("board", "build", "link_baud", "predicted_epoch")
_BUILT_KEYS = (
    "seed",
    "clocks",
    "utilisation",
    "cells_per_lane",
    "seeds",
    "fmax_spread",
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
    """Add the commands ``boards``, ``build`` and ``report``, see :mod:`zipsgd.cli.command`."""
    boards = add_command(
        commands,
        "boards",
        run_boards,
        summary="list the boards",
        description="List the boards that 'zipsgd build' supports, and say who has tried their builds on hardware.",
        examples=_BOARDS_EXAMPLES,
    )
    boards.add_argument("file", nargs="*", help="files with boards of your own, to list as well")

    build = add_command(
        commands,
        "build",
        run_build,
        summary="make Verilog, bitstream and report for a board",
        description="Make Verilog, bitstream and build.json for a board, with open-source tools. This takes minutes for a "
        "large device. If a tool fails, its command and the end of its log are shown.",
        examples=_BUILD_EXAMPLES,
    )
    add_board(build)
    placement = build.add_mutually_exclusive_group()
    placement.add_argument(
        "--seed",
        type=int,
        help="seed of the placement (default: that of the board, then others until the clock is met)",
    )
    placement.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        metavar="SEED",
        help="try all of these seeds and keep the fastest result",
    )
    build.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a parameter of the board's default build, such as level_bits=8; may be repeated",
    )
    build.add_argument(
        "--baud", type=int, metavar="RATE", help="baud rate of the board's UART (default: that of the board)"
    )
    build.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder for the results (default: build/NAME)"
    )
    build.add_argument(
        "--prepare-only", action="store_true", help="write Verilog and scripts, but run no tools"
    )
    _add_epoch(build)

    report = add_command(
        commands,
        "report",
        run_report,
        summary="show the report of a build",
        description="Show the report of a build: cells, memory, clock, plane bandwidth, and the predicted time of an epoch, "
        "over the link and from the board's store. Figures that a tool did not report are shown as missing.",
        examples=_REPORT_EXAMPLES,
    )
    report.add_argument(
        "file",
        type=Path,
        help="a build.json, the folder that contains it, or the name or file of a board, for its default build",
    )
    group = _add_epoch(report)
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


def _add_epoch(command: argparse.ArgumentParser) -> Any:
    """Add the arguments of the predicted epoch, and return their group."""
    group = command.add_argument_group(
        "predicted epoch", "an epoch of California housing, unless --data is given"
    )
    group.add_argument("--data", help="a file or a named set, as for 'zipsgd train'")
    group.add_argument(
        "--classify",
        action="store_true",
        help="each distinct label is a class, with a model of its own if there are more than two (default: for a named set of "
        "classes)",
    )
    add_bits(group)
    group.add_argument(
        "--batch-size", type=int, default=16, metavar="B", help="samples per mini-batch (default %(default)s)"
    )
    return group


def _task(arguments: argparse.Namespace, build: Build) -> tuple[Table, Options]:
    """The data of --data, and the options with which they are trained on."""
    table = load(arguments.data)
    classify = arguments.classify or (arguments.data in SETS and SETS[arguments.data].classes)
    asked = Options(
        classify=classify,
        bits=arguments.bits,
        base_bits=arguments.base_bits,
        estimator=arguments.estimator,
        batch_size=arguments.batch_size,
    )
    if asked.scheduled:
        raise ValueError("an epoch is predicted for one number of bits: give --bits one number, such as 3")
    return table, asked.resolved(diagonal=bool(build.diagonal))


def _epoch(table: Table, options: Options, build: Build) -> dict[str, Any]:
    """The arguments of ``predict_epoch`` for a set."""
    heads = 1 if table.labels.ndim == 1 else table.labels.shape[1]
    found = len(set(table.labels.ravel().tolist()))
    if options.classify:
        heads = 1 if found == 2 else found
    config = RunConfig(
        table.features.shape[1] + 1,
        options.planes,
        options.quantisations,
        options.batch_size,
        loss=options.objective.loss,
    )
    config.check(build, len(table.labels))
    if not options.classify and 1 < found <= MOST_HEADS and not (table.labels % 1).any():
        messages().print(f"predicted for one model: if the {found} labels are classes, say --classify")
    return {
        "samples": len(table.labels),
        "features": config.features,
        "base_planes": config.p,
        "up_planes": config.m,
        "batch": config.batch,
        "heads": heads,
        "classes": options.classify,
    }


def run_boards(arguments: argparse.Namespace) -> int:
    """Print the table of boards, see :func:`zipsgd.cli.main.main`."""
    rows = [
        {
            "name": board.name,
            "board": board.title,
            "device": board.device,
            "family": board.family.name,
            "lanes": board.build.lanes,
            "features": board.build.max_features,
            "MHz": board.build.clock_hz / 1e6,
            "tried on hardware": board.tried or "not yet",
        }
        for board in (*known_boards().values(), *map(board_of, arguments.file))
    ]
    print("\n".join(aligned(rows)))
    return 0


def _stock(board: str) -> dict[str, Any]:
    """What a report says of a board's default build before it is made."""
    found = board_of(board)
    from zipsgd_hw.boards import stock_report

    return stock_report(found)


def _changes(settings: list[str]) -> dict[str, int]:
    changes = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            changes[name] = int(value)
        except ValueError:
            raise ValueError(f"--set takes NAME=VALUE with a whole number, not {setting!r}") from None
    return changes


def _shown(report: Mapping[str, Any]) -> list[str]:
    """The lines of a report, with words instead of "missing" where a figure cannot exist yet."""
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


def run_build(arguments: argparse.Namespace) -> int:
    """Make a build for a board, and print its report, see :func:`zipsgd.cli.main.main`."""
    board = board_of(arguments.board)
    from zipsgd_hw.boards import build_board, changed_build

    folder = arguments.out or Path("build") / board.name
    check_output(folder, folder=True)
    changes = _changes(arguments.set)
    epoch = None
    if arguments.data is not None:
        build = changed_build(board, changes)
        epoch = _epoch(*_task(arguments, build), build)
    report = build_board(
        board,
        seeds=arguments.seeds or (None if arguments.seed is None else [arguments.seed]),
        sweep=arguments.seeds is not None,
        changes=changes,
        baud=arguments.baud,
        out_dir=folder,
        epoch=epoch,
        prepare_only=arguments.prepare_only,
        progress=messages().print,
    )
    print("\n".join(_shown(report)))
    print(f"wrote {folder / 'build.json'}")
    if report["bitstream"] is not None and board.programming is not None:
        place = "" if arguments.out is None else f" --bitstream {folder}"
        print(f"next: zipsgd program --board {arguments.board}{place}")
    return 0


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


def run_report(arguments: argparse.Namespace) -> int:
    """Print the report of a build, see :func:`zipsgd.cli.main.main`."""
    if arguments.compare and arguments.data is None:
        raise ValueError("--compare measures the emulator on a set: name it with --data")
    report, build = _report_of(arguments.file)
    before = report["predicted_epoch"]
    link_baud = arguments.link_baud or report["link_baud"]
    if arguments.data is not None:
        table, options = _task(arguments, build)
        report["predicted_epoch"] = _predicted(build, _epoch(table, options, build), before, link_baud)
        if arguments.compare:
            report["emulator"] = compared(report["predicted_epoch"], table, options, build)
    elif arguments.link_baud is not None:
        epoch = {name: before[name] for name in _EPOCH_KEYS}
        report["predicted_epoch"] = _predicted(build, epoch, before, link_baud)
    print("\n".join(_shown(report)))
    return 0
