"""From a board's name to Verilog, bitstream and report."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zipsgd.output import write_file
from zipsgd.protocol.formats import Build, BuildError
from zipsgd_hw.link.physical import Uart

from .board import Board
from .board_file import find_board
from .memory_blocks import memory_blocks
from .placement import DESIGN, place, spread
from .prediction import predict_epoch
from .report import fmax_margin, utilisation
from .synthesis import AFTER_READ, AFTER_SYNTHESIS, STATISTICS, choose_logic_script
from .toolchain import BuildFailed, run_tool, tool_version

__all__ = ["BuildFailed", "build_board", "changed_build", "stock_report"]

_REPORT = "build.json"
_MORE_SEEDS = range(1, 9)


def _california(build: Build) -> dict[str, int]:
    """The epoch that is predicted by default: California housing with the default of training, 4 bits a value; one draw if the
    build has a diagonal, double sampling otherwise."""
    up_planes = 1 if build.diagonal else 2
    return {"samples": 20640, "features": 9, "base_planes": 4 - up_planes, "up_planes": up_planes}


def _changed(board: Board | str, changes: Mapping[str, int], baud: int | None) -> Board:
    """A board, or the one by that name, with other parameters."""
    if isinstance(board, str):
        board = find_board(board)
    known = board.build.as_dict()
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise BuildError(f"no parameter {', '.join(unknown)}: a build has {', '.join(known)}")
    link = board.link if baud is None else Uart(baud)
    return replace(board, build=replace(board.build, **changes), link=link)


def _prepare(board: Board, folder: Path) -> list[list[str]]:
    """Write the design's Verilog and the tools' input files; returns the tools' commands: synthesis, routing, packing."""
    from .board_top import BoardTop

    plan = board.platform().prepare(
        BoardTop(board),
        DESIGN,
        verbose=True,  # the logs then have all of the tools' messages
        debug_verilog=True,
        emit_src=False,
        synth_opts=list(board.synth_opts),
        nextpnr_opts=list(board.nextpnr_opts),
        script_after_read=f"{AFTER_READ}\n{choose_logic_script(board.logic_script)}",
        script_after_synth=AFTER_SYNTHESIS,
    )
    plan.extract(folder)
    (folder / f"{DESIGN}.debug.v").rename(folder / f"{board.name}.v")
    commands: list[list[str]] = json.loads(plan.files[f"{plan.script}.json"])["commands"]
    return board.family.commands(commands, board.build.clock_hz)


def _revision() -> str | None:
    """The source's git revision, followed by "-dirty" if files differ; None outside a clone."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _identity(board: Board) -> dict[str, Any]:
    """What report and sidecar have in common."""
    return {
        "board": board.name,
        "device": board.device,
        "zipsgd": version("zipsgd"),
        "revision": _revision(),
        "build": board.build.as_dict(),
        "build_hash": f"{board.build.hash():#010x}",
        "link_baud": board.link.baud,
    }


def changed_build(board: Board | str, changes: Mapping[str, int]) -> Build:
    """The build of a board with other parameters.

    Parameters
    ----------
    board : Board or str
        The board; or its name or file, see :func:`.find_board`.
    changes : Mapping of str to int
        Parameters that differ from the board's own, by name.

    Returns
    -------
    Build
        The build.

    Raises
    ------
    ValueError
        There is no such board.
    BuildError
        ``changes`` has a name that is no parameter, or values that make no build.
    """
    return _changed(board, changes, None).build


def stock_report(board: Board) -> dict[str, Any]:
    """What the report of a board's default build says before it is made.

    Parameters
    ----------
    board : Board
        The board.

    Returns
    -------
    dict of str to Any
        Board, build, rate of the link, and the predicted epoch of California housing.
    """
    return {
        "board": board.name,
        "device": board.device,
        "build": board.build.as_dict(),
        "link_baud": board.link.baud,
        "predicted_epoch": _predicted(board, _california(board.build)),
    }


def _predicted(board: Board, epoch: Mapping[str, int]) -> dict[str, Any]:
    own = {
        "link_baud": board.link.baud,
        "fast_memory": board.family.fast_memory,
        "store_pace": board.store_pace,
    }
    return predict_epoch(board.build, **{**own, **epoch})


def _prepared(board: Board, epoch: Mapping[str, int]) -> dict[str, Any]:
    """The report before the tools have run."""
    build = board.build
    memories = memory_blocks(build, board.ram, in_block_ram=board.memory is None)
    return {
        **_identity(board),
        "lanes": build.lanes,
        "clock_mhz": build.clock_hz / 1e6,
        "plane_bandwidth_bits_per_second": build.lanes * build.clock_hz,
        "memory_blocks_estimate": memories,
        "block_rams_estimate": {"used": sum(memories.values()), "available": board.block_rams},
        "predicted_epoch": _predicted(board, epoch),
        "tried_on_hardware": board.tried,
        "seed": None,
        "clocks": None,
        "utilisation": None,
        "cells_per_lane": None,
        "seeds": None,
        "fmax_spread": None,
        "tools": None,
        "verilog": f"{board.name}.v",
        "bitstream": None,
    }


def _warn_of_block_rams(estimate: Mapping[str, int], progress: Callable[[str], None]) -> None:
    """It is no error: the estimate may be high, as synthesis may put a small memory into logic."""
    if estimate["used"] > estimate["available"]:
        progress(
            f"warning: the build takes about {estimate['used']} of {estimate['available']} block RAMs, so it will probably "
            f"not fit: lower lanes, max_features or the widths"
        )


def _write(path: Path, value: dict[str, Any]) -> None:
    write_file(path, json.dumps(value, indent=2) + "\n")


def _clear(board: Board, folder: Path) -> None:
    """Make the folder, and delete the files of an earlier build."""
    folder.mkdir(parents=True, exist_ok=True)
    names = (
        *(_REPORT, STATISTICS, f"{board.name}.v", f"{board.name}.json"),
        f"{board.name}{board.family.bitstream_suffix}",
    )
    for stale in (*(folder / name for name in names), *folder.glob("seed-*")):
        stale.unlink(missing_ok=True)


def _too_slow(board: Board, best: dict[str, Any], report: Path) -> BuildFailed:
    slow = ", ".join(
        f"{row['name']} reaches {row['fmax_mhz']} of {row['target_mhz']} MHz"
        for row in best["clocks"]
        if not row["met"]
    )
    return BuildFailed(
        f"{board.title} is too slow at its best seed {best['seed']}: {slow}; no bitstream was written. Try other seeds, "
        f"or lower clock_hz. Report: {report}"
    )


def _pack(board: Board, command: list[str], folder: Path, seed: int) -> str:
    """Make the bitstream of the routing with this seed, and return the name of its file."""
    routed, packed = board.family.routed_suffix, board.family.bitstream_suffix
    (folder / f"seed-{seed}{routed}").rename(folder / f"{DESIGN}{routed}")
    run_tool(command, folder, folder / "packing.log")
    bitstream = f"{board.name}{packed}"
    (folder / f"{DESIGN}{packed}").rename(folder / bitstream)
    return bitstream


def build_board(
    board: Board | str,
    *,
    out_dir: Path,
    seeds: Sequence[int] | None = None,
    sweep: bool = False,
    changes: Mapping[str, int] | None = None,
    baud: int | None = None,
    epoch: Mapping[str, int] | None = None,
    prepare_only: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Build the gateware for a board.

    Writes to ``out_dir``: ``NAME.v``; unless ``prepare_only``, the bitstream ``NAME.bin`` or ``NAME.bit``, beside it
    ``NAME.json`` with the build's parameters and hash, and the tools' files and logs; and in any case the report,
    ``build.json``. Files of an earlier build by these names are deleted first.

    Parameters
    ----------
    board : Board or str
        The board; or its name or file, see :func:`.find_board`.
    out_dir : Path
        The folder; it is made if it does not exist.
    seeds : sequence of int or None
        Seeds of the placer, tried in turn after one synthesis until one meets the clock. None for the board's own seed and,
        if that fails with these versions of the tools, seven more.
    sweep : bool
        Whether all seeds are tried, and their spread is reported.
    changes : Mapping of str to int or None
        Parameters of the build that differ from the board's own, by name.
    baud : int or None
        Rate of the board's UART in bits per second; None for the board's own.
    epoch : Mapping of str to int or None
        Keyword arguments of :func:`.predict_epoch`; None for those of California housing at 4 bits a value.
    prepare_only : bool
        Whether to stop before the tools; the report's figures are then None.
    progress : callable
        Called with a line before each step, and with a warning if the build takes more block RAMs than the device has.

    Returns
    -------
    dict
        The report, as in ``build.json``.

    Raises
    ------
    BuildError
        ``changes`` has a name that is no parameter, or values that make no build.
    ValueError
        There is no such board, the clock cannot make ``baud``, the PLL cannot make the clock, the board's platform is not that
        of its row, or there is no seed.
    BuildFailed
        A tool is missing or failed, or the design is slower than its clock with every seed. There is then no bitstream; in
        the last case the report is written all the same.
    """
    board = _changed(board, changes or {}, baud)
    if seeds is None:
        seeds = [board.seed, *(number for number in _MORE_SEEDS if number != board.seed)]
    if not seeds:
        raise ValueError("seeds must name at least one seed")
    _clear(board, out_dir)

    progress(f"{board.title}: elaborating {board.build.lanes} lanes, {board.build.max_features} features")
    synthesise, route, pack = _prepare(board, out_dir)
    report = _prepared(board, epoch or _california(board.build))
    _warn_of_block_rams(report["block_rams_estimate"], progress)
    if prepare_only:
        _write(out_dir / _REPORT, report)
        return report

    progress("synthesis")
    run_tool(synthesise, out_dir, out_dir / "synthesis.log")
    results = place(board, route, out_dir, seeds, sweep, progress)
    best = max(results, key=lambda row: fmax_margin(row["clocks"]))
    used = utilisation(board.family, out_dir / f"seed-{best['seed']}.json", out_dir / STATISTICS)
    cells = used["cells"]["used"]
    report |= {
        **best,
        "utilisation": used,
        "cells_per_lane": None if cells is None else round(cells / board.build.lanes, 1),
        "seeds": results,
        "fmax_spread": spread(results),
        "tools": {command[0]: tool_version(command[0]) for command in (synthesise, route)},
    }
    if fmax_margin(best["clocks"]) < 1:
        _write(out_dir / _REPORT, report)
        raise _too_slow(board, best, out_dir / _REPORT)

    progress("packing the bitstream")
    report["bitstream"] = _pack(board, pack, out_dir, best["seed"])
    sidecar = {**_identity(board), "bitstream": report["bitstream"], "seed": best["seed"]}
    _write(out_dir / f"{board.name}.json", sidecar)
    _write(out_dir / _REPORT, report)
    return report
