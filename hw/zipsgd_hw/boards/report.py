"""Figures of a placed and routed design, from the tools' own JSON. A figure that a tool does not give is None, never zero."""

import json
from pathlib import Path
from typing import Any

from .families import Family
from .synthesis import cell_counts

__all__ = ["clocks", "fmax_margin", "utilisation"]


def _figure(used: int | None, available: int | None) -> dict[str, Any]:
    percent = round(100 * used / available, 1) if used is not None and available else None
    return {"used": used, "available": available, "percent": percent}


def utilisation(family: Family, report: Path, statistics: Path) -> dict[str, dict[str, Any]]:
    """How much of the device a design uses.

    Parameters
    ----------
    family : Family
        The device's family.
    report : Path
        nextpnr's report.
    statistics : Path
        The output of Yosys' ``stat -json``; read only for families whose flip-flops nextpnr does not count.

    Returns
    -------
    dict of str to dict
        For ``cells``, ``ff``, ``ram``, ``dsp`` and, where the family tells it, ``lutram``: ``used``, ``available`` and
        ``percent``, each None where it is not known.
    """
    told = json.loads(report.read_text())["utilization"]
    figures = {}
    for name, cells in family.figures.items():
        rows = [told.get(cell, {}) for cell in cells.split("+")]
        found = [row["used"] for row in rows if row.get("used") is not None]
        figures[name] = _figure(sum(found) if found else None, rows[0].get("available"))
    if family.flip_flops is not None:
        counts = cell_counts(statistics)
        used = sum(count for name, count in counts.items() if name.startswith(family.flip_flops))
        figures["ff"] = _figure(used, figures["cells"]["available"])
    return figures


def clocks(report: Path) -> list[dict[str, Any]]:
    """The clocks of a design after routing.

    Parameters
    ----------
    report : Path
        nextpnr's report.

    Returns
    -------
    list of dict
        For each clock ``name``, ``fmax_mhz`` and ``target_mhz`` in megahertz, and ``met``, whether the target is reached.
    """
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
    """Least ratio of Fmax to target over the clocks.

    Parameters
    ----------
    rows : list of dict
        As :func:`clocks` returns them.

    Returns
    -------
    float
        The ratio; 1 or more if every target is reached.

    Raises
    ------
    ValueError
        There is no clock: nothing was timed.
    """
    if not rows:
        raise ValueError("nextpnr's report names no clock")
    return min(row["fmax_mhz"] / row["target_mhz"] for row in rows)
