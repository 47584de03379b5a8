"""Lattice iCE40: HX, LP and UltraPlus."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from .family import Family, OtherClock, Pll, choose_pll, within

__all__ = ["ICE40", "Ice40Pll"]

# Ranges of the phase detector, the voltage-controlled oscillator (VCO) and the output, from the family's data sheets.
_DETECTOR_HZ = (10_000_000, 133_000_000)
_VCO_HZ = (533_000_000, 1_066_000_000)
_OUTPUT_HZ = (16_000_000, 275_000_000)
_FILTER_STEPS_HZ = (17_000_000, 26_000_000, 44_000_000, 66_000_000, 101_000_000)
"""From each of these rates of the phase detector on, the next filter range is used, after range 1 (Lattice TN1251)."""


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
        """See :meth:`.Pll.output_hz`."""
        return input_hz * (self.divf + 1) // ((self.divr + 1) << self.divq)

    @classmethod
    def find(
        cls, input_hz: int, clock_hz: int, at_pad: bool = False, others: Sequence[OtherClock] = ()
    ) -> Pll:
        """Find the settings that make a clock, with the fastest phase detector.

        Parameters
        ----------
        input_hz, clock_hz : int
            Frequencies of input and output in hertz.
        at_pad : bool
            Whether the input is wired to the PLL's own pad.
        others : sequence of OtherClock
            Must be empty: this family's PLL makes one clock.

        Returns
        -------
        Pll
            The settings.

        Raises
        ------
        ValueError
            No settings make the clock; the message has the nearest clocks. Or there are ``others``.
        """
        if others:
            raise ValueError(
                "the PLL of this family makes one clock, and the board's memory needs another one"
            )
        return choose_pll(cls._candidates(input_hz, at_pad), input_hz, clock_hz)

    @classmethod
    def _candidates(cls, input_hz: int, at_pad: bool) -> Iterator[Pll]:
        for divr, divf, divq in product(range(16), range(128), range(1, 7)):
            detector = input_hz / (divr + 1)
            output, rest = divmod(input_hz * (divf + 1), (divr + 1) << divq)
            if rest or not within(_DETECTOR_HZ, detector) or not within(_OUTPUT_HZ, output):
                continue
            if within(_VCO_HZ, detector * (divf + 1)):
                yield cls(divr, divf, divq, 1 + bisect(_FILTER_STEPS_HZ, detector), at_pad)

    def instance(
        self,
        m: Any,
        pin: Any,
        *,
        input_hz: int,
        clock: Any,
        locked: Any,
        others: Sequence[tuple[OtherClock, Any]] = (),
    ) -> Any:
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


ICE40 = Family(
    name="ice40",
    device_prefix="iCE40",
    find_pll=Ice40Pll.find,
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
