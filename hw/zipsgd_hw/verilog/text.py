"""The file of a kind of Verilog: a head of comments that documents it, and the module."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from amaranth.back import verilog

from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart, uart_divisor

from .kinds import Kind
from .plain_top import PlainTop
from .ports import CLOCK

__all__ = ["PortLine", "VerilogFile", "port_table", "verilog_file"]


@dataclass(frozen=True)
class PortLine:
    """A port of a module.

    Parameters
    ----------
    name : str
        Its name.
    direction : str
        ``input`` or ``output``.
    width : int
        Its bits.
    meaning : str
        What it is for.
    option : str or None
        The part of a build without which there is no such port.
    """

    name: str
    direction: str
    width: int
    meaning: str
    option: str | None = None


@dataclass(frozen=True)
class VerilogFile:
    """A file in Verilog.

    Parameters
    ----------
    text : str
        Comments that document it, then the module and those that it is made of.
    ports : list of PortLine
        The module's ports, clock and reset first.
    """

    text: str
    ports: list[PortLine]


def _port_lines(top: PlainTop) -> list[PortLine]:
    """The ports of a module, clock and reset first."""
    clock = [PortLine(port.name, "input", 1, port.meaning) for port in CLOCK]
    return clock + [
        PortLine(
            port.name,
            "input" if top.is_input(port) else "output",
            top.width(port),
            port.meaning,
            port.option,
        )
        for port in top.rows
    ]


def port_table(lines: Sequence[PortLine]) -> list[str]:
    """Ports as aligned text.

    Parameters
    ----------
    lines : sequence of PortLine
        The ports.

    Returns
    -------
    list of str
        A heading, and a line for each port.
    """
    rows = [("port", "direction", "bits", "meaning")]
    rows += [(line.name, line.direction, str(line.width), line.meaning) for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows]


def _instance(kind: Kind, lines: Sequence[PortLine]) -> list[str]:
    """An instance to copy."""
    ports = [f"    .{line.name}({line.name})" for line in lines]
    return [f"{kind.module} {kind.name}_0 (", *(f"{port}," for port in ports[:-1]), ports[-1], ");"]


def _parameters(build: Build) -> list[str]:
    """The parameters of a build, several in a line."""
    words = [f"{name}={value}" for name, value in build.as_dict().items()]
    return [" ".join(words[at : at + 6]) for at in range(0, len(words), 6)]


def verilog_file(kind: Kind, build: Build, uart: Uart, *, fast_memory: bool = False) -> VerilogFile:
    """A file in Verilog for designs of one's own. The same arguments always give the same text.

    Parameters
    ----------
    kind : Kind
        What it holds.
    build : Build
        The build.
    uart : Uart
        The line; not used without one.
    fast_memory : bool
        Whether it is for FPGAs with fast memories, see :class:`.Datapath`.

    Returns
    -------
    VerilogFile
        The file.

    Raises
    ------
    ValueError
        The build's clock cannot make the line's rate.
    """
    rate = []
    if kind.name == "uart":
        cycles = uart_divisor(build.clock_hz, uart.baud)
        rate = [f"The UART runs at {uart.baud} baud, {cycles} cycles of clk a bit."]
    top = kind.top(build, uart, fast_memory)
    lines = _port_lines(top)
    clock = f"clk has {build.clock_hz / 1e6:g} MHz by the build (clock_hz), which matters to the UART and to predictions alone."
    head = [
        f"{kind.module}: {kind.title}. Written by zipsgd {version('zipsgd')}, see docs/verilog.md.",
        "",
        *kind.usage,
        clock,
        *rate,
        "",
        *port_table(lines),
        "",
        f"The build, whose hash is {build.hash():#010x}:",
        *(f"  {line}" for line in _parameters(build)),
        "",
        "An instance to copy:",
        *(f"  {line}" for line in _instance(kind, lines)),
    ]
    module = verilog.convert(top, name=kind.module, emit_src=False, strip_internal_attrs=True)
    return VerilogFile("\n".join([f"// {line}".rstrip() for line in head]) + f"\n\n{module}", lines)
