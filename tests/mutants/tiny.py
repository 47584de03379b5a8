"""A component to try mutants on."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LIMIT", "Tiny"]

LIMIT = 9


class Tiny(wiring.Component):
    """Counts the cycles in which ``up`` is high, up to ``LIMIT``; the first cycle after reset does not count.

    ``clear`` sets the count to 0.
    """

    up: In(1)
    clear: In(1)
    count: Out(4)
    full: Out(1)

    def elaborate(self, platform):
        m = Module()
        first = Signal(init=1)
        m.d.sync += first.eq(0)
        m.d.comb += self.full.eq(self.count == LIMIT)
        with m.If(self.clear | first):
            m.d.sync += self.count.eq(0)
        with m.Elif(self.up & ~self.full):
            m.d.sync += self.count.eq(Mux(self.full, LIMIT, self.count + 1))
        return m
