"""Fills a store with bytes."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import BURST_WORDS

from .port import burst_command

__all__ = ["StoreLoader"]


class StoreLoader(wiring.Component):
    """Bytes to bursts that follow each other in the store.

    A burst that ``abort`` finds under way, or next, is completed with zeros.

    Throughput: a byte in each cycle, but for a cycle before each word and each burst, if the store does not wait.

    Parameters
    ----------
    build : Build
        Build parameters, with a store.

    Members
    -------
    first : In(burst_bits)
        The first burst; with ``start``.
    bursts : In(burst_bits)
        Bursts to come; with ``start``.
    start : In(1)
        Strobe. Not while ``busy``.
    abort : In(1)
        Strobe: no more bytes will come. Not with ``start``.
    busy : Out(1)
        Bytes are still to come, or a burst is under way.
    bytes : In(stream.Signature(8))
        The bytes.
    command : Out(stream.Signature(burst_command(...))), write : Out(stream.Signature(8 * word_bytes))
        Of :func:`.store_signature`.
    """

    def __init__(self, build: Build):
        self._bytes = build.word_bytes
        super().__init__(
            {
                "first": In(build.burst_bits),
                "bursts": In(build.burst_bits),
                "start": In(1),
                "abort": In(1),
                "busy": Out(1),
                "bytes": In(stream.Signature(8)),
                "command": Out(stream.Signature(burst_command(exact_log2(build.store_bursts)))),
                "write": Out(stream.Signature(8 * self._bytes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        burst_bytes = BURST_WORDS * self._bytes
        left = Signal.like(self.bursts)  # bursts to come
        place = Signal(range(burst_bytes))  # of the next byte in its burst
        aborted = Signal()
        word = self.write.payload
        with m.If(self.abort & self.busy):
            m.d.sync += [aborted.eq(1), left.eq(0)]
        with m.FSM() as states:
            m.d.comb += [self.busy.eq(~states.ongoing("idle")), self.command.payload.write.eq(1)]
            with m.State("idle"):
                m.d.sync += [
                    aborted.eq(0),
                    left.eq(self.bursts),
                    self.command.payload.address.eq(self.first),
                ]
                with m.If(self.start):
                    m.next = "next"
            with m.State("next"):
                m.next = "command"
                with m.If(aborted | (left == 0)):
                    m.next = "idle"
            with m.State("command"):
                m.d.comb += self.command.valid.eq(1)
                with m.If(self.command.ready):
                    m.d.sync += self.command.payload.address.eq(self.command.payload.address + 1)
                    m.next = "bytes"
                    with m.If(~self.abort & ~aborted):
                        m.d.sync += left.eq(left - 1)
            with m.State("bytes"):
                m.d.comb += self.bytes.ready.eq(~aborted)
                with m.If(self.bytes.valid | aborted):
                    byte = self.bytes.payload & ~aborted.replicate(8)
                    m.d.sync += [
                        word.word_select(place[: exact_log2(self._bytes)], 8).eq(byte),
                        place.eq(place + 1),
                    ]
                    with m.If(place % self._bytes == self._bytes - 1):
                        m.next = "word"
            with m.State("word"):
                m.d.comb += self.write.valid.eq(1)
                with m.If(self.write.ready):
                    m.next = "bytes"
                    with m.If(place == 0):
                        m.next = "next"
        return m
