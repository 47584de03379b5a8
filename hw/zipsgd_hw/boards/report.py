"""Figures of a placed and routed design, from the tools' own JSON. What a tool does not say is None, never zero."""

import json
from pathlib import Path
from typing import Any

from .synthesis import cell_counts

__all__ = ["clocks", "fmax_margin", "utilisation"]

_CELLS: dict[str, dict[str, str]] = {
    "ice40": {"cells": "ICESTORM_LC", "ram": "ICESTORM_RAM", "dsp": "ICESTORM_DSP"},
    "ecp5": {
        "cells": "TRELLIS_COMB",
        "ff": "TRELLIS_FF",
        "ram": "DP16KD",
        "dsp": "MULT18X18D",
        "lutram": "TRELLIS_RAMW",
    },
}
"""nextpnr's names of what is counted, by family."""


def _figure(used: int | None, available: int | None) -> dict[str, Any]:
    percent = round(100 * used / available, 1) if used is not None and available else None
    return {"used": used, "available": available, "percent": percent}


def _ice40_flip_flops(synthesis: Path) -> int | None:
    """Flip-flops in Yosys' statistics; nextpnr packs them into logic cells and does not tell them apart."""
    return sum(count for name, count in cell_counts(synthesis).items() if name.startswith("SB_DFF"))


def utilisation(family: str, report: Path, synthesis: Path) -> dict[str, dict[str, Any]]:
    """Cells, ff, ram, dsp (and lutram, where the family tells): each used, available and percent.

    ``report`` is nextpnr's, ``synthesis`` the output of Yosys' ``stat -json``.
    """
    told = json.loads(report.read_text())["utilization"]
    figures = {}
    for name, cell in _CELLS[family].items():
        row = told.get(cell, {})
        figures[name] = _figure(row.get("used"), row.get("available"))
    if family == "ice40":  # a flip-flop in each logic cell
        figures["ff"] = _figure(_ice40_flip_flops(synthesis), figures["cells"]["available"])
    return figures


def clocks(report: Path) -> list[dict[str, Any]]:
    """Each clock's Fmax and target in MHz, after routing, and whether it is met."""
    told = json.loads(report.read_text())["fmax"]
    return [
        {
            "name": name,
            "fmax_mhz": round(row["achieved"], 2),
            "target_mhz": round(row["constraint"], 2),
            "met": row["achieved"] >= row["constraint"],
        }
        for name, row in told.items()
    ]


def fmax_margin(rows: list[dict[str, Any]]) -> float:
    """Least ratio of Fmax to target over the clocks. Raises ValueError if there is none: then nothing was timed."""
    if not rows:
        raise ValueError("nextpnr's report names no clock")
    return min(row["fmax_mhz"] / row["target_mhz"] for row in rows)
