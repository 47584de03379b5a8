"""Linear generator of random bits."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.numbers import LFSR_BITS, LFSR_MASK, LFSR_ROTATIONS

__all__ = ["Lfsr"]


class Lfsr(wiring.Component):
    """31 random bits a cycle, for one two-input XOR each (golden model: :mod:`zipsgd.golden.lfsr`).

    Every input acts on ``state`` in the next cycle. Generators stand in a chain for seeding: the ``state`` that ``load``
    replaces is the next generator's seed. Where nothing drives ``back``, the marked state takes no registers.

    Members
    -------
    state : Out(31)
        The current draw.
    advance : In(1)
        Make a new draw.
    mark : In(1)
        Keep the current state.
    back : In(1)
        Return to the state marked last instead of advancing, so that the same numbers are drawn again.
    load : In(1)
        Replace the state by ``seed``; goes before all others.
    seed : In(31)
        The new state, not 0.
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
