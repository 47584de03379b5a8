"""Lattice ECP5."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from .family import Family, Pll, choose_pll, within

__all__ = ["ECP5", "Ecp5Pll"]

# Ranges of the phase detector, the voltage-controlled oscillator (VCO) and the output, from the family's data sheet.
_DETECTOR_HZ = (3_125_000, 400_000_000)
_VCO_HZ = (400_000_000, 800_000_000)
_OUTPUT_HZ = (3_125_000, 400_000_000)


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
    def find(cls, input_hz: int, clock_hz: int, at_pad: bool = False) -> Pll:
        """Find the settings that make a clock, with the fastest phase detector and the VCO nearest to the middle of its range.

        Parameters
        ----------
        input_hz, clock_hz : int
            Frequencies of input and output in hertz.
        at_pad : bool
            Must be False: this family's PLL has no pad of its own.

        Returns
        -------
        Pll
            The settings.

        Raises
        ------
        ValueError
            ``at_pad`` is True, or no settings make the clock; the message has the nearest clocks.
        """
        if at_pad:
            raise ValueError("pll_pad is for iCE40 boards only: set it to False")
        return choose_pll(cls._candidates(input_hz), input_hz, clock_hz)

    @classmethod
    def _candidates(cls, input_hz: int) -> Iterator[Pll]:
        for clki_div, clkfb_div in product(range(1, 129), range(1, 129)):
            output, rest = divmod(input_hz * clkfb_div, clki_div)
            if rest or not within(_DETECTOR_HZ, input_hz / clki_div) or not within(_OUTPUT_HZ, output):
                continue
            clkop_div = min(128, round(sum(_VCO_HZ) / 2 / output))
            if within(_VCO_HZ, output * clkop_div):
                yield cls(clki_div, clkfb_div, clkop_div)

    def _shifted(self, clock: Any, degrees: int) -> dict[str, Any]:
        """Ports and parameters of a second output that lags the first one. Its phase counts eighths of the VCO's cycle."""
        whole, eighths = divmod(round(degrees / 360 * self.clkop_div * 8), 8)
        return {
            "p_CLKOS_ENABLE": "ENABLED",
            "p_CLKOS_DIV": self.clkop_div,
            "p_CLKOS_CPHASE": self.clkop_div - 1 + whole,
            "p_CLKOS_FPHASE": eighths,
            "o_CLKOS": clock,
        }

    def instance(
        self,
        m: Any,
        pin: Any,
        *,
        input_hz: int,
        clock: Any,
        locked: Any,
        shifted: Any = None,
        degrees: int = 0,
    ) -> Any:
        """See :meth:`.Pll.instance`."""
        from amaranth import Const, Instance
        from amaranth.lib import io

        m.submodules.pin = buffer = io.Buffer("i", pin)
        low = Const(0)
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
            **({} if shifted is None else self._shifted(shifted, degrees)),
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
