"""The command ``zipsgd build``."""

import argparse
from pathlib import Path
from shlex import quote

from zipsgd.extras import extra
from zipsgd.output import write_file
from zipsgd.protocol.formats import Build

from .board_option import add_board, board_of
from .command import Commands, add_command, check_output
from .interrupt import ended_with_its_tools
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
  zipsgd build --verilog --set lanes=16 --baud 1000000   Verilog for a design of your own, see docs/verilog.md
"""
_KINDS = ("uart", "streams", "core")
_USUAL_BAUD = 3_000_000
_ONLY_FOR_BOARDS = (
    "seed",
    "seeds",
    "seed_budget",
    "jobs",
    "allow_slow",
    "no_cache",
    "prepare_only",
    "data",
)
"""Arguments that have no meaning without tools or a board."""


def add(commands: Commands) -> None:
    """Add the command ``build``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "build",
        run,
        summary="make Verilog, bitstream and report for a board",
        description="Make Verilog, bitstream and build.json for a board, with open-source tools. This takes minutes for a "
        "large device. If a tool fails, its command and the end of its log are shown. What has been synthesised or placed once "
        "with the same tools is taken from a cache. With --verilog, make one file of Verilog for a design of your own instead.",
        examples=_EXAMPLES,
    )
    add_board(command, required=False)
    command.add_argument(
        "--verilog",
        nargs="?",
        const="uart",
        choices=_KINDS,
        help="write Verilog with plain, documented ports and run no tools; uart: the accelerator with the pins rx and tx "
        "(default); streams: with streams of bytes instead; core: the training core without link and registers. With --board "
        "for that board's build, without one for the default build",
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a parameter of the default build, such as level_bits=8; may be repeated",
    )
    command.add_argument(
        "--baud",
        type=int,
        metavar="RATE",
        help="baud rate of the UART (default: that of the board, or 3000000)",
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for the results (default: build/NAME, or build/verilog)",
    )
    command.add_argument(
        "--prepare-only", action="store_true", help="write Verilog and scripts, but run no tools"
    )
    _add_placement(command)
    add_epoch(command)


def _add_placement(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "placement",
        "The clock that a placement reaches depends on its seed. The board's own seed comes\n"
        "first, then others until one meets the clock. If none does, no bitstream is written.",
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
        metavar="N",
        help="place so many seeds side by side, each of which takes a core; the bitstream is the same (default 1)",
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


def _run_verilog(arguments: argparse.Namespace) -> int:
    """Write Verilog for a design of one's own, and print its ports."""
    for name in _ONLY_FOR_BOARDS:
        if getattr(arguments, name) is not None and getattr(arguments, name) is not False:
            raise ValueError(f"--verilog runs no tools: leave out --{name.replace('_', '-')}")
    folder = arguments.out or Path("build") / "verilog"
    check_output(folder, folder=True)
    with extra("hw", "Verilog"):
        from zipsgd_hw.link.physical import Uart
        from zipsgd_hw.verilog import KINDS, port_table, verilog_file
    build, baud, fast_memory = Build(), _USUAL_BAUD, False
    if arguments.board is not None:
        board = board_of(arguments.board)
        build, baud, fast_memory = board.build, board.link.baud, board.family.fast_memory
    build = build.changed(_changes(arguments.set))
    kind, uart = KINDS[arguments.verilog], Uart(arguments.baud or baud)
    made = verilog_file(kind, build, uart, fast_memory=fast_memory)
    file = folder / f"{kind.module}.v"
    write_file(file, made.text)
    print("\n".join(port_table(made.ports)))
    print(f"wrote {file}, which holds the module {kind.module}: {kind.title}")
    print(
        "next: copy the instance from its head into your design; docs/verilog.md has a testbench to begin with"
    )
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Make a build for a board, and print its report, see :func:`zipsgd.cli.main.main`."""
    if arguments.verilog is not None:
        return _run_verilog(arguments)
    if arguments.board is None:
        raise ValueError(
            "build needs --board NAME, see 'zipsgd boards'; or --verilog, for a design of your own without a board's pins"
        )
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
    jobs = 1 if arguments.jobs is None else arguments.jobs
    budget = BUDGET_MINUTES if arguments.seed_budget is None else arguments.seed_budget
    search = SeedSearch(named, arguments.seeds is not None, budget if named is None else None, jobs)
    with ended_with_its_tools(), WorkProgress(messages()) as progress:
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
