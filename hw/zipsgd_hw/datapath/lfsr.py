"""Leap-forward LFSR."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import LFSR_BITS, LFSR_DRAW

__all__ = ["Lfsr"]


class Lfsr(wiring.Component):
    """An LFSR that leaps 28 steps at once: x^31 + x^3 + 1, one two-input XOR a bit.

    ``bits`` holds 28 random bits; ``advance`` makes them new in the next cycle. ``load`` shifts ``seed`` in, whose old value
    is then the ``state`` that the next LFSR of a chain takes.

    With ``mark``, the state at hand is kept; with ``back``, the LFSR goes to the state last marked, rather than advance: so
    that the same numbers can be drawn again. Where nothing drives ``back``, none is kept.
    """

    bits: Out(LFSR_DRAW)
    advance: In(1)
    mark: In(1)
    back: In(1)
    load: In(1)
    seed: In(LFSR_BITS)
    state: Out(LFSR_BITS, init=1)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.bits.eq(self.state[LFSR_BITS - LFSR_DRAW :])
        fresh = (self.state ^ self.state[3:])[:LFSR_DRAW]
        marked = Signal.like(self.state, init=1)
        with m.If(self.mark):
            m.d.sync += marked.eq(self.state)
        with m.If(self.load):
            m.d.sync += self.state.eq(self.seed)
        with m.Elif(self.back):
            m.d.sync += self.state.eq(Mux(self.mark, self.state, marked))
        with m.Elif(self.advance):
            m.d.sync += self.state.eq(Cat(self.state[LFSR_DRAW:], fresh))
        return m
