"""Linear generator of random bits."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.numbers import LFSR_BITS, LFSR_MASK, LFSR_ROTATIONS

__all__ = ["Lfsr"]


class Lfsr(wiring.Component):
    """31 random bits a cycle, for one two-input XOR each (golden model: :mod:`zipsgd.golden.lfsr`).

    ``state`` is what is drawn; ``advance`` makes it new in the next cycle. ``load`` shifts ``seed`` in; the ``state`` that this
    replaces is the next generator's seed, where several stand in a chain.

    With ``mark``, the state at hand is kept; with ``back``, the generator returns to the state last marked instead of
    advancing, so that the same numbers are drawn again. Where nothing drives ``back``, no state is kept.
    """

    state: Out(LFSR_BITS, init=1)
    advance: In(1)
    mark: In(1)
    back: In(1)
    load: In(1)
    seed: In(LFSR_BITS)

    def elaborate(self, platform):
        m = Module()
        first, second = LFSR_ROTATIONS
        marked = Signal.like(self.state, init=1)
        with m.If(self.mark):
            m.d.sync += marked.eq(self.state)
        with m.If(self.load):
            m.d.sync += self.state.eq(self.seed)
        with m.Elif(self.back):
            m.d.sync += self.state.eq(Mux(self.mark, self.state, marked))
        with m.Elif(self.advance):
            m.d.sync += self.state.eq(
                self.state.rotate_left(first) ^ (self.state.rotate_left(second) & LFSR_MASK)
            )
        return m
