"""Lattice iCE40: HX, LP and UltraPlus."""

from dataclasses import dataclass
from typing import Any

from .family import Family, check_oscillator

__all__ = ["ICE40", "Ice40Pll"]

ICE40 = Family(
    name="ice40",
    ram_bits=4096,
    ram_widths=(16, 8, 4, 2),
    fast_memory=True,
    reset_seconds=20e-6,  # block RAMs read as zero for some 3 us after configuration
    routed_suffix=".asc",
    bitstream_suffix=".bin",
    figures={"cells": "ICESTORM_LC", "ram": "ICESTORM_RAM", "dsp": "ICESTORM_DSP"},
    flip_flops="SB_DFF",
    netlist_options=("-dsp",),
    cell_library=("cells_sim.v",),
    # Verilator takes a default of a cell's input for the first value of whatever drives it, even of the reset pin.
    cell_defines=("NO_ICE40_DEFAULT_ASSIGNMENTS",),
)


@dataclass(frozen=True)
class Ice40Pll:
    """SB_PLL40 with feedback path SIMPLE: f = input * (divf + 1) / ((divr + 1) * 2^divq).

    Parameters
    ----------
    divr, divf, divq : int
        Dividers of reference (4 bits), feedback (7 bits) and output (3 bits).
    filter_range : int
        Setting of the loop filter, by the rate of the reference at the phase detector (1 for 10 to 17 MHz).
    pad : bool
        Whether the input comes directly from a pad that is wired to the PLL, rather than through a global buffer.
    """

    divr: int
    divf: int
    divq: int
    filter_range: int
    pad: bool

    def output_hz(self, input_hz: int) -> int:
        """See :meth:`.Pll.output_hz`; the oscillator's range is 533 to 1066 MHz."""
        oscillator = input_hz * (self.divf + 1) // (self.divr + 1)
        check_oscillator("iCE40", oscillator, 533_000_000, 1_066_000_000)
        return oscillator >> self.divq

    def instance(self, m: Any, pin: Any, *, input_hz: int, clock: Any, locked: Any) -> Any:
        """See :meth:`.Pll.instance`."""
        from amaranth import Const, Instance
        from amaranth.lib import io

        if self.pad:
            kind, source = "SB_PLL40_PAD", {"io_PACKAGEPIN": pin.io}
        else:
            m.submodules.pin = buffer = io.Buffer("i", pin)
            kind, source = "SB_PLL40_CORE", {"i_REFERENCECLK": buffer.i}
        return Instance(
            kind,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(self.divr, 4),
            p_DIVF=Const(self.divf, 7),
            p_DIVQ=Const(self.divq, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
            **source,
        )
