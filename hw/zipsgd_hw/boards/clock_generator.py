"""The datapath's clock and reset, from a board's oscillator."""

from amaranth import ClockDomain, ClockSignal, DomainRenamer, Elaboratable, Module, ResetSignal, Signal
from amaranth.lib.cdc import ResetSynchronizer

from .board import Board
from .power_on_reset import PowerOnReset

__all__ = ["ClockGenerator"]


class ClockGenerator(Elaboratable):
    """Drives clock and reset of the ``sync`` domain, and the clocks that the board's store needs besides.

    The clocks are the board's oscillator through its PLL. The reset lasts until the PLL has been locked for the family's
    ``reset_seconds``, or at most a little more than twice as long. All domains are reset by it, each in its own clock.

    Parameters
    ----------
    board : Board
        Its ``pll``, ``input_hz``, family and clock are used, and its platform's default clock.
    """

    def __init__(self, board: Board):
        self._board = board

    def elaborate(self, platform):
        board = self._board
        m = Module()
        m.domains.por = por = ClockDomain(reset_less=True, local=True)

        pin = platform.request(platform.default_clk, dir="-")
        clock = ClockSignal("sync")
        locked = Signal()
        others = []
        for name, other in board.other_clocks.items():
            m.domains += ClockDomain(name)
            # A stage more than in a queue between clocks: synthesis would join equal ones, which may be far apart
            m.submodules[f"{name}_reset"] = ResetSynchronizer(ResetSignal("sync"), domain=name, stages=3)
            others.append((other, ClockSignal(name)))
        m.submodules.pll = board.pll.instance(
            m, pin, input_hz=board.input_hz, clock=clock, locked=locked, others=others
        )
        m.d.comb += por.clk.eq(clock)

        reset = PowerOnReset(round(board.build.clock_hz * board.family.reset_seconds))
        m.submodules.reset = DomainRenamer("por")(reset)
        m.d.comb += [reset.locked.eq(locked), ResetSignal("sync").eq(reset.reset)]
        return m
