"""The command ``zipsgd bench``."""

import argparse
from pathlib import Path

from zipsgd.extras import extra
from zipsgd.training.plots import need_plots

from .command import Commands, add_command, check_output

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd bench --list
  zipsgd bench wire
"""


def add(commands: Commands) -> None:
    """Add the command ``bench``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "bench",
        run,
        summary="run one of the project's measurements",
        description="Run a measurement, print its table, and write build/bench/NAME.json. The exit status is 1 if the goal is "
        "missed.",
        examples=_EXAMPLES,
    )
    command.add_argument("name", nargs="?", help="name of a measurement, see --list")
    command.add_argument("--list", action="store_true", help="list the measurements")
    command.add_argument(
        "--out",
        type=Path,
        default=Path("build/bench"),
        metavar="FOLDER",
        help="folder for the results (default %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run a measurement, or list them all, see :func:`zipsgd.cli.main.main`."""
    with extra("bench", "a bench"):
        from zipsgd_bench import BENCHES, describe, save

    if arguments.list or arguments.name is None:
        width = max(map(len, BENCHES))
        print("\n".join(f"{bench.name:{width}}  {bench.summary}" for bench in BENCHES.values()))
        return 0
    if arguments.name not in BENCHES:
        raise ValueError(f"no bench {arguments.name!r}; benches: {', '.join(BENCHES)}")
    check_output(arguments.out, folder=True)
    bench = BENCHES[arguments.name]
    if bench.plot is not None:
        need_plots()
    result = bench.run()
    written = save(bench, result, arguments.out)
    print(describe(result))
    for path in written:
        print(f"wrote {path}")
    return 0 if result["met"] else 1
