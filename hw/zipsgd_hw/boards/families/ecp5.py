"""Lattice ECP5."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from .family import Family, OtherClock, Pll, choose_pll, within

__all__ = ["ECP5", "Ecp5Pll"]

# Ranges of the phase detector, the voltage-controlled oscillator (VCO) and the output, from the family's data sheet.
_DETECTOR_HZ = (3_125_000, 400_000_000)
_VCO_HZ = (400_000_000, 800_000_000)
_OUTPUT_HZ = (3_125_000, 400_000_000)
_OTHER_OUTPUTS = ("CLKOS", "CLKOS2", "CLKOS3")


def _divides(vco_hz: int, clock_hz: int) -> bool:
    """Whether an output's divider, 1 to 128, makes the clock."""
    return vco_hz % clock_hz == 0 and within((1, 128), vco_hz // clock_hz)


@dataclass(frozen=True)
class Ecp5Pll:
    """EHXPLLL with feedback from CLKOP: f = input * clkfb_div / clki_div.

    Parameters
    ----------
    clki_div, clkfb_div : int
        Dividers of input and feedback, 1 to 128.
    clkop_div : int
        Divider of the output, 1 to 128: the VCO runs at f * clkop_div.
    """

    clki_div: int
    clkfb_div: int
    clkop_div: int

    def output_hz(self, input_hz: int) -> int:
        """See :meth:`.Pll.output_hz`."""
        return input_hz * self.clkfb_div // self.clki_div

    @classmethod
    def find(
        cls, input_hz: int, clock_hz: int, at_pad: bool = False, others: Sequence[OtherClock] = ()
    ) -> Pll:
        """Find the settings that make the clocks.

        The phase detector is as fast as can be, and the VCO as near to the middle of its range.

        Parameters
        ----------
        input_hz, clock_hz : int
            Frequencies of input and output in hertz.
        at_pad : bool
            Must be False: this family's PLL has no pad of its own.
        others : sequence of OtherClock
            Up to three further clocks.

        Returns
        -------
        Pll
            The settings.

        Raises
        ------
        ValueError
            ``at_pad`` is True, there are more than three ``others``, or no settings make the clocks; the message has the
            nearest ones to the first.
        """
        if at_pad:
            raise ValueError("pll_pad is for iCE40 boards only: set it to False")
        if len(others) > len(_OTHER_OUTPUTS):
            raise ValueError(
                f"the PLL makes {len(_OTHER_OUTPUTS)} clocks besides the first, not {len(others)}"
            )
        frequencies = [other.hz for other in others]
        return choose_pll(cls._candidates(input_hz, frequencies), input_hz, clock_hz)

    @classmethod
    def _candidates(cls, input_hz: int, others: Sequence[int]) -> Iterator[Pll]:
        for clki_div, clkfb_div in product(range(1, 129), range(1, 129)):
            output, rest = divmod(input_hz * clkfb_div, clki_div)
            if rest or not within(_DETECTOR_HZ, input_hz / clki_div) or not within(_OUTPUT_HZ, output):
                continue
            dividers = [
                divider
                for divider in range(1, 129)
                if within(_VCO_HZ, output * divider) and all(_divides(output * divider, hz) for hz in others)
            ]
            if dividers:
                middle = sum(_VCO_HZ) / 2
                yield cls(
                    clki_div, clkfb_div, min(dividers, key=lambda divider: abs(output * divider - middle))
                )

    def _other(self, output: str, input_hz: int, other: OtherClock, clock: Any) -> dict[str, Any]:
        """Ports and parameters of a further output. Its phase counts eighths of the VCO's cycle."""
        divider = self.output_hz(input_hz) * self.clkop_div // other.hz
        whole, eighths = divmod(round(other.degrees / 360 * divider * 8), 8)
        return {
            f"a_FREQUENCY_PIN_{output}": f"{other.hz / 1e6:.9g}",
            f"p_{output}_ENABLE": "ENABLED",
            f"p_{output}_DIV": divider,
            f"p_{output}_CPHASE": divider - 1 + whole,
            f"p_{output}_FPHASE": eighths,
            f"o_{output}": clock,
        }

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

        m.submodules.pin = buffer = io.Buffer("i", pin)
        low = Const(0)
        more: dict[str, Any] = {}
        for output, (other, driven) in zip(_OTHER_OUTPUTS, others):
            more |= self._other(output, input_hz, other, driven)
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{input_hz / 1e6:.9g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.output_hz(input_hz) / 1e6:.9g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=self.clki_div,
            p_CLKFB_DIV=self.clkfb_div,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=self.clkop_div,
            p_CLKOP_CPHASE=self.clkop_div - 1,
            p_CLKOP_FPHASE=0,
            i_RST=low,
            i_STDBY=low,
            i_CLKI=buffer.i,
            i_CLKFB=clock,
            i_PHASESEL0=low,
            i_PHASESEL1=low,
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=low,
            i_ENCLKOP=low,
            o_CLKOP=clock,
            o_LOCK=locked,
            **more,
        )


ECP5 = Family(
    name="ecp5",
    device_prefix="LFE5U",
    find_pll=Ecp5Pll.find,
    ram_bits=18432,
    ram_widths=(36, 18, 9),
    fast_memory=False,
    reset_seconds=20e-6,
    routed_suffix=".config",
    bitstream_suffix=".bit",
    figures={
        "cells": "TRELLIS_COMB",
        "ff": "TRELLIS_FF",
        "ram": "DP16KD",
        "dsp": "MULT18X18D",
        "lutram": "TRELLIS_RAMW",
    },
    flip_flops=None,
    netlist_options=(),
    cell_library=("common_sim.vh", "ccu2c_sim.vh"),
    cell_models=(Path(__file__).with_name("ecp5_cells.v"),),
    # The library's files are compiled together, and need not include one another.
    cell_defines=("NO_INCLUDES",),
)
