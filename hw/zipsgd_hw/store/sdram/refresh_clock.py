"""When an SDRAM's refreshes are due."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["INIT_REFRESHES", "RefreshClock"]

INIT_REFRESHES = 8
"""Refreshes before the mode is set; data sheets ask for two or for eight."""


class RefreshClock(wiring.Component):
    """Asks for refreshes at a fixed rate: first for those of the initialisation, once the chip has had its time.

    As the rate is fixed, a refresh that is late does not make later ones late.

    Latency: the first refresh is due ``ceil(init / interval) * interval`` cycles after a reset.

    Parameters
    ----------
    interval : int
        Cycles from one refresh to the next.
    init : int
        Cycles from a reset to the first refresh, at least.

    Members
    -------
    due : Out(1)
        A refresh is due.
    done : In(1)
        It is under way. At least once in ``interval`` cycles.
    complete : Out(1)
        All refreshes of the initialisation have been asked for.
    """

    due: Out(1)
    done: In(1)
    complete: Out(1)

    def __init__(self, interval: int, init: int):
        self._interval = interval
        self._ticks = -(-init // interval) + INIT_REFRESHES - 1
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(self._interval), init=self._interval - 1)
        left = Signal(range(self._ticks + 1), init=self._ticks)  # ticks until the initialisation is complete
        m.d.comb += self.complete.eq(left == 0)
        m.d.sync += count.eq(count - 1)
        with m.If(self.done):
            m.d.sync += self.due.eq(0)
        with m.If(count == 0):
            m.d.sync += [count.eq(self._interval - 1), self.due.eq(left <= INIT_REFRESHES)]
            with m.If(~self.complete):
                m.d.sync += left.eq(left - 1)
        return m
