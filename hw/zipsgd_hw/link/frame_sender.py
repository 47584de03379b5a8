"""Frames to the host."""

from amaranth import Cat, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.frames import READ_WORDS, Kind

from .frame_receiver import FRAME_CRC
from .word_bus import DataWord

__all__ = ["FrameSender"]

_DEPTH = 256
# Kind, sequence, words, CRC: one COBS block, whose code byte counts them; then the zero.
assert 2 + 4 * READ_WORDS + 4 <= 254, "a DATA frame must fit in one COBS block"


class FrameSender(wiring.Component):
    """Makes ACK and DATA frames, one at a time.

    A frame is laid out in a memory of 256 bytes, a byte every nine cycles, since its CRC is taken bit by bit. Zeros are coded
    on the way: a zero's place is kept for the distance to the next one, which is written when that has come. The finished
    frame is sent at a byte every two cycles.
    An ACK goes first; wishes for an ACK that come before it is begun make one frame.

    Members
    -------
    ack : In(1), strobe: send an ACK.
    expected : In(8), freed : In(16), last : In(8): what an ACK says, taken when it is begun.
    answer : In(DataWord): words of DATA frames, each taken in 36 cycles.
    drop : In(1), strobe: forget a DATA frame that still waits for words; ``answer`` begins a new one.
    coded : Out(stream.Signature(8)), bytes to the line.
    """

    ack: In(1)
    expected: In(8)
    freed: In(16)
    last: In(8)
    answer: In(DataWord)
    drop: In(1)
    coded: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()

        memory: Memory = Memory(shape=unsigned(8), depth=_DEPTH, init=[])
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port()

        wanted = Signal()
        is_ack = Signal()
        sequence = Signal(8)
        said = Signal(24)
        lane = Signal(2)
        dropped = Signal()

        # A byte of the body is chosen in one cycle, coded and put into the memory in the next, and goes through the CRC bit
        # by bit.
        body, body_valid, body_next = Signal(8), Signal(), Signal(8)
        put, free, in_crc = Signal(), Signal(), Signal()
        bits = Signal(range(9))
        m.d.comb += free.eq(bits == 0)
        m.d.sync += body_valid.eq(put)
        with m.If(put):
            m.d.sync += [body.eq(body_next), bits.eq(Mux(in_crc, 0, 8))]
        with m.Elif(~free):
            m.d.sync += [body.eq(body >> 1), bits.eq(bits - 1)]

        crc = FRAME_CRC(data_width=1).create()
        begin = Signal()
        m.submodules.crc = ResetInserter(begin)(crc)
        m.d.comb += [crc.valid.eq(~free), crc.data.eq(body[0])]

        place, code_place = Signal(8), Signal(8)
        close = Signal()
        is_zero = Signal()
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

        at = Signal(8)
        m.d.comb += [read.addr.eq(at), self.coded.payload.eq(read.data)]

        with m.If(put):
            m.d.sync += lane.eq(lane + 1)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += begin.eq(1)
                m.d.sync += [
                    is_ack.eq(wanted),
                    sequence.eq(Mux(wanted, self.expected, self.answer.payload.sequence)),
                    said.eq(Cat(self.freed, self.last)),
                    place.eq(1),
                    code_place.eq(0),
                    at.eq(0),
                    # Kind and sequence number take it to 0.
                    lane.eq(2),
                    bits.eq(0),
                    in_crc.eq(0),
                    dropped.eq(0),
                ]
                with m.If(wanted | self.answer.valid):
                    m.next = "kind"
                m.d.sync += wanted.eq(0)
            with m.State("kind"):
                m.d.comb += [put.eq(1), body_next.eq(Mux(is_ack, Kind.ACK, Kind.DATA))]
                m.next = "sequence"
            with m.State("sequence"):
                m.d.comb += [put.eq(free), body_next.eq(sequence)]
                with m.If(free):
                    m.next = "words"
                    with m.If(is_ack):
                        m.next = "said"
            with m.State("said"):
                m.d.comb += [put.eq(free), body_next.eq(said.word_select(lane, 8))]
                with m.If(free & lane[1]):
                    m.next = "sum"
            with m.State("words"):
                m.d.comb += [
                    put.eq(free & self.answer.valid),
                    body_next.eq(self.answer.payload.word.word_select(lane, 8)),
                    self.answer.ready.eq(free & (lane == 3)),
                ]
                with m.If(put & self.answer.payload.last & (lane == 3)):
                    m.next = "sum"
                with m.If(self.drop | dropped):
                    m.next = "idle"
            with m.State("sum"):
                m.d.sync += [in_crc.eq(free), lane.eq(0)]
                with m.If(free):
                    m.next = "crc"
            with m.State("crc"):
                m.d.comb += [put.eq(1), body_next.eq(crc.crc.word_select(lane, 8))]
                with m.If(lane == 3):
                    m.next = "last"
            with m.State("last"):
                m.next = "close"
            with m.State("close"):
                m.d.comb += close.eq(1)
                m.d.sync += code_place.eq(place)
                m.next = "end"
            with m.State("end"):
                # The distance from here to here: the zero that ends the frame.
                m.d.comb += close.eq(1)
                m.next = "fetch"
            with m.State("fetch"):
                m.d.comb += read.en.eq(1)
                m.next = "send"
            with m.State("send"):
                m.d.comb += self.coded.valid.eq(1)
                with m.If(self.coded.ready):
                    m.d.sync += at.eq(at + 1)
                    m.next = "fetch"
                    with m.If(at == place):
                        m.next = "idle"
        with m.If(self.ack):
            m.d.sync += wanted.eq(1)
        with m.If(self.drop):
            m.d.sync += dropped.eq(1)

        return m
