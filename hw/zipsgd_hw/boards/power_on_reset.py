"""Reset after power-up, and after the PLL has lost its lock."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["PowerOnReset"]


class PowerOnReset(wiring.Component):
    """Holds ``reset`` high until ``locked`` has been high for at least ``cycles`` cycles, and at most a few more than twice as
    many.

    The clock domain must have no reset. ``reset`` comes from a flip-flop, so that it rises and falls with the clock.

    Parameters
    ----------
    cycles : int
        Least number of cycles of lock before the reset ends, 1 or more.

    Members
    -------
    locked : In(1)
        Whether the clock is stable; asynchronous, synchronised by two flip-flops here.
    reset : Out(1)
        The reset; high after configuration.
    """

    locked: In(1)
    reset: Out(1, init=1)

    def __init__(self, cycles: int):
        self._cycles = cycles
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        steady = Signal()
        m.submodules.steady = FFSynchronizer(self.locked, steady)
        timer = Signal(range(self._cycles + 1))
        with m.If(~steady):
            m.d.sync += [timer.eq(0), self.reset.eq(1)]
        with m.Elif(~timer.all()):
            m.d.sync += timer.eq(timer + 1)
        with m.Else():
            m.d.sync += self.reset.eq(0)
        return m
