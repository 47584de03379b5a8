"""Run one bench: print its table, write its result."""

import argparse
import sys
from pathlib import Path

from . import BENCHES, describe, save


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m zipsgd.bench", description=__doc__)
    parser.add_argument(
        "name", choices=BENCHES, help="; ".join(f"{b.name}: {b.summary}" for b in BENCHES.values())
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/bench"), help="folder for the result (default %(default)s)"
    )
    arguments = parser.parse_args()
    bench = BENCHES[arguments.name]
    result = bench.run()
    print(describe(result))
    for path in save(bench, result, arguments.out):
        print(f"wrote {path}")
    return 0 if result["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
