"""Frames from the host: checked, put in order and stored until they are carried out."""

from amaranth import Module, ResetInserter, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.crc import Algorithm, catalog
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature, connect, flipped

from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import CREDIT_OVERHEAD, MAX_PAYLOAD, Kind
from zipsgd_hw.memory import Memories

from .cobs_decoder import CobsDecoder

__all__ = ["FRAME_CRC", "FrameReceiver", "ReceiveState"]

FRAME_CRC: Algorithm = catalog.CRC32_ISO_HDLC
"""The CRC of a frame, in both directions."""
ReceiveState = Signature({"expected": Out(8), "freed": Out(16), "last": Out(8)})
"""What an ACK says.

``expected``: the sequence number that the next frame must have; ``freed``: bytes of the ring freed since SYNC, modulo 65536;
``last``: the sequence number of the last valid frame, taken or not. ``expected`` and ``last`` change in the same cycle.
"""

_CRC_BYTES = 4
_BESIDE = CREDIT_OVERHEAD + _CRC_BYTES
"""Bytes of the ring that a frame needs beside its payload, if only for a time."""


class FrameReceiver(wiring.Component):
    """Decodes and checks frames, and keeps those that arrive in order in a ring buffer.

    A frame is written to the ring as it comes, before it is known to be valid. At its end, either the pointer that stops the
    reader moves past it, or the write pointer goes back. For each frame the reader gets its payload's length (u16,
    little-endian), kind, sequence number, and payload: CREDIT_OVERHEAD + length bytes. A byte of the ring is free as soon as it
    is read. The CRC is written behind the payload as well, as room permits, and then overwritten.

    Latency: a frame's fate is known two cycles after the zero that ends it has come out of the decoder's register. Throughput:
    a byte in every cycle, in and out.

    Parameters
    ----------
    build : Build
        Build parameters; ``rx_bytes`` is the ring's size.

    Members
    -------
    coded : In(stream.Signature(8, always_ready=True))
        Bytes from the line.
    stored : Out(stream.Signature(8))
        Bytes of taken frames.
    sync : Out(1)
        Strobe: a SYNC has come; the ring is empty in the next cycle, so that ``stored`` may then lose its byte.
    answer : Out(1)
        Strobe: a frame was taken or dropped, and asks for an ACK.
    state : Out(ReceiveState)
        What an ACK says.
    frames_bad : Out(16)
        Frames dropped for bad coding, CRC or length, or because the ring was full; modulo 65536.
    frames_skipped : Out(16)
        Valid frames dropped because they arrived out of order; modulo 65536.
    """

    coded: In(stream.Signature(8, always_ready=True))
    stored: Out(stream.Signature(8))
    sync: Out(1)
    answer: Out(1)
    state: Out(ReceiveState)
    frames_bad: Out(16)
    frames_skipped: Out(16)

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"receive": (8, build.rx_bytes)}

    def __init__(self, build: Build):
        self._bytes = build.rx_bytes
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        address_bits = (self._bytes - 1).bit_length()

        m.submodules.decoder = decoder = CobsDecoder()
        connect(m, flipped(self.coded), decoder.coded)
        byte, end = decoder.data, decoder.end

        # The CRC starts anew with the reset, which costs less than its own multiplexer.
        crc = FRAME_CRC().create()
        m.submodules.crc = ResetInserter(end)(crc)
        m.d.comb += [crc.valid.eq(byte.valid), crc.data.eq(byte.payload)]

        ring: Memory = Memory(shape=unsigned(8), depth=self._bytes, init=[])
        m.submodules.ring = ring
        write, read = ring.write_port(), ring.read_port()

        # Pointers have one bit more than addresses. The reader's counts freed bytes and has no less.
        freed = Signal(16)
        taken = Signal(address_bits + 1)
        place, is_sync, sequence = self._place_bytes(m, byte)
        offset = Signal.like(place)
        address = Signal(address_bits + 1)
        m.d.comb += [address.eq(taken + offset), offset.eq(place)]
        missing, full, overrun = self._find_room(m, byte, address, freed)

        # In the cycle of the end and the one after it, in which no byte can come, the length is written to the place left
        # for it; meanwhile the verdict is made.
        length = Signal.like(place)
        sized, ended = Signal(), Signal()
        m.d.comb += [
            length.eq(place - _BESIDE),
            sized.eq(length <= MAX_PAYLOAD),
            write.addr.eq(address),
            write.data.eq(byte.payload),
            write.en.eq(byte.valid & ~full),
        ]
        m.d.sync += ended.eq(end)
        with m.If(end):
            m.d.comb += [offset.eq(0), write.data.eq(length[:8]), write.en.eq(sized & ~overrun)]
        with m.If(ended):
            m.d.comb += [offset.eq(1), write.data.eq(length[8:]), write.en.eq(sized & ~overrun)]
            m.d.sync += [place.eq(place.init), missing.eq(0)]
        good = crc.match_detected & ~decoder.broken & sized
        take = self._judge(m, end, good, is_sync, sequence, overrun)
        with m.If(take):
            m.d.sync += taken.eq(taken + place - _CRC_BYTES)
        m.d.comb += self.answer.eq(ended)

        # The reader's side: a byte stands in the memory's output register.
        more = Signal()
        m.d.comb += [
            more.eq(freed[: address_bits + 1] != taken),
            read.en.eq(self.stored.ready | ~self.stored.valid),
            read.addr.eq(freed),
            self.stored.payload.eq(read.data),
            self.state.freed.eq(freed),
        ]
        with m.If(read.en):
            m.d.sync += [self.stored.valid.eq(more), freed.eq(freed + more)]

        with m.If(self.sync):
            m.d.sync += [self.stored.valid.eq(0), freed.eq(0), taken.eq(0)]

        return m

    def _place_bytes(self, m: Module, byte) -> tuple[Signal, Signal, Signal]:
        """A byte's place in the ring from the frame's start on; kind and sequence number on the way.

        Kind and sequence number stand behind the room for the length. The place stops where the frame is too long. Short and
        long frames both give a length above the maximum.
        """
        place = Signal(range(2 * MAX_PAYLOAD), init=2)
        is_sync = Signal()
        sequence = Signal(8)
        with m.If(byte.valid & (place != MAX_PAYLOAD + _BESIDE + 1)):
            m.d.sync += place.eq(place + 1)
            with m.If(place == 2):
                m.d.sync += is_sync.eq(byte.payload == Kind.SYNC)
            with m.If(place == 3):
                m.d.sync += sequence.eq(byte.payload)
        return place, is_sync, sequence

    def _find_room(self, m: Module, byte, address: Signal, freed: Signal) -> tuple[Signal, Signal, Value]:
        """Bytes that found no room, whether this one finds none, and whether the frame is lost for it.

        Once a byte has found no room, no later byte of the frame is written. That the last four, the CRC, are missing does no
        harm. A frame of a valid length without further missing bytes has room for its header, too.
        """
        used = Signal.like(address)
        missing = Signal(range(_CRC_BYTES + 2))
        full = Signal()
        m.d.comb += [used.eq(address - freed), full.eq(used[-1] | (missing != 0))]
        with m.If(byte.valid & full & (missing != _CRC_BYTES + 1)):
            m.d.sync += missing.eq(missing + 1)
        overrun = missing == _CRC_BYTES + 1
        return missing, full, overrun

    def _judge(
        self, m: Module, end: Signal, good: Value, is_sync: Signal, sequence: Signal, overrun: Value
    ) -> Signal:
        """Take a frame, drop it, or synchronise; returns the strobe of a frame that is taken."""
        state = self.state
        turn = Signal()
        take, bad, skip = Signal(), Signal(), Signal()
        m.d.comb += turn.eq(sequence == state.expected)
        m.d.sync += [
            self.sync.eq(end & good & is_sync),
            take.eq(end & good & ~is_sync & turn & ~overrun),
            bad.eq(end & (~good | (~is_sync & turn & overrun))),
            skip.eq(end & good & ~is_sync & ~turn),
            self.frames_bad.eq(self.frames_bad + bad),
            self.frames_skipped.eq(self.frames_skipped + skip),
        ]
        with m.If(take):
            m.d.sync += state.expected.eq(state.expected + 1)
        with m.If(take | skip | self.sync):
            m.d.sync += state.last.eq(sequence)
        with m.If(self.sync):
            m.d.sync += state.expected.eq(sequence + 1)
        return take


assert CREDIT_OVERHEAD == 4, "the header in the ring is a u16 and two bytes"
