"""Frames from the host: checked, put in order and stored until they are carried out."""

from amaranth import Module, ResetInserter, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.crc import Algorithm, catalog
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import CREDIT_OVERHEAD, MAX_PAYLOAD, Kind

from .cobs_decoder import CobsDecoder

__all__ = ["FRAME_CRC", "FrameReceiver"]

FRAME_CRC: Algorithm = catalog.CRC32_ISO_HDLC
"""The CRC of a frame, both ways."""

_CRC_BYTES = 4
_BESIDE = CREDIT_OVERHEAD + _CRC_BYTES
"""Bytes that a frame wants of the ring beside its payload, if only for a time."""


class FrameReceiver(wiring.Component):
    """Decodes and checks frames, and keeps those whose turn it is in a ring buffer. Takes a byte in every cycle.

    A frame is written to the ring as it comes, before it is known to be good; when it has ended, the pointer behind which
    the reader may not go moves past it, or the write pointer goes back. What the reader gets for a frame is its payload's
    length (u16, little-endian), kind, sequence number, and payload: CREDIT_OVERHEAD + length bytes. A ring byte is free as
    soon as it is read. The CRC is written behind the payload as well, as room permits, and then overwritten.

    A frame's fate is known two cycles after the zero that ends it has come out of the decoder's register.

    Parameters
    ----------
    build : ``rx_bytes`` is the ring's size.

    Members
    -------
    coded : In(stream.Signature(8, always_ready=True)), bytes from the line.
    stored : Out(stream.Signature(8)), bytes of taken frames, up to one a cycle.
    sync : Out(1), strobe: a SYNC has come; the ring is empty in the next cycle, so that ``stored`` may then lose its byte.
    answer : Out(1), strobe: a frame was taken or dropped, and wants an ACK.
    expected : Out(8), the sequence number whose turn it is; last : Out(8), that of the last good frame, taken or not. Both
        change in the same cycle.
    freed : Out(16), ring bytes freed since SYNC, mod 65536.
    frames_bad : Out(16), frames dropped for bad coding, CRC or length, or because the ring was full; mod 65536.
    frames_skipped : Out(16), good frames dropped since another one's turn it was; mod 65536.
    """

    coded: In(stream.Signature(8, always_ready=True))
    stored: Out(stream.Signature(8))
    sync: Out(1)
    answer: Out(1)
    expected: Out(8)
    last: Out(8)
    freed: Out(16)
    frames_bad: Out(16)
    frames_skipped: Out(16)

    def __init__(self, build: Build):
        self._bytes = build.rx_bytes
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        address_bits = (self._bytes - 1).bit_length()

        m.submodules.decoder = decoder = CobsDecoder()
        m.d.comb += [
            decoder.coded.valid.eq(self.coded.valid),
            decoder.coded.payload.eq(self.coded.payload),
        ]
        byte, end = decoder.data, decoder.end

        # The CRC starts anew with the reset, which costs less than its own multiplexer.
        crc = FRAME_CRC().create()
        m.submodules.crc = ResetInserter(end)(crc)
        m.d.comb += [crc.valid.eq(byte.valid), crc.data.eq(byte.payload)]

        # A byte's place in the ring from the frame's start on: kind and sequence number stand behind the room for the
        # length. It stops where the frame is too long. Short and long frames both give a length above the maximum.
        place = Signal(range(2 * MAX_PAYLOAD), init=2)
        length = Signal.like(place)
        m.d.comb += length.eq(place - _BESIDE)
        is_sync = Signal()
        sequence = Signal(8)
        with m.If(byte.valid & (place != MAX_PAYLOAD + _BESIDE + 1)):
            m.d.sync += place.eq(place + 1)
            with m.If(place == 2):
                m.d.sync += is_sync.eq(byte.payload == Kind.SYNC)
            with m.If(place == 3):
                m.d.sync += sequence.eq(byte.payload)

        ring: Memory = Memory(shape=unsigned(8), depth=self._bytes, init=[])
        m.submodules.ring = ring
        write, read = ring.write_port(), ring.read_port()

        # Pointers have one bit more than addresses. The reader's counts freed bytes and has no less.
        freed = Signal(16)
        taken = Signal(address_bits + 1)
        offset = Signal.like(place)
        address = Signal(address_bits + 1)
        m.d.comb += [address.eq(taken + offset), offset.eq(place)]

        # Once a byte has found no room, no later byte of the frame is written. That the last four, the CRC, are missing
        # does no harm. A frame of a good length without further missing bytes has room for its header, too.
        used = Signal(address_bits + 1)
        missing = Signal(range(_CRC_BYTES + 2))
        full = Signal()
        m.d.comb += [used.eq(address - freed), full.eq(used[-1] | (missing != 0))]
        with m.If(byte.valid & full & (missing != _CRC_BYTES + 1)):
            m.d.sync += missing.eq(missing + 1)
        overrun = missing == _CRC_BYTES + 1

        # In the cycle of the end and the one after it, in which no byte can come, the length is written to the place left
        # for it; meanwhile the verdict is made.
        sized, good, turn = Signal(), Signal(), Signal()
        m.d.comb += [
            sized.eq(length <= MAX_PAYLOAD),
            good.eq(crc.match_detected & ~decoder.broken & sized),
            turn.eq(sequence == self.expected),
        ]
        ended = Signal()
        take, bad, skip = Signal(), Signal(), Signal()
        m.d.sync += [
            ended.eq(end),
            self.sync.eq(end & good & is_sync),
            take.eq(end & good & ~is_sync & turn & ~overrun),
            bad.eq(end & (~good | (~is_sync & turn & overrun))),
            skip.eq(end & good & ~is_sync & ~turn),
        ]
        m.d.comb += [write.addr.eq(address), write.data.eq(byte.payload), write.en.eq(byte.valid & ~full)]
        with m.If(end):
            m.d.comb += [offset.eq(0), write.data.eq(length[:8]), write.en.eq(sized & ~overrun)]
        with m.If(ended):
            m.d.comb += [offset.eq(1), write.data.eq(length[8:]), write.en.eq(sized & ~overrun)]
            m.d.sync += [place.eq(place.init), missing.eq(0)]
        with m.If(take):
            m.d.sync += [taken.eq(taken + place - _CRC_BYTES), self.expected.eq(self.expected + 1)]
        with m.If(take | skip | self.sync):
            m.d.sync += self.last.eq(sequence)
        m.d.sync += [
            self.frames_bad.eq(self.frames_bad + bad),
            self.frames_skipped.eq(self.frames_skipped + skip),
        ]
        m.d.comb += self.answer.eq(ended)

        # The reader's side: a byte stands in the memory's output register.
        more = Signal()
        m.d.comb += [
            more.eq(freed[: address_bits + 1] != taken),
            read.en.eq(self.stored.ready | ~self.stored.valid),
            read.addr.eq(freed),
            self.stored.payload.eq(read.data),
            self.freed.eq(freed),
        ]
        with m.If(read.en):
            m.d.sync += [self.stored.valid.eq(more), freed.eq(freed + more)]

        with m.If(self.sync):
            m.d.sync += [
                self.expected.eq(sequence + 1),
                self.stored.valid.eq(0),
                freed.eq(0),
                taken.eq(0),
            ]

        return m


assert CREDIT_OVERHEAD == 4, "the header in the ring is a u16 and two bytes"
