"""``zipsgd bench``"""

import argparse
from pathlib import Path

__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "bench",
        help="run one of the project's measurements",
        description="Run a measurement, print its table, write build/bench/NAME.json. Exit status 1 if its goal is missed.",
    )
    command.add_argument("name", nargs="?", help="of --list")
    command.add_argument("--list", action="store_true", help="name the measurements")
    command.add_argument(
        "--out", type=Path, default=Path("build/bench"), help="folder for results (default %(default)s)"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    try:
        from zipsgd.bench import BENCHES, describe, save
    except ImportError as error:
        raise ModuleNotFoundError(f"{error.name} is needed: pip install 'zipsgd[bench]'") from None

    if arguments.list or arguments.name is None:
        for bench in BENCHES.values():
            print(f"{bench.name:14} {bench.summary}")
        return 0
    if arguments.name not in BENCHES:
        raise ValueError(f"no bench {arguments.name!r}; benches: {', '.join(BENCHES)}")
    bench = BENCHES[arguments.name]
    result = bench.run()
    print(describe(result))
    for path in save(bench, result, arguments.out):
        print(f"wrote {path}")
    return 0 if result["met"] else 1
