"""From a board's name to Verilog, bitstream and report."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from zipsgd.output import write_file
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .board import Board
from .board_file import find_board
from .build_cache import BuildCache
from .build_report import identity, prepared_report
from .folder_lock import locked_folder
from .physical_links import link_queues
from .placement import SeedSearch, chosen, place, spread
from .report import fmax_margin, utilisation
from .steps import WORK_PREFIX, Step, run_step
from .synthesis import AFTER_SYNTHESIS, QUEUES, STATISTICS, after_read, choose_logic_script
from .toolchain import BuildFailed, tool_version

__all__ = ["BuildFailed", "build_board", "changed_build"]

_DESIGN = "top"
"""Name of the design, and of the tools' files."""
_REPORT = "build.json"
_REMEDY = (
    "Try more seeds (--seed-budget), or lower the clock (--set clock_hz=...); --allow-slow writes it all the same, for a board "
    "that may compute wrong results"
)


def _changed(board: Board | str, changes: Mapping[str, int], baud: int | None) -> Board:
    """A board, or the one by that name, with other parameters."""
    if isinstance(board, str):
        board = find_board(board)
    if baud is not None and not isinstance(board.link, Uart):
        raise ValueError(f"the link of {board.title} is USB, which has no baud rate: leave out --baud")
    link = board.link if baud is None else Uart(baud)
    return replace(board, build=board.build.changed(changes), link=link)


@dataclass(frozen=True)
class _Prepared:
    """The tools' commands, and the files that they read."""

    board: Board
    folder: Path
    synthesise: list[str]
    route: list[str]
    pack: list[str]
    design: Mapping[str, Path]
    constraints: Mapping[str, Path]

    def synthesis(self, version: str | None) -> Step:
        """The step that makes the netlist, and its statistics."""
        outputs = {name: self.folder / name for name in (self._netlist, STATISTICS)}
        return Step(self.synthesise, self.design, outputs, self.folder / "synthesis.log", version)

    def routing(self, seed: int, version: str | None) -> Step:
        """The step that places and routes the netlist with a seed."""
        report = f"seed-{seed}.json"
        command = [*self.route, "--seed", str(seed), "--report", report, "--timing-allow-fail"]
        routed = self.board.family.routed_suffix
        outputs = {f"{_DESIGN}{routed}": self._routed(seed), report: self.folder / report}
        inputs = {**self.constraints, self._netlist: self.folder / self._netlist}
        return Step(command, inputs, outputs, self.folder / f"seed-{seed}.log", version)

    def packing(self, seed: int) -> Step:
        """The step that makes the bitstream of the routing with a seed."""
        family = self.board.family
        inputs = {f"{_DESIGN}{family.routed_suffix}": self._routed(seed)}
        outputs = {f"{_DESIGN}{family.bitstream_suffix}": self.folder / self.bitstream}
        return Step(self.pack, inputs, outputs, self.folder / "packing.log")

    @property
    def _netlist(self) -> str:
        """Name of the file between synthesis and routing."""
        return self.route[self.route.index("--json") + 1]

    def _routed(self, seed: int) -> Path:
        return self.folder / f"seed-{seed}{self.board.family.routed_suffix}"

    @property
    def bitstream(self) -> str:
        """Name of the bitstream's file."""
        return f"{self.board.name}{self.board.family.bitstream_suffix}"


def _prepare(board: Board, folder: Path) -> _Prepared:
    """Write the design's Verilog and the tools' input files."""
    from .board_top import BoardTop

    plan = board.platform().prepare(
        BoardTop(board),
        _DESIGN,
        verbose=True,  # the logs then have all of the tools' messages
        debug_verilog=True,
        emit_src=False,
        synth_opts=list(board.synth_opts),
        nextpnr_opts=list(board.nextpnr_opts),
        script_after_read=f"{after_read((*QUEUES, *link_queues(board.link)))}\n{choose_logic_script(board.logic_script)}",
        script_after_synth=AFTER_SYNTHESIS,
    )
    plan.extract(folder)
    verilog = f"{_DESIGN}.debug.v"
    (folder / verilog).rename(folder / f"{board.name}.v")
    scripts = [f"{plan.script}{suffix}" for suffix in (".sh", ".bat", ".json")]
    commands: list[list[str]] = json.loads(plan.files[f"{plan.script}.json"])["commands"]
    synthesise, route, pack = board.family.commands(commands, board.build.clock_hz)
    files = {name: folder / name for name in plan.files if name not in (verilog, *scripts)}
    constraints = {name: path for name, path in files.items() if any(word.endswith(name) for word in route)}
    design = {name: path for name, path in files.items() if name not in constraints}
    return _Prepared(board, folder, synthesise, route, pack, design, constraints)


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
    """Delete the files of an earlier build, also of one that was killed; the report first, as it vouches for the others."""
    bitstream = f"{board.name}{board.family.bitstream_suffix}"
    names = (_REPORT, bitstream, f"{board.name}.json", f"{board.name}.v", STATISTICS)
    logs = ("synthesis.log", "packing.log")
    made = (path for pattern in ("seed-*", f"{_DESIGN}*.json") for path in folder.glob(pattern))
    for stale in (*(folder / name for name in (*names, *logs)), *made):
        stale.unlink(missing_ok=True)
    for work in folder.glob(f"{WORK_PREFIX}*"):
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other builds waiting. YoWASP's tools compile themselves when they first run, and two that do so at once crash."""
    folder = BuildCache().folder
    lock = FileLock(folder / "tools.lock", fallback_to_soft=False)
    with suppress(OSError, NotImplementedError):  # without a lock, only a tool's first run is at risk
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _too_slow(board: Board, best: dict[str, Any]) -> str:
    """Which clocks are too slow."""
    slow = ", ".join(
        f"{row['name']} reaches {row['fmax_mhz']} of {row['target_mhz']} MHz"
        for row in best["clocks"]
        if not row["met"]
    )
    return f"{board.title} is too slow at its best seed {best['seed']}: {slow}"


def _place(
    prepared: _Prepared,
    report: dict[str, Any],
    search: SeedSearch,
    cache: BuildCache | None,
    progress: Callable[[str], None],
    watch: Callable[[str], None],
) -> dict[str, Any]:
    """Synthesise, place and route; complete the report with what came of it, and return the result that was chosen."""
    board, folder = prepared.board, prepared.folder
    watch("looking at the tools")
    with _alone():
        tools = {command[0]: tool_version(command[0]) for command in (prepared.synthesise, prepared.route)}
    progress("synthesis")
    synthesis = prepared.synthesis(tools[prepared.synthesise[0]])
    cached = run_step(synthesis, folder, cache, lambda stage: watch(f"synthesis: {stage or 'starting'}"))
    if cached:
        progress("the cache has the synthesis")

    def step(seed: int) -> Step:
        return prepared.routing(seed, tools[prepared.route[0]])

    results = place(board, step, folder, search, cache, progress, watch)
    best = chosen(results, search.sweep)
    used = utilisation(board.family, folder / f"seed-{best['seed']}.json", folder / STATISTICS)
    cells = used["cells"]["used"]
    report |= {
        "seed": best["seed"],
        "clocks": best["clocks"],
        "clock_met": fmax_margin(best["clocks"]) >= 1,
        "utilisation": used,
        "cells_per_lane": None if cells is None else round(cells / board.build.lanes, 1),
        "seeds_tried": len(results),
        "seeds": [{name: row[name] for name in ("seed", "clocks")} for row in results],
        "fmax_spread": spread(results),
        "from_cache": {"synthesis": cached, "seeds": [row["seed"] for row in results if row["cached"]]},
        "tools": tools,
    }
    return best


def _pack(
    prepared: _Prepared,
    report: dict[str, Any],
    progress: Callable[[str], None],
    watch: Callable[[str], None],
) -> str:
    """Make the bitstream of the routing that was chosen; returns its name. Its sidecar is there before it."""
    progress("packing the bitstream")
    told = {name: report[name] for name in ("seed", "clock_met", "clocks")}
    sidecar = {**identity(prepared.board), "bitstream": prepared.bitstream, **told}
    _write(prepared.folder / f"{prepared.board.name}.json", sidecar)
    run_step(prepared.packing(report["seed"]), prepared.folder, None, lambda stage: watch("packing"))
    return prepared.bitstream


def build_board(
    board: Board | str,
    *,
    out_dir: Path,
    search: SeedSearch | None = None,
    changes: Mapping[str, int] | None = None,
    baud: int | None = None,
    epoch: Mapping[str, int] | None = None,
    prepare_only: bool = False,
    allow_slow: bool = False,
    cache: bool = True,
    progress: Callable[[str], None] = lambda line: None,
    watch: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Build the gateware for a board.

    Writes to ``out_dir``: ``NAME.v``; unless ``prepare_only``, the bitstream ``NAME.bin`` or ``NAME.bit``, beside it
    ``NAME.json`` with the build's parameters and hash, and the tools' files and logs; and in any case the report,
    ``build.json``. Files of an earlier build by these names are deleted first, and another build in this folder is waited for.

    Parameters
    ----------
    board : Board or str
        The board; or its name or file, see :func:`.find_board`.
    out_dir : Path
        The folder; it is made if it does not exist.
    search : SeedSearch or None
        Which seeds of the placer are tried after the synthesis. None for the board's own and, if that fails with these
        versions of the tools, others for half an hour.
    changes : Mapping of str to int or None
        Parameters of the build that differ from the board's own, by name.
    baud : int or None
        Rate of the board's UART in bits per second; None for the board's own.
    epoch : Mapping of str to int or None
        Keyword arguments of :func:`.predict_epoch`; None for those of California housing at 4 bits a value.
    prepare_only : bool
        Whether to stop before the tools; the report's figures are then None.
    allow_slow : bool
        Whether a bitstream is written though the clock is missed; report and sidecar then say so.
    cache : bool
        Whether syntheses and routings are taken from the user's cache, and put into it. The bits are the same.
    progress : callable
        Called with a line before each step, and with warnings.
    watch : callable
        Called often with what is being done, while the tools run.

    Returns
    -------
    dict
        The report, as in ``build.json``.

    Raises
    ------
    BuildError
        ``changes`` has a name that is no parameter, or values that make no build.
    ValueError
        There is no such board, the clock cannot make ``baud``, the PLL cannot make the clock, or the board's platform is not
        that of its row.
    BuildFailed
        A tool is missing or failed, or the design is slower than its clock with every seed. There is then no bitstream; in
        the last case the report is written all the same.
    OutputError
        The folder cannot be written.
    """
    board = _changed(board, changes or {}, baud)
    with locked_folder(out_dir, progress):
        _clear(board, out_dir)
        progress(f"{board.title}: elaborating {board.build.lanes} lanes, {board.build.max_features} features")
        prepared = _prepare(board, out_dir)
        report = prepared_report(board, epoch)
        _warn_of_block_rams(report["block_rams_estimate"], progress)
        if not prepare_only:
            kept = BuildCache() if cache else None
            best = _place(prepared, report, search or SeedSearch(), kept, progress, watch)
            if report["clock_met"] or allow_slow:
                report["bitstream"] = _pack(prepared, report, progress, watch)
        _write(out_dir / _REPORT, report)
        if not prepare_only and not report["clock_met"]:
            missed = _too_slow(board, best)
            if not allow_slow:
                raise BuildFailed(
                    f"{missed}; no bitstream was written. {_REMEDY}. Report: {out_dir / _REPORT}"
                )
            progress(f"warning: {missed}; the bitstream may compute wrong results, or none")
    return report
