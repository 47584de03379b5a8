"""A bitstream on the virtual board: taken apart into cells and wires, and simulated from its pins."""

from collections.abc import Sequence
from pathlib import Path

from zipsgd_hw.boards.families.ice40 import ICE40
from zipsgd_hw.boards.toolchain import BuildFailed, find_tool, run_tool

from .cells import cell_arguments, cell_library
from .designs import TOP, Design

__all__ = ["bitstream_design"]

_TOOL = "icebox_vlog"
_WRAPPER = f"""
module {TOP} (input clk, input rst, input rx, output tx, output unattended);
  bitstream chip (.clk12_0__io(clk), .uart_0__rx__io(rx), .uart_0__tx__io(tx));
  assign unattended = 1;  // no pin tells: the simulation never waits for the host
endmodule

// The virtual board's clock is the PLL's output, and its reset a loss of lock.
module simulated_pll #(
  parameter FEEDBACK_PATH = "", DELAY_ADJUSTMENT_MODE_FEEDBACK = "", DELAY_ADJUSTMENT_MODE_RELATIVE = "", PLLOUT_SELECT = "",
  parameter SHIFTREG_DIV_MODE = 0, FDA_FEEDBACK = 0, FDA_RELATIVE = 0, DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0,
  parameter ENABLE_ICEGATE = 0, TEST_MODE = 0
) (
  input REFERENCECLK, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
  input [7:0] DYNAMICDELAY,
  output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
  assign PLLOUTCORE = REFERENCECLK;
  assign PLLOUTGLOBAL = REFERENCECLK;
  assign LOCK = ~$root.{TOP}.rst;
  assign SDO = 0;
endmodule
"""


def _simulable(chip: str) -> str:
    """The tool's Verilog with each port declared once, our PLL, and flip-flops (``reg n = 0``) that come up random."""
    lines = []
    for line in chip.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "wire":
            inner = [name for name in rest.rstrip(";").split(", ") if not name.endswith("__io")]
            line = f"wire {', '.join(inner)};" if inner else ""
        elif kind == "reg":
            line = line.replace("= 0", "= $urandom")
        lines.append(line.replace("SB_PLL40_CORE #(", "simulated_pll #("))
    return "\n".join(lines)


def bitstream_design(bitstream: Path) -> Design:
    """A bitstream of the HX8K board, with its UART's pins.

    Other iCE40 boards use multipliers, which the tool icebox_vlog does not know. Flip-flops and memories come up unknown,
    though those of the device come up as zero.

    Parameters
    ----------
    bitstream : Path
        What ``zipsgd build`` made; its ``top.pcf`` must be in the same folder.

    Returns
    -------
    Design
        The design.

    Raises
    ------
    BuildFailed
        A tool is missing; the message says how to install it.
    """
    try:
        find_tool(_TOOL)
    except BuildFailed:
        raise BuildFailed(
            f"{_TOOL} takes bitstreams apart, and is not installed: it is part of Project IceStorm, in Debian and Ubuntu "
            f"'apt-get install fpga-icestorm'"
        ) from None
    library = cell_library(ICE40)
    arguments = cell_arguments(ICE40)

    def write(folder: Path) -> Sequence[Path]:
        packed, unpacked, pins = folder / "board.bin", folder / "board.asc", folder / "board.pcf"
        packed.write_bytes(bitstream.read_bytes())
        pins.write_text(bitstream.with_name("top.pcf").read_text())
        run_tool(["icepack", "-u", packed.name, unpacked.name], folder, folder / "icepack.log")
        apart = folder / "apart.v"
        run_tool([_TOOL, "-s", "-n", "bitstream", "-p", pins.name, unpacked.name], folder, apart)
        apart.write_text(_simulable(apart.read_text()) + _WRAPPER)
        files = [apart]
        for name, models in library.items():
            files.append(folder / name)
            files[-1].write_text(models)
        return files

    return Design(
        "bitstream",
        "three minutes",
        "\0".join([bitstream.read_bytes().hex(), *library.values(), _WRAPPER, *arguments]),
        write,
        arguments,
    )
