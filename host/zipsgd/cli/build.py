"""The command ``zipsgd build``."""

import argparse
from pathlib import Path
from shlex import quote

from .board_option import add_board, board_of
from .command import Commands, add_command, check_output
from .predicted_epoch import add_epoch, epoch_of, task_of
from .progress import WorkProgress, messages
from .report import shown_report

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd build --board icebreaker
  zipsgd build --board ulx3s-85f --seeds 1 2 3 4         the fastest of four placements, and the spread
  zipsgd build --board ulx3s-85f --seed-budget 120 --jobs 2   more patience, two placements side by side
  zipsgd build --board icebreaker --data my.csv          also predict the time of an epoch with your own data
  zipsgd build --board ulx3s-85f --set level_bits=8      with a transcoder for optimal levels
  zipsgd build --board ./my_board.py                     a board of your own, see docs/my_board.md
"""


def add(commands: Commands) -> None:
    """Add the command ``build``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "build",
        run,
        summary="make Verilog, bitstream and report for a board",
        description="Make Verilog, bitstream and build.json for a board, with open-source tools. This takes minutes for a "
        "large device. If a tool fails, its command and the end of its log are shown. What has been synthesised or placed once "
        "with the same tools is taken from a cache.",
        examples=_EXAMPLES,
    )
    add_board(command)
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a parameter of the board's default build, such as level_bits=8; may be repeated",
    )
    command.add_argument(
        "--baud", type=int, metavar="RATE", help="baud rate of the board's UART (default: that of the board)"
    )
    command.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder for the results (default: build/NAME)"
    )
    command.add_argument(
        "--prepare-only", action="store_true", help="write Verilog and scripts, but run no tools"
    )
    _add_placement(command)
    add_epoch(command)


def _add_placement(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "placement",
        "The clock that a placement reaches depends on its seed. The board's own seed comes\n  first, then others until one meets "
        "the clock. If none does, no bitstream is written.",
    )
    seeds = group.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, help="try this seed alone")
    seeds.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        metavar="SEED",
        help="try all of these seeds and keep the fastest result",
    )
    seeds.add_argument(
        "--seed-budget",
        type=float,
        metavar="MINUTES",
        help="begin no further seed after so long (default 30); what was tried is kept, so that the same command goes on",
    )
    group.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="place so many seeds side by side, each of which takes a core; the bitstream is the same (default %(default)s)",
    )
    group.add_argument(
        "--allow-slow",
        action="store_true",
        help="write the bitstream of the fastest seed even if it misses the clock; the board may then compute wrong results, "
        "and report, sidecar and 'zipsgd program' say so",
    )
    group.add_argument(
        "--no-cache",
        action="store_true",
        help="run all tools, and keep nothing of what they make for later builds; the bits are the same",
    )


def _changes(settings: list[str]) -> dict[str, int]:
    changes = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            changes[name] = int(value)
        except ValueError:
            raise ValueError(f"--set takes NAME=VALUE with a whole number, not {setting!r}") from None
    return changes


def run(arguments: argparse.Namespace) -> int:
    """Make a build for a board, and print its report, see :func:`zipsgd.cli.main.main`."""
    board = board_of(arguments.board)
    from zipsgd_hw.boards import BUDGET_MINUTES, SeedSearch, build_board, changed_build

    folder = arguments.out or Path("build") / board.name
    check_output(folder, folder=True)
    changes = _changes(arguments.set)
    epoch = None
    if arguments.data is not None:
        build = changed_build(board, changes)
        epoch = epoch_of(*task_of(arguments, build), build)
    named = arguments.seeds or (None if arguments.seed is None else [arguments.seed])
    budget = BUDGET_MINUTES if arguments.seed_budget is None else arguments.seed_budget
    search = SeedSearch(named, arguments.seeds is not None, budget if named is None else None, arguments.jobs)
    with WorkProgress(messages()) as progress:
        report = build_board(
            board,
            search=search,
            changes=changes,
            baud=arguments.baud,
            out_dir=folder,
            epoch=epoch,
            prepare_only=arguments.prepare_only,
            allow_slow=arguments.allow_slow,
            cache=not arguments.no_cache,
            progress=progress.note,
            watch=progress.doing,
        )
    print("\n".join(shown_report(report)))
    print(f"wrote {folder / 'build.json'}")
    if report["bitstream"] is not None and board.programming is not None:
        place = "" if arguments.out is None else f" --bitstream {quote(str(folder))}"
        print(f"next: zipsgd program --board {quote(arguments.board)}{place}")
    return 0
