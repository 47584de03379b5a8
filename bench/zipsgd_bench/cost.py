"""Measure the cost of each optional part of a build: cells, memories and clock of placed builds with one part more."""

import json
from pathlib import Path
from typing import Any

from zipsgd.extras import extra

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "PARTS", "run"]

BOARD = "ulx3s-85f"
SHAPE = {"lanes": 32, "update_lanes": 16, "max_features": 2048}
"""Half of the board's own build, so that each build takes only some minutes."""
SEED = 1
MOST = 0.25
"""Largest number of additional cells for a part, relative to the build without any."""
PARTS: dict[str, dict[str, int]] = {
    "none": {},
    "hinge": {"hinge": 1},
    "hinge and refetching": {"hinge": 1, "refetch": 1 << 14},
    "polynomial of degree 3": {"polynomial": 3},
    "polynomial of degree 7": {"polynomial": 7},
    "proximal step": {"prox": 1},
    "proximal step with a ball": {"prox": 1, "ball": 1},
    "diagonal": {"diagonal": 1},
    "16 heads": {"heads": 16},
    "scores": {"score_words": 1 << 10},
    "transcoder for levels": {"level_bits": 8, "level_p_max": 2},
}
FOLDER = Path("build/cost")


def _row(part: str, report: dict[str, Any], plain: dict[str, Any] | None) -> dict[str, Any]:
    used = {name: report["utilisation"][name]["used"] for name in ("cells", "ff", "ram", "dsp")}
    before = used if plain is None else {name: plain["utilisation"][name]["used"] for name in used}
    more = used["cells"] - before["cells"]
    return {
        "part": part,
        **used,
        "more cells": more,
        "a lane": round(more / report["lanes"], 1),
        "of all": f"{more / before['cells']:.1%}",
        "more ram": used["ram"] - before["ram"],
        "more dsp": used["dsp"] - before["dsp"],
        "MHz": min(clock["fmax_mhz"] for clock in report["clocks"]),
    }


def run(board: str = BOARD) -> Result:
    """Place and route one build per part into ``build/cost``. Each takes some minutes.

    Parameters
    ----------
    board : str
        Name of the board.

    Returns
    -------
    Result
        The result of the bench.

    Raises
    ------
    BuildFailed
        A tool failed.
    """
    with extra("build", "this bench"):
        from zipsgd_hw.boards import BuildFailed, SeedSearch, build_board

    rows: list[dict[str, Any]] = []
    reports: dict[str, Any] = {}
    with Steps(len(PARTS)) as steps:
        for part, parameters in PARTS.items():
            steps.next(part)
            folder = FOLDER / part.replace(" ", "-")
            changes = {**SHAPE, **parameters}
            try:
                build_board(
                    board, out_dir=folder, search=SeedSearch([SEED]), changes=changes, progress=steps.note
                )
            except BuildFailed:
                # One seed is enough to count cells; the gateware bench looks for a seed that meets the clock
                if not (folder / "build.json").exists():
                    raise
            reports[part] = json.loads((folder / "build.json").read_text())
            rows.append(_row(part, reports[part], reports.get("none")))
    lanes = reports["none"]["lanes"]
    return {
        "goal": f"no optional part needs more than {MOST:.0%} of the cells of a build without optional parts; measured on "
        f"{board} with {lanes} lanes and n = {SHAPE['max_features']}, placed with seed {SEED}; each lane processes one feature "
        f"per cycle",
        "met": all(row["more cells"] <= MOST * rows[0]["cells"] for row in rows),
        "seeds": [SEED],
        "rows": rows,
        "reports": reports,
    }


BENCH = Bench("cost", "cells of each optional part in placed builds", run)
