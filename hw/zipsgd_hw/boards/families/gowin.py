"""Gowin GW1N and GW2A, by Yosys, nextpnr's himbaechel and Apicula."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from .family import Family, OtherClock, Pll, choose_pll, within

__all__ = ["GOWIN", "GowinPll"]

# Ranges of the phase detector, the voltage-controlled oscillator (VCO) and the output that GW1N-9 and GW2A-18 have in common in
# all speed grades, from the families' data sheets.
_DETECTOR_HZ = (3_000_000, 400_000_000)
_VCO_HZ = (500_000_000, 1_000_000_000)
_OUTPUT_HZ = (4_688_000, 500_000_000)
_OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


@dataclass(frozen=True)
class GowinPll:
    """RPLL: f = input * (fbdiv_sel + 1) / (idiv_sel + 1).

    Parameters
    ----------
    idiv_sel, fbdiv_sel : int
        Dividers of input and feedback, less one, 0 to 63.
    odiv_sel : int
        Divider of the output: the VCO runs at f * odiv_sel.
    """

    idiv_sel: int
    fbdiv_sel: int
    odiv_sel: int

    def output_hz(self, input_hz: int) -> int:
        """See :meth:`.Pll.output_hz`."""
        return input_hz * (self.fbdiv_sel + 1) // (self.idiv_sel + 1)

    @classmethod
    def find(
        cls, input_hz: int, clock_hz: int, at_pad: bool = False, others: Sequence[OtherClock] = ()
    ) -> Pll:
        """Find the settings that make a clock, with the fastest phase detector and the slowest VCO.

        Parameters
        ----------
        input_hz, clock_hz : int
            Frequencies of input and output in hertz.
        at_pad : bool
            Must be False: this family's PLL has no pad of its own.
        others : sequence of OtherClock
            Must be empty.

        Returns
        -------
        Pll
            The settings.

        Raises
        ------
        ValueError
            ``at_pad`` is True, there are ``others``, or no settings make the clock; the message has the nearest clocks.
        """
        if at_pad:
            raise ValueError("pll_pad is for iCE40 boards only: set it to False")
        if others:
            raise ValueError(
                "only one clock of this family's PLL is used, and the board's memory needs another one"
            )
        return choose_pll(cls._candidates(input_hz), input_hz, clock_hz)

    @classmethod
    def _candidates(cls, input_hz: int) -> Iterator[Pll]:
        for idiv, fbdiv, odiv in product(range(1, 65), range(1, 65), _OUTPUT_DIVIDERS):
            output, rest = divmod(input_hz * fbdiv, idiv)
            if rest or not within(_DETECTOR_HZ, input_hz / idiv):
                continue
            if within(_OUTPUT_HZ, output) and within(_VCO_HZ, output * odiv):
                yield cls(idiv - 1, fbdiv - 1, odiv)

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
        return Instance(
            "rPLL",
            p_FCLKIN=f"{input_hz / 1e6:.9g}",
            p_IDIV_SEL=self.idiv_sel,
            p_FBDIV_SEL=self.fbdiv_sel,
            p_ODIV_SEL=self.odiv_sel,
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_CLKFB_SEL="internal",
            i_CLKIN=buffer.i,
            i_CLKFB=low,
            i_RESET=low,
            i_RESET_P=low,
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=clock,
            o_LOCK=locked,
        )


def _chip(family: str) -> str:
    """The chip of a family, by nextpnr's and Apicula's name: one with a memory in its package (R) is the same without."""
    return family.replace("R-", "-")


def _himbaechel(commands: list[list[str]], clock_hz: int) -> list[list[str]]:
    """Amaranth's commands, of which routing is by a program that nextpnr no longer has."""
    synthesise, route, pack = commands
    options = dict(pairwise(route))  # each option has a value
    family, constraints = _chip(options["--family"]), options["--cst"]
    kept = [word for name in ("--device", "--json", "--write") for word in (name, options[name])]
    extra = [word for word in route[1 : route.index("--log")] if word != "--quiet"]
    how = ["--vopt", f"family={family}", "--vopt", f"cst={constraints}", "--freq", f"{clock_hz / 1e6:.9g}"]
    return [synthesise, ["nextpnr-himbaechel-gowin", *extra, *kept, *how], list(map(_chip, pack))]


GOWIN = Family(
    name="gowin",
    device_prefix="GW",
    find_pll=GowinPll.find,
    ram_bits=18432,
    ram_widths=(36, 18, 9),
    fast_memory=False,
    reset_seconds=20e-6,
    routed_suffix=".pnr.json",
    bitstream_suffix=".fs",
    figures={"cells": "LUT4+ALU", "ff": "DFF", "ram": "BSRAM", "dsp": "MULT18X18", "lutram": "RAM16SDP4"},
    flip_flops=None,
    netlist_options=("-noiopads",),
    cell_library=("cells_sim.v",),
    cell_models=(Path(__file__).with_name("gowin_cells.v"),),
    commands=_himbaechel,
)
