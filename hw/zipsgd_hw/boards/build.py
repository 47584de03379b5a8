"""From a board's name to Verilog, bitstream and report."""

import json
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zipsgd import __version__
from zipsgd.protocol.formats import Build, BuildError

from .catalogue import BOARDS, Board
from .memory_blocks import memory_blocks
from .prediction import predict_epoch
from .report import clocks, fmax_margin, utilisation
from .synthesis import AFTER_READ, AFTER_SYNTHESIS, STATISTICS
from .toolchain import BuildFailed, run_tool, tool_version

__all__ = ["BuildFailed", "build_board"]

_NAME = "top"
_PRODUCT = {"ice40": (".asc", ".bin"), "ecp5": (".config", ".bit")}
"""Endings of what nextpnr writes, and of the bitstream made of it."""
CALIFORNIA: dict[str, int] = {"samples": 20640, "features": 9, "base_planes": 2, "up_planes": 2}
"""The set whose epoch is predicted where no other is given: California housing, double sampling at two base planes."""


def _prepare(board: Board, folder: Path) -> list[list[str]]:
    """Write the design's Verilog and the tools' input files; returns the tools' commands: synthesis, routing, packing."""
    from .board_top import BoardTop

    plan = board.platform().prepare(
        BoardTop(board),
        _NAME,
        verbose=True,  # the logs then hold all that the tools say
        debug_verilog=True,
        emit_src=False,
        synth_opts=list(board.synth_opts),
        nextpnr_opts=list(board.nextpnr_opts),
        script_after_read=AFTER_READ,
        script_after_synth=AFTER_SYNTHESIS,
    )
    plan.extract(folder)
    (folder / f"{_NAME}.debug.v").rename(folder / f"{board.name}.v")
    commands: list[list[str]] = json.loads(plan.files[f"{plan.script}.json"])["commands"]
    return commands


def _revision() -> str | None:
    """The source's git revision, with "-dirty" behind it if files differ; None outside a clone."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _identity(board: Board, build: Build) -> dict[str, Any]:
    return {
        "board": board.name,
        "device": board.device,
        "zipsgd": __version__,
        "revision": _revision(),
        "build": build.as_dict(),
        "build_hash": f"{build.hash():#010x}",
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def _spread(seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Least, median and greatest Fmax of the slowest clock over the seeds tried."""
    values = [min(row["fmax_mhz"] for row in seed["clocks"]) for seed in seeds]
    return {"min_mhz": min(values), "median_mhz": round(statistics.median(values), 2), "max_mhz": max(values)}


def build_board(
    name: str,
    *,
    out_dir: Path,
    seeds: Sequence[int] | None = None,
    sweep: bool = False,
    changes: Mapping[str, int] | None = None,
    epoch: dict[str, int] | None = None,
    prepare_only: bool = False,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Build the gateware for a board.

    Writes to ``out_dir``: ``NAME.v``; unless ``prepare_only``, the bitstream ``NAME.bin`` or ``NAME.bit``, beside it
    ``NAME.json`` with the build's parameters and hash, and the tools' files and logs; and in any case the report,
    ``build.json``. Files of an earlier build by these names are deleted first.

    Parameters
    ----------
    name : of :data:`.BOARDS`.
    out_dir : folder, made if need be.
    seeds : of the placer, tried in turn after one synthesis until one meets the clock; None for the board's own and, if that
        fails with these versions of the tools, seven more.
    sweep : try all seeds, and report the spread.
    changes : parameters of the build that differ from the board's own, by name.
    epoch : keyword arguments of :func:`.predict_epoch`, California housing if None.
    prepare_only : stop before the tools; the report's figures are then None.
    progress : called with a line before each step.

    Returns
    -------
    The report, as ``build.json`` holds it.

    Raises
    ------
    KeyError
        No such board; the message lists those there are.
    BuildError
        ``changes`` names no parameter, or makes no build.
    BuildFailed
        A tool is missing or failed, or the design is slower than its clock with every seed; there is then no bitstream, and
        in the last case the report is written all the same.
    """
    if name not in BOARDS:
        raise KeyError(f"no board {name!r}: choose one of {', '.join(BOARDS)}")
    board = BOARDS[name]
    try:
        build = replace(board.build, **(changes or {}))
    except TypeError:
        unknown = sorted(set(changes or ()) - set(board.build.as_dict()))
        raise BuildError(
            f"no parameter {', '.join(unknown)}: a build has {', '.join(board.build.as_dict())}"
        ) from None
    board = replace(board, build=build)
    tell = progress or (lambda line: None)
    tries = (
        [board.seed, *(number for number in range(1, 9) if number != board.seed)] if seeds is None else seeds
    )
    if not tries:
        raise ValueError("seeds must name at least one seed")

    routed, packed = _PRODUCT[board.family]
    out_dir.mkdir(parents=True, exist_ok=True)
    report_path = out_dir / "build.json"
    verilog = out_dir / f"{name}.v"
    bitstream = out_dir / f"{name}{packed}"
    sidecar = out_dir / f"{name}.json"
    statistics_path = out_dir / STATISTICS
    for stale in (report_path, verilog, bitstream, sidecar, statistics_path, *out_dir.glob("seed-*")):
        stale.unlink(missing_ok=True)

    tell(f"{board.title}: elaborating {build.lanes} lanes, {build.max_features} features")
    synthesise, route, pack = _prepare(board, out_dir)
    report: dict[str, Any] = {
        **_identity(board, build),
        "lanes": build.lanes,
        "clock_mhz": build.clock_hz / 1e6,
        "plane_bandwidth_bits_per_second": build.lanes * build.clock_hz,
        "memory_blocks_estimate": memory_blocks(build, board.ram),
        "predicted_epoch": predict_epoch(build, fast_memory=board.fast_memory, **(epoch or CALIFORNIA)),
        "limits": board.limits,
        "tried_on_hardware": board.tried,
        "seed": None,
        "clocks": None,
        "utilisation": None,
        "cells_per_lane": None,
        "seeds": None,
        "fmax_spread": None,
        "tools": None,
        "verilog": verilog.name,
        "bitstream": None,
    }
    if prepare_only:
        _write(report_path, report)
        return report

    tell("synthesis")
    run_tool(synthesise, out_dir, out_dir / "synthesis.log")
    results = []
    for number in tries:
        tell(f"place and route, seed {number}")
        told = out_dir / f"seed-{number}.json"
        # Slow designs are refused below, once all seeds have been seen.
        options = ["--seed", str(number), "--report", told.name, "--timing-allow-fail"]
        run_tool([*route, *options], out_dir, out_dir / f"seed-{number}.log")
        (out_dir / f"{_NAME}{routed}").rename(out_dir / f"seed-{number}{routed}")
        results.append({"seed": number, "clocks": clocks(told)})
        if fmax_margin(results[-1]["clocks"]) >= 1 and not sweep:
            break
    best = max(results, key=lambda row: fmax_margin(row["clocks"]))
    used = utilisation(board.family, out_dir / f"seed-{best['seed']}.json", statistics_path)
    cells = used["cells"]["used"]
    report |= {
        **best,
        "utilisation": used,
        "cells_per_lane": None if cells is None else round(cells / build.lanes, 1),
        "seeds": results,
        "fmax_spread": _spread(results),
        "tools": {command[0]: tool_version(command[0]) for command in (synthesise, route)},
    }
    if fmax_margin(best["clocks"]) < 1:
        _write(report_path, report)
        slow = ", ".join(
            f"{row['name']} reaches {row['fmax_mhz']} of {row['target_mhz']} MHz"
            for row in best["clocks"]
            if not row["met"]
        )
        raise BuildFailed(
            f"{board.title} is too slow at its best seed {best['seed']}: {slow}; no bitstream was written. Try other seeds, "
            f"or lower clock_hz. Report: {report_path}"
        )

    tell("packing the bitstream")
    (out_dir / f"seed-{best['seed']}{routed}").rename(out_dir / f"{_NAME}{routed}")
    run_tool(pack, out_dir, out_dir / "packing.log")
    (out_dir / f"{_NAME}{packed}").rename(bitstream)
    report["bitstream"] = bitstream.name
    _write(sidecar, {**_identity(board, build), "bitstream": bitstream.name, "seed": best["seed"]})
    _write(report_path, report)
    return report
