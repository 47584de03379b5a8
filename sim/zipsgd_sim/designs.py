"""What a virtual board is made of: the gateware's Verilog, a netlist that synthesis made of it, or a bitstream."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from zipsgd.protocol.formats import Build

from .verilog import to_rtlil, to_verilog

__all__ = ["ARGUMENTS", "FAMILIES", "TOP", "Design", "Family", "netlist_design", "of_unknown_state", "rtl"]

Family = Literal["ice40", "ecp5"]
"""FPGAs that there are netlists for."""
FAMILIES: tuple[Family, ...] = get_args(Family)
TOP = "board"
"""Name of a design's top module."""

_HERE = Path(__file__).parent
_LIBRARY: dict[Family, tuple[str, ...]] = {
    "ice40": ("cells_sim.v",),
    "ecp5": ("common_sim.vh", "ccu2c_sim.vh"),
}
"""Yosys' own models of a family's cells."""
_MODELS: dict[Family, tuple[Path, ...]] = {"ice40": (), "ecp5": (_HERE / "ecp5_models.v",)}
"""Models of cells that Yosys has none for."""
ARGUMENTS = (
    *("--x-assign", "unique", "--x-initial", "unique"),
    *("-Wno-lint", "-Werror-USERERROR", "-Werror-PINMISSING"),
    # Verilator takes a default of a cell's input for the first value of whatever drives it, be it the reset pin
    *("-DNO_INCLUDES", "-DNO_ICE40_DEFAULT_ASSIGNMENTS"),
)
"""Verilator's, of cells."""
_INITIAL = re.compile(r"\binitial\b\s*(begin\b|[^;]*;)")
_WORD = re.compile(r"(\w+)\s*\[[^]]*\]\s*<?=")
_REGISTER = re.compile(r"(\w+)\s*<?=")
_NESTING = re.compile(r"\b(begin|end)\b")


@dataclass(frozen=True)
class Design:
    """Verilog with the ports of an accelerator.

    Parameters
    ----------
    title, takes : what it is, and how long it takes to compile.
    key : a text that no other design has.
    write : writes the Verilog into a folder, and returns its files.
    arguments : of Verilator.
    keeps : files that ``write`` leaves beside them, to be kept with the program.
    """

    title: str
    takes: str
    key: str
    write: Callable[[Path], Sequence[Path]]
    arguments: tuple[str, ...]
    keeps: tuple[str, ...] = ()


@cache
def rtl(build: Build, uart: bool, fast_memory: bool = False) -> Design:
    """The gateware as Amaranth writes it; ``fast_memory``: of :class:`zipsgd_hw.datapath.datapath.Datapath`."""
    from zipsgd_hw.datapath.datapath import Datapath
    from zipsgd_hw.top import Accelerator, UartAccelerator

    datapath = Datapath(build, fast_memory=fast_memory)
    source = to_verilog(UartAccelerator(build, datapath) if uart else Accelerator(build, datapath), TOP)

    def write(folder: Path) -> list[Path]:
        file = folder / f"{TOP}.v"
        file.write_text(source)
        return [file]

    return Design("gateware", "half a minute", source, write, ("--x-assign", "fast", "--x-initial", "fast"))


def of_unknown_state(source: str) -> str:
    """Cell models whose registers and memories are random to begin with: Verilog whose initial blocks, each of which sets a
    register or a memory, set it so. Raises ValueError for any other block."""
    kept = []
    start = 0
    while found := _INITIAL.search(source, start):
        kept.append(source[start : found.start()])
        start = found.end()
        depth = 1 if found[1] == "begin" else 0
        while depth:
            bracket = _NESTING.search(source, start)
            if bracket is None:
                raise ValueError("an initial block does not end")
            depth += 1 if bracket[1] == "begin" else -1
            start = bracket.end()
        block = source[found.start(1) : start]
        if memory := _WORD.search(block):
            kept.append(f"initial foreach ({memory[1]}[word]) {memory[1]}[word] = $urandom;")
        elif register := _REGISTER.match(block):
            # Verilator may else begin an unset output of a cell at zero
            kept.append(f"initial {register[1]} = $urandom;")
        else:
            raise ValueError(f"an initial block sets neither a register nor a memory: {block}")
    return "".join([*kept, source[start:]])


@cache
def netlist_design(build: Build, family: Family, uart: bool) -> Design:
    """The gateware in cells of ``family``, synthesised as for :func:`zipsgd_hw.boards.synthesis.board_of`'s board.

    Its flip-flops and memories come up unknown. Raises :class:`zipsgd_hw.boards.BuildFailed` without Yosys.
    """
    from zipsgd_hw.boards.synthesis import STATISTICS, board_of, netlist_script, synthesise
    from zipsgd_hw.boards.toolchain import tool_version, yosys_files
    from zipsgd_hw.datapath.datapath import Datapath
    from zipsgd_hw.top import Accelerator, UartAccelerator

    datapath = Datapath(build, fast_memory=board_of(family).fast_memory)
    source = to_rtlil(UartAccelerator(build, datapath) if uart else Accelerator(build, datapath), TOP)
    library = {
        name: of_unknown_state((yosys_files() / family / name).read_text()) for name in _LIBRARY[family]
    }

    def write(folder: Path) -> list[Path]:
        files = [synthesise(source, family, TOP, folder), *_MODELS[family]]
        for name, models in library.items():
            files.append(folder / name)
            files[-1].write_text(models)
        return files

    own = [path.read_text() for path in _MODELS[family]]
    return Design(
        f"{family} netlist",
        "two minutes",
        "\0".join(
            [
                source,
                netlist_script(family, TOP),
                str(tool_version("yosys")),
                *library.values(),
                *own,
                *ARGUMENTS,
            ]
        ),
        write,
        ARGUMENTS,
        (STATISTICS,),
    )
