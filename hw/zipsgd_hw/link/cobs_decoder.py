"""Consistent Overhead Byte Stuffing, decoded."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CobsDecoder"]


class CobsDecoder(wiring.Component):
    """Takes the coding of frames off a byte stream.

    A code byte yields the zero that its predecessor's block stood for; so each byte in gives at most one out, and neither a
    frame's first code byte nor the zero that ends it gives any.

    Latency: one cycle. Throughput: a byte in every cycle.

    Members
    -------
    coded : In(stream.Signature(8, always_ready=True))
        Coded bytes.
    data : Out(stream.Signature(8, always_ready=True))
        The bytes of the frame.
    end : Out(1)
        Strobe: the frame has ended; never together with ``data.valid``. Empty frames (zero after zero) give none.
    broken : Out(1)
        With ``end``: the frame was shorter than its last code byte said.
    """

    coded: In(stream.Signature(8, always_ready=True))
    data: Out(stream.Signature(8, always_ready=True))
    end: Out(1)
    broken: Out(1)

    def elaborate(self, platform):
        m = Module()

        left = Signal(8)
        within = Signal()
        implied_zero = Signal()

        m.d.sync += [self.data.valid.eq(0), self.end.eq(0)]
        with m.If(self.coded.valid):
            with m.If(self.coded.payload == 0):
                m.d.sync += [
                    self.end.eq(within),
                    self.broken.eq(left != 0),
                    within.eq(0),
                    implied_zero.eq(0),
                    left.eq(0),
                ]
            with m.Elif(left == 0):
                m.d.sync += [
                    self.data.valid.eq(implied_zero),
                    self.data.payload.eq(0),
                    within.eq(1),
                    implied_zero.eq(self.coded.payload != 0xFF),
                    left.eq(self.coded.payload - 1),
                ]
            with m.Else():
                m.d.sync += [
                    self.data.valid.eq(1),
                    self.data.payload.eq(self.coded.payload),
                    left.eq(left - 1),
                ]

        return m
