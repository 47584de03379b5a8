"""The datapath's clock and reset, from a board's oscillator."""

from amaranth import (
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io

from .catalogue import Board
from .pll import Ecp5Pll, Ice40Pll
from .power_on_reset import PowerOnReset

__all__ = ["ClockGenerator"]

_RESET_SECONDS = 20e-6
"""Reset after the PLL has locked. iCE40 block RAMs read as zero for some 3 us after configuration."""


class ClockGenerator(Elaboratable):
    """Drives clock and reset of the ``sync`` domain: the board's clock multiplied by the PLL, reset until that has run for
    20 us.

    Parameters
    ----------
    board : its ``pll`` and its platform's default clock are used.
    """

    def __init__(self, board: Board):
        self._board = board

    def elaborate(self, platform):
        m = Module()
        m.domains.por = por = ClockDomain(reset_less=True, local=True)

        pin = platform.request(platform.default_clk, dir="-")
        clock = ClockSignal("sync")
        locked = Signal()
        pll = self._board.pll
        if isinstance(pll, Ice40Pll):
            m.submodules.pll = self._ice40(m, pll, pin, clock, locked)
        else:
            m.submodules.pll = self._ecp5(m, pll, pin, clock, locked)
        m.d.comb += por.clk.eq(clock)

        reset = PowerOnReset(round(self._board.build.clock_hz * _RESET_SECONDS))
        m.submodules.reset = DomainRenamer("por")(reset)
        m.d.comb += [reset.locked.eq(locked), ResetSignal("sync").eq(reset.reset)]
        return m

    @staticmethod
    def _buffered(m, pin):
        m.submodules.pin = buffer = io.Buffer("i", pin)
        return buffer.i

    def _ice40(self, m, pll: Ice40Pll, pin, clock, locked):
        if pll.pad:
            kind, source = "SB_PLL40_PAD", {"io_PACKAGEPIN": pin.io}
        else:
            kind, source = "SB_PLL40_CORE", {"i_REFERENCECLK": self._buffered(m, pin)}
        return Instance(
            kind,
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(pll.divr, 4),
            p_DIVF=Const(pll.divf, 7),
            p_DIVQ=Const(pll.divq, 3),
            p_FILTER_RANGE=Const(pll.filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
            **source,
        )

    def _ecp5(self, m, pll: Ecp5Pll, pin, clock, locked):
        low = Const(0)
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self._board.input_hz / 1e6:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self._board.build.clock_hz / 1e6:g}",
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
            p_CLKI_DIV=pll.clki_div,
            p_CLKFB_DIV=pll.clkfb_div,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=pll.clkop_div,
            p_CLKOP_CPHASE=pll.clkop_div - 1,
            p_CLKOP_FPHASE=0,
            i_RST=low,
            i_STDBY=low,
            i_CLKI=self._buffered(m, pin),
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
        )
