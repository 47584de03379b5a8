"""Frames to the host."""

from dataclasses import dataclass

from amaranth import Cat, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.frames import READ_WORDS, Kind
from zipsgd_hw.memory import Memories

from .frame_receiver import FRAME_CRC, ReceiveState
from .word_bus import DataWord

__all__ = ["FrameSender"]

_DEPTH = 256
# Kind, sequence, words, CRC: one COBS block, whose code byte counts them; then the zero.
assert 2 + 4 * READ_WORDS + 4 <= 254, "a DATA frame must fit in one COBS block"


@dataclass
class _Body:
    """The way of the body's bytes into the memory.

    ``begin``: a frame begins; ``byte``: the next byte; ``put``: it is put; ``free``: one may be put; ``in_crc``: it belongs to
    the CRC, and does not count for it; ``crc``: of the bytes so far.
    """

    begin: Signal
    byte: Signal
    put: Signal
    free: Signal
    in_crc: Signal
    crc: Signal


@dataclass
class _Frame:
    """Where the frame stands.

    ``place``: of the body's next byte; ``code_place``: where the distance to the next zero belongs; ``at``: the byte to send;
    ``fetch``: read it; ``lane``: byte of a word; ``wanted``: an ACK is asked for; ``dropped``: a DATA frame is to be forgotten.
    """

    place: Signal
    code_place: Signal
    at: Signal
    fetch: Signal
    lane: Signal
    wanted: Signal
    dropped: Signal


class FrameSender(wiring.Component):
    """Makes ACK and DATA frames, one at a time.

    A frame is laid out in a memory of 256 bytes. Zeros are coded on the way: a zero's place is kept for the distance to the
    next one, which is written when that has come. Then the frame is sent. An ACK goes first; requests for an ACK that come
    before it is begun make one frame.

    Throughput: a byte is laid out every nine cycles, since its CRC is taken bit by bit, and sent every two.

    Members
    -------
    ack : In(1)
        Strobe: send an ACK.
    said : In(ReceiveState)
        What an ACK says, taken when it is begun.
    answer : In(DataWord)
        Words of DATA frames, each taken in 36 cycles.
    drop : In(1)
        Strobe: forget a DATA frame that still waits for words; ``answer`` begins a new one.
    coded : Out(stream.Signature(8))
        Bytes to the line.
    """

    ack: In(1)
    said: In(ReceiveState)
    answer: In(DataWord)
    drop: In(1)
    coded: Out(stream.Signature(8))

    @staticmethod
    def memories() -> Memories:
        """Block RAMs of the component."""
        return {"send": (8, _DEPTH)}

    def elaborate(self, platform):
        m = Module()

        memory: Memory = Memory(shape=unsigned(8), depth=_DEPTH, init=[])
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port()
        place, code_place, at = Signal(8), Signal(8), Signal(8)
        lane = Signal(2)
        wanted, dropped = Signal(), Signal()
        close = Signal()
        frame = _Frame(place, code_place, at, Signal(name="fetch"), lane, wanted, dropped)
        body = self._code_bytes(m, write, frame, close)
        with m.If(body.put):
            m.d.sync += lane.eq(lane + 1)
        m.d.comb += [read.addr.eq(at), self.coded.payload.eq(read.data)]

        self._make_frame(m, body, frame, close)
        m.d.comb += read.en.eq(frame.fetch)
        with m.If(self.ack):
            m.d.sync += wanted.eq(1)
        with m.If(self.drop):
            m.d.sync += dropped.eq(1)
        return m

    def _code_bytes(self, m: Module, write, frame: _Frame, close: Signal) -> _Body:
        """A byte of the body is chosen in one cycle, coded and written in the next, and goes through the CRC bit by bit."""
        body, body_valid, body_next = Signal(8), Signal(), Signal(8)
        put, free, in_crc = Signal(), Signal(), Signal()
        bits = Signal(range(9))
        begin = Signal()
        m.d.comb += free.eq(bits == 0)
        m.d.sync += body_valid.eq(put)
        with m.If(put):
            m.d.sync += [body.eq(body_next), bits.eq(Mux(in_crc, 0, 8))]
        with m.Elif(~free):
            m.d.sync += [body.eq(body >> 1), bits.eq(bits - 1)]
        with m.If(begin):
            m.d.sync += bits.eq(0)

        crc = FRAME_CRC(data_width=1).create()
        m.submodules.crc = ResetInserter(begin)(crc)
        m.d.comb += [crc.valid.eq(~free), crc.data.eq(body[0])]

        is_zero = Signal()
        place, code_place = frame.place, frame.code_place
        m.d.comb += [
            is_zero.eq(body == 0),
            write.en.eq(body_valid | close),
            write.addr.eq(Mux(is_zero | close, code_place, place)),
            write.data.eq(Mux(is_zero | close, place - code_place, body)),
        ]
        with m.If(body_valid):
            m.d.sync += place.eq(place + 1)
            with m.If(is_zero):
                m.d.sync += code_place.eq(place)
        return _Body(begin, body_next, put, free, in_crc, crc.crc)

    def _make_frame(self, m: Module, body: _Body, frame: _Frame, close: Signal) -> None:
        """The states of a frame: its bytes are put, the last zero's distance and the end are written, and it is sent."""
        put, free = body.put, body.free
        lane, wanted = frame.lane, frame.wanted
        is_ack = Signal()
        sequence = Signal(8)
        said = Signal(24)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += body.begin.eq(1)
                m.d.sync += [
                    is_ack.eq(wanted),
                    sequence.eq(Mux(wanted, self.said.expected, self.answer.payload.sequence)),
                    said.eq(Cat(self.said.freed, self.said.last)),
                    frame.place.eq(1),
                    frame.code_place.eq(0),
                    frame.at.eq(0),
                    # Kind and sequence number take it to 0.
                    lane.eq(2),
                    body.in_crc.eq(0),
                    frame.dropped.eq(0),
                ]
                with m.If(wanted | self.answer.valid):
                    m.next = "kind"
                m.d.sync += wanted.eq(0)
            with m.State("kind"):
                m.d.comb += [put.eq(1), body.byte.eq(Mux(is_ack, Kind.ACK, Kind.DATA))]
                m.next = "sequence"
            with m.State("sequence"):
                m.d.comb += [put.eq(free), body.byte.eq(sequence)]
                with m.If(free):
                    m.next = "words"
                    with m.If(is_ack):
                        m.next = "said"
            with m.State("said"):
                m.d.comb += [put.eq(free), body.byte.eq(said.word_select(lane, 8))]
                with m.If(free & lane[1]):
                    m.next = "sum"
            with m.State("words"):
                m.d.comb += [
                    put.eq(free & self.answer.valid),
                    body.byte.eq(self.answer.payload.word.word_select(lane, 8)),
                    self.answer.ready.eq(free & (lane == 3)),
                ]
                with m.If(put & self.answer.payload.last & (lane == 3)):
                    m.next = "sum"
                with m.If(self.drop | frame.dropped):
                    m.next = "idle"
            with m.State("sum"):
                m.d.sync += [body.in_crc.eq(free), lane.eq(0)]
                with m.If(free):
                    m.next = "crc"
            with m.State("crc"):
                m.d.comb += [put.eq(1), body.byte.eq(body.crc.word_select(lane, 8))]
                with m.If(lane == 3):
                    m.next = "last"
            with m.State("last"):
                m.next = "close"
            with m.State("close"):
                m.d.comb += close.eq(1)
                m.d.sync += frame.code_place.eq(frame.place)
                m.next = "end"
            with m.State("end"):
                # The distance from here to here: the zero that ends the frame.
                m.d.comb += close.eq(1)
                m.next = "fetch"
            with m.State("fetch"):
                m.d.comb += frame.fetch.eq(1)
                m.next = "send"
            with m.State("send"):
                m.d.comb += self.coded.valid.eq(1)
                with m.If(self.coded.ready):
                    m.d.sync += frame.at.eq(frame.at + 1)
                    m.next = "fetch"
                    with m.If(frame.at == frame.place):
                        m.next = "idle"
