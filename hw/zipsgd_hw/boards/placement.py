"""Place and route with several seeds."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .board import Board
from .report import clocks, fmax_margin
from .toolchain import run_tool

__all__ = ["DESIGN", "place", "spread"]

DESIGN = "top"
"""Name of the design, and of the tools' files."""


def place(
    board: Board,
    route: list[str],
    folder: Path,
    seeds: Sequence[int],
    sweep: bool,
    progress: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Place and route a synthesised design, until a seed meets every clock.

    Leaves ``seed-N.json`` (nextpnr's report), ``seed-N.log`` and the routed design ``seed-N`` with the family's suffix in the
    folder.

    Parameters
    ----------
    board : Board
        The board.
    route : list of str
        nextpnr's command, without a seed.
    folder : Path
        Folder of the synthesised design.
    seeds : sequence of int
        Seeds of the placer, in the order in which they are tried.
    sweep : bool
        Whether all of them are tried.
    progress : callable
        Called with a line before each seed.

    Returns
    -------
    list of dict
        For each seed tried ``seed`` and ``clocks``, as of :func:`.report.clocks`.

    Raises
    ------
    BuildFailed
        nextpnr is missing or failed. A design that is too slow is no failure here.
    """
    results: list[dict[str, Any]] = []
    suffix = board.family.routed_suffix
    for number in seeds:
        progress(f"place and route, seed {number}")
        report = folder / f"seed-{number}.json"
        options = ["--seed", str(number), "--report", report.name, "--timing-allow-fail"]
        run_tool([*route, *options], folder, folder / f"seed-{number}.log")
        (folder / f"{DESIGN}{suffix}").rename(folder / f"seed-{number}{suffix}")
        results.append({"seed": number, "clocks": clocks(report)})
        if fmax_margin(results[-1]["clocks"]) >= 1 and not sweep:
            break
    return results


def spread(results: list[dict[str, Any]]) -> dict[str, float]:
    """Fmax of the slowest clock over the seeds.

    Parameters
    ----------
    results : list of dict
        As :func:`place` returns them, not empty.

    Returns
    -------
    dict of str to float
        ``min_mhz``, ``median_mhz`` and ``max_mhz``.
    """
    values = [min(row["fmax_mhz"] for row in seed["clocks"]) for seed in results]
    return {"min_mhz": min(values), "median_mhz": round(statistics.median(values), 2), "max_mhz": max(values)}
