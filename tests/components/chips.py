"""Verilog of a whole chip: a design from the pins of a board inwards, with models of the vendor's cells."""

import re
from collections.abc import Mapping
from pathlib import Path

from amaranth import Elaboratable, Signal
from amaranth.back import verilog
from amaranth.hdl._ir import PortDirection

from zipsgd_hw.boards import Board

_MODELS = Path(__file__).with_suffix(".v")
_ATTRIBUTES = re.compile(r"((?:^ *\(\* \w+ = [^\n]* \*\)\n)+)( *EHXPLLL #\(\n)", re.MULTILINE)
_ATTRIBUTE = re.compile(r"\(\* (\w+) = ([^\n]*) \*\)")


def chip_verilog(design: Elaboratable, board: Board, outputs: Mapping[str, Signal]) -> str:
    """Verilog of a module ``dut`` that contains a design for a board.

    Its ports are ``oscillator``, which a bench drives at the board's ``input_hz``, the serial pins ``rx`` and ``tx``,
    ``unlock``, which makes the PLL lose its lock, and the further outputs.

    Parameters
    ----------
    design : Elaboratable
        The design.
    board : Board
        The board whose platform the design is made for.
    outputs : mapping of str to Signal
        Further outputs by name.

    Returns
    -------
    str
        Verilog, including the models of the vendor's cells.
    """
    platform = board.platform()
    chip = verilog.convert(
        design,
        name="chip",
        platform=platform,
        ports={name: (signal, PortDirection.Output) for name, signal in outputs.items()},
        emit_src=False,
        strip_internal_attrs=True,
    )
    # nextpnr reads the PLL's attributes, but the model of the PLL takes parameters.
    chip = _ATTRIBUTES.sub(lambda found: found[2] + _ATTRIBUTE.sub(r".\1(\2),", found[1]), chip)
    pins = {f"{platform.default_clk}_0__io": "oscillator_pin"}
    if "uart_0__rx__io" in chip:
        pins |= {"uart_0__rx__io": "rx_pin", "uart_0__tx__io": "tx"}
    ports = ", ".join(f".{inner}({outer})" for inner, outer in (pins | dict(zip(outputs, outputs))).items())
    wrapper = f"""
module dut (input oscillator, input rx, input unlock, output tx{"".join(f", output {name}" for name in outputs)});
  wire at_pll = {int(getattr(board.pll, "pad", False))};
  real oscillator_mhz;
  assign oscillator_mhz = {board.input_hz / 1e6!r};
  // Some pins are bidirectional.
  wire oscillator_pin, rx_pin;
  assign oscillator_pin = oscillator;
  assign rx_pin = rx;
  chip chip ({ports});
endmodule
"""
    return _MODELS.read_text() + chip + wrapper
