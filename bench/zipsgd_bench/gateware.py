"""Build the bitstreams of all boards, and report clock, cells, memories, and the limiting resource of each.

As in ``zipsgd build``, the placer's seeds are tried in turn until one meets the clock. The report contains all tried seeds.
"""

from pathlib import Path
from typing import Any

from zipsgd.extras import extra

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

GOALS = {
    "icebreaker": (8, 1024, 24.0),
    "icebreaker-store": (4, 64, 24.0),
    "ice40-hx8k-b-evn": (8, 1024, 60.0),
    "ulx3s-85f": (64, 4096, 100.0),
    "ulx3s-85f-store": (64, 8320, 100.0),
}
"""Smallest number of lanes, number of features, and clock in MHz for each board."""
FOLDER = Path("build/gateware")


def _share(figure: dict[str, Any]) -> str | None:
    if figure["used"] is None:
        return None
    return f"{figure['used']} of {figure['available']}"


def _row(report: dict[str, Any], folder: Path) -> dict[str, Any]:
    build = report["build"]
    lanes, features, megahertz = GOALS[report["board"]]
    reached = min(clock["fmax_mhz"] for clock in report["clocks"])
    written = report["bitstream"] is not None
    return {
        "board": report["board"],
        "lanes": build["lanes"],
        "features": build["max_features"],
        "MHz": reached,
        "goal": megahertz,
        "seed": report["seed"],
        **{name: _share(report["utilisation"][name]) for name in ("cells", "ff", "ram", "dsp")},
        "cells a lane": report["cells_per_lane"],
        "bitstream, bytes": (folder / report["bitstream"]).stat().st_size if written else None,
        "met": written
        and build["lanes"] >= lanes
        and build["max_features"] >= features
        and reached >= megahertz,
    }


def run() -> Result:
    """Build every board into ``build/gateware``. An iCE40 takes minutes, an ECP5 half an hour.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("build", "this bench"):
        from zipsgd_hw.boards import build_board

    rows, reports = [], {}
    with Steps(len(GOALS)) as steps:
        for name in GOALS:
            steps.next(name)
            folder = FOLDER / name
            report = build_board(name, out_dir=folder, progress=steps.note)
            rows.append(_row(report, folder))
            reports[name] = report
    return {
        "goal": "the bitstreams have at least: "
        + "; ".join(
            f"{name}: {lanes} lanes, n = {features}, {megahertz:g} MHz"
            for name, (lanes, features, megahertz) in GOALS.items()
        ),
        "met": all(row["met"] for row in rows),
        "seeds": [report["seed"] for report in reports.values()],
        "rows": rows,
        "reports": reports,
    }


BENCH = Bench("gateware", "clock, cells and memories of the bitstreams of all boards", run)
