"""``zipsgd boards``, ``zipsgd build`` and ``zipsgd report``"""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["add"]

_NEEDS = "building bitstreams needs more: pip install 'zipsgd[build]'"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    boards = commands.add_parser(
        "boards", help="list the boards", description="List the boards that a build knows."
    )
    boards.set_defaults(run=run_boards)

    build = commands.add_parser(
        "build",
        help="make Verilog, bitstream and report for a board",
        description="Make Verilog, bitstream and build.json for a board, with the open tools.",
    )
    build.add_argument("--board", required=True, help="a name of 'zipsgd boards'")
    build.add_argument("--seed", type=int, default=1, help="of placement (default %(default)s)")
    build.add_argument(
        "--seeds", type=int, nargs="+", metavar="SEED", help="try several placements and keep the fastest"
    )
    build.add_argument("--out", type=Path, help="folder (default: build/BOARD)")
    build.add_argument("--prepare-only", action="store_true", help="write Verilog and scripts, run no tools")
    build.set_defaults(run=run_build)

    report = commands.add_parser(
        "report", help="show a build's report", description="Show the report of a build."
    )
    report.add_argument("file", type=Path, help="a build.json, or the folder that holds it")
    report.set_defaults(run=run_report)


def _known() -> Any:
    try:
        from zipsgd_hw.boards import BOARDS
    except ImportError as error:
        raise ModuleNotFoundError(f"{_NEEDS} ({error.name} is missing)") from None
    return BOARDS


def run_boards(arguments: argparse.Namespace) -> int:
    table = Table("name", "board", "device", "lanes", "features", "clock", "tried on hardware")
    for board in _known().values():
        build = board.build
        table.add_row(
            board.name, board.title, board.device, str(build.lanes), str(build.max_features),
            f"{build.clock_hz / 1e6:g} MHz", board.tried or "no",
        )  # fmt: skip
    Console().print(table)
    return 0


def run_build(arguments: argparse.Namespace) -> int:
    boards = _known()
    if arguments.board not in boards:
        raise ValueError(f"no board {arguments.board!r}; boards: {', '.join(boards)}")
    from zipsgd_hw.boards import build_board

    report = build_board(
        arguments.board,
        seed=arguments.seed,
        seeds=arguments.seeds,
        out_dir=arguments.out or Path("build") / arguments.board,
        prepare_only=arguments.prepare_only,
        progress=Console(stderr=True).print,
    )
    _show(report)
    return 0


def run_report(arguments: argparse.Namespace) -> int:
    path = arguments.file / "build.json" if arguments.file.is_dir() else arguments.file
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"no report in {path}: {error}; 'zipsgd build' writes one") from None
    _show(report)
    return 0


def _show(report: dict[str, Any], prefix: str = "") -> None:
    for name, value in report.items():
        if isinstance(value, dict):
            _show(value, f"{prefix}{name}.")
        else:
            print(f"{prefix}{name}: {'missing' if value is None else value}")
