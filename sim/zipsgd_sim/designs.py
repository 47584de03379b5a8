"""What a virtual board simulates: the gateware's Verilog, or a netlist that synthesis made of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import Component

from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.families import Family
from zipsgd_hw.boards.memories import Sdram
from zipsgd_hw.boards.synthesis import STATISTICS, netlist_script, synthesise
from zipsgd_hw.boards.toolchain import tool_version
from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_hw.link.physical import Uart, Usb
from zipsgd_hw.top import Accelerator, UartAccelerator

from .cells import cell_arguments, cell_library
from .verilog import to_rtlil, to_verilog

__all__ = ["TOP", "Design", "netlist_design", "rtl"]

TOP = "board"
"""Name of a design's top module."""


@dataclass(frozen=True)
class Design:
    """Verilog with the ports of an accelerator.

    Parameters
    ----------
    title, takes : str
        What the design is, and how long it takes to compile, for a message.
    key : str
        A text that differs between any two designs.
    write : callable
        Writes the Verilog into a folder, and returns its files.
    arguments : tuple of str
        Arguments of Verilator.
    keeps : tuple of str
        Names of files that ``write`` leaves in the folder, and that are kept with the compiled program.
    """

    title: str
    takes: str
    key: str
    write: Callable[[Path], Sequence[Path]]
    arguments: tuple[str, ...]
    keeps: tuple[str, ...] = ()


def _top(build: Build, line: Uart | Usb | None, fast_memory: bool, memory: Sdram | None) -> "Component[Any]":
    if isinstance(line, Usb):
        with extra("usb", "a virtual board with USB"):
            from zipsgd_hw.usb_top import UtmiAccelerator
        return UtmiAccelerator(build, line, Datapath(build, fast_memory=fast_memory))
    datapath = Datapath(build, fast_memory=fast_memory)
    store = None if memory is None else memory.store(build, io_cycles=0)
    if line is None:
        return Accelerator(build, datapath, store)
    return UartAccelerator(build, line, datapath, store)


@cache
def rtl(
    build: Build, line: Uart | Usb | None = None, fast_memory: bool = False, memory: Sdram | None = None
) -> Design:
    """The gateware as Amaranth writes it.

    Parameters
    ----------
    build : Build
        Parameters of the gateware.
    line : Uart, Usb or None
        The line of the top with UART pins or a USB transceiver; None for the top with byte streams.
    fast_memory : bool
        See :class:`zipsgd_hw.datapath.datapath.Datapath`.
    memory : Sdram or None
        The SDRAM that is the store; None for a store in block RAM.

    Returns
    -------
    Design
        The design.

    Raises
    ------
    ValueError
        The build's clock cannot make the line's rate.
    """
    source = to_verilog(_top(build, line, fast_memory, memory), TOP)

    def write(folder: Path) -> list[Path]:
        file = folder / f"{TOP}.v"
        file.write_text(source)
        return [file]

    return Design("gateware", "half a minute", source, write, ("--x-assign", "fast", "--x-initial", "fast"))


@cache
def netlist_design(build: Build, family: Family, uart: Uart | None = None) -> Design:
    """The gateware in the cells of a family; flip-flops and memories come up unknown.

    Parameters
    ----------
    build : Build
        Parameters of the gateware.
    family : Family
        The family, which determines the cells and whether the memory is fast.
    uart : Uart or None
        The line of the top with UART pins; None for the top with byte streams.

    Returns
    -------
    Design
        The design; it keeps the synthesis' statistics.

    Raises
    ------
    ValueError
        The build's clock cannot make the line's rate.
    BuildFailed
        Yosys is missing.
    """
    source = to_rtlil(_top(build, uart, family.fast_memory, None), TOP)
    library = cell_library(family)
    arguments = cell_arguments(family)

    def write(folder: Path) -> list[Path]:
        files = [synthesise(source, family, TOP, folder), *family.cell_models]
        for name, models in library.items():
            files.append(folder / name)
            files[-1].write_text(models)
        return files

    parts = [
        source,
        netlist_script(family, TOP),
        str(tool_version("yosys")),
        *library.values(),
        *(path.read_text() for path in family.cell_models),
        *arguments,
    ]
    return Design(f"{family.name} netlist", "two minutes", "\0".join(parts), write, arguments, (STATISTICS,))
