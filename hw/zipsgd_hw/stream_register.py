"""A register between two ends of a stream."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamRegister"]


class StreamRegister(wiring.Component):
    """Cuts a long chain of ``ready`` in two: ``output.valid`` and ``input.ready`` both come from flip-flops.

    Latency: one cycle. Throughput: one word in every cycle. The register holds up to two words.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.

    Members
    -------
    input : In(stream.Signature(shape))
        Words to pass on.
    output : Out(stream.Signature(shape))
        The same words, in order.
    """

    def __init__(self, shape: ShapeLike):
        super().__init__({"input": In(stream.Signature(shape)), "output": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        spare = Signal.like(self.output.payload)
        kept = Signal()  # a word waits in spare
        moves = Signal()
        m.d.comb += [self.input.ready.eq(~kept), moves.eq(~self.output.valid | self.output.ready)]
        with m.If(moves):
            m.d.sync += [
                self.output.payload.eq(Mux(kept, spare, self.input.payload)),
                self.output.valid.eq(kept | self.input.valid),
                kept.eq(0),
            ]
        with m.Elif(self.input.valid & ~kept):
            m.d.sync += kept.eq(1)
        with m.If(~kept):
            m.d.sync += spare.eq(self.input.payload)
        return m
