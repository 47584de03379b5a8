"""Carries out frames, in order."""

from dataclasses import dataclass

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS, Kind
from zipsgd.protocol.registers import WINDOW_OFFSET_BITS

from .word_bus import ADDRESS_BITS, DataWord, ReadRequest, Word, WriteRequest

__all__ = ["CommandUnit"]


@dataclass
class _Frame:
    """The frame under way.

    ``take``: a byte is taken; ``last``: it is the payload's last one; ``left``: bytes of the payload still to come; ``lane``:
    the byte's place in a word; ``word``: the last four bytes; ``word_next``: the same with the byte at hand; ``kind`` and
    ``sequence``: of the header; ``address``: of the word to read or write.
    """

    take: Signal
    last: Signal
    left: Signal
    lane: Signal
    word: Signal
    word_next: Value
    kind: Signal
    sequence: Signal
    address: Signal


class CommandUnit(wiring.Component):
    """Carries out WRITE, READ, FENCE and SAMPLES as they come from the ring buffer.

    Accesses to the windows, and a FENCE as a whole, wait until ``idle``; a write that makes the datapath busy must show in
    ``idle`` within eight cycles.

    Malformed frames do no harm: bytes behind the last whole word or behind the count are dropped; a READ without a count, or
    with one of 0 or above READ_WORDS, does nothing, nor does a frame of an unknown kind. Address bits above the windows' are
    ignored.

    A reset of the component drops the frame under way, whatever it waits for. A word still to come from the bus must then
    come before the next READ asks for one; it is dropped.

    Throughput: a byte a cycle: five cycles a frame, then samples pass straight through, and a word is written every four
    cycles unless the bus is slower.

    Members
    -------
    stored : In(stream.Signature(8))
        Frames as :class:`.FrameReceiver` stores them.
    idle : In(1)
        The datapath is idle.
    write : Out(WriteRequest), read : Out(ReadRequest), read_data : In(Word)
        The word bus.
    bytes : Out(stream.Signature(8))
        Bytes of samples.
    answer : Out(DataWord)
        Words read, for DATA frames.
    done : Out(1)
        Strobe: a frame has been carried out.
    """

    stored: In(stream.Signature(8))
    idle: In(1)
    write: Out(WriteRequest)
    read: Out(ReadRequest)
    read_data: In(Word)
    bytes: Out(stream.Signature(8))
    answer: Out(DataWord)
    done: Out(1)

    def elaborate(self, platform):
        m = Module()
        frame = self._take_bytes(m)
        count = Signal(range(READ_WORDS + 1))
        pending = Signal()
        written = Signal()
        clear = Signal()
        address = frame.address
        m.d.comb += [
            clear.eq(self.idle | ~(address[WINDOW_OFFSET_BITS:].any() | (frame.kind == Kind.FENCE))),
            self.bytes.payload.eq(self.stored.payload),
            self.write.valid.eq(pending & clear),
            self.write.payload.address.eq(address),
            self.write.payload.data.eq(frame.word),
            written.eq(self.write.valid & self.write.ready),
            self.read.payload.eq(address),
            self.read_data.ready.eq(1),
            self.answer.payload.sequence.eq(frame.sequence),
            self.answer.payload.word.eq(self.read_data.payload),
            self.answer.payload.last.eq(count == 1),
        ]
        with m.If(written):
            m.d.sync += pending.eq(0)
        self._carry_out(m, frame, count, pending, written, clear)
        with m.If(written | (self.answer.valid & self.answer.ready)):
            m.d.sync += address.eq(address + 1)
        return m

    def _take_bytes(self, m: Module) -> _Frame:
        """Bytes are shifted in from the top: after four, the first is at the bottom."""
        left = Signal(range(MAX_PAYLOAD + 1))
        kind = Signal(8)
        sequence = Signal(8)
        word = Signal(32)
        lane = Signal(2)
        address = Signal(ADDRESS_BITS)
        take, last = Signal(), Signal()
        word_next = Cat(word[8:], self.stored.payload)
        m.d.comb += [take.eq(self.stored.valid & self.stored.ready), last.eq(left == 1)]
        with m.If(take):
            m.d.sync += [word.eq(word_next), lane.eq(lane + 1), left.eq(left - 1)]
        return _Frame(take, last, left, lane, word, word_next, kind, sequence, address)

    def _carry_out(
        self, m: Module, frame: _Frame, count: Signal, pending: Signal, written: Signal, clear: Signal
    ) -> None:
        """The states of a frame.

        ``count``: words to read; ``pending``: a word waits to be written; ``written``: it is; ``clear``: the access may go on.
        """
        take, last, left, lane, word = frame.take, frame.last, frame.left, frame.lane, frame.word
        with m.FSM():
            with m.State("header"):
                m.d.comb += self.stored.ready.eq(1)
                with m.If(take & (lane == 3)):
                    m.d.sync += [
                        left.eq(word[8:24]),
                        frame.kind.eq(word[24:32]),
                        frame.sequence.eq(self.stored.payload),
                    ]
                    m.next = "kind"

            with m.State("kind"):
                with m.Switch(frame.kind):
                    with m.Case(Kind.WRITE, Kind.READ, Kind.FENCE):
                        m.next = "address"
                    with m.Case(Kind.SAMPLES):
                        m.next = "samples"
                    with m.Default():
                        m.next = "rest"
                with m.If(left == 0):
                    m.next = "done"

            with m.State("samples"):
                m.d.comb += [self.bytes.valid.eq(self.stored.valid), self.stored.ready.eq(self.bytes.ready)]
                with m.If(take & last):
                    m.next = "done"

            with m.State("address"):
                m.d.comb += self.stored.ready.eq(1)
                with m.If(take):
                    with m.If(lane == 3):
                        m.d.sync += frame.address.eq(frame.word_next)
                        m.next = "count"
                        with m.If(frame.kind == Kind.WRITE):
                            m.next = "write"
                    with m.If(last):
                        m.next = "done"

            with m.State("write"):
                m.d.comb += self.stored.ready.eq((left != 0) & (~pending | written))
                with m.If(take & (lane == 3)):
                    m.d.sync += pending.eq(1)
                with m.If((left == 0) & (~pending | written)):
                    m.next = "done"

            with m.State("count"):
                m.d.comb += self.stored.ready.eq(1)
                with m.If(take):
                    with m.If(lane == 3):
                        m.d.sync += count.eq(Mux(frame.word_next > READ_WORDS, 0, frame.word_next))
                        m.next = "rest"
                    with m.Elif(last):
                        m.next = "done"

            with m.State("rest"):
                m.d.comb += self.stored.ready.eq(left != 0)
                with m.If(left == 0):
                    m.next = "read"
                    with m.If(count == 0):
                        m.next = "done"

            with m.State("read"):
                m.d.comb += self.read.valid.eq(clear)
                with m.If(self.read.valid & self.read.ready):
                    m.next = "word"

            with m.State("word"):
                m.d.comb += [
                    self.answer.valid.eq(self.read_data.valid),
                    self.read_data.ready.eq(self.answer.ready),
                ]
                with m.If(self.answer.valid & self.answer.ready):
                    m.d.sync += count.eq(count - 1)
                    m.next = "read"
                    with m.If(self.answer.payload.last):
                        m.next = "done"

            with m.State("done"):
                m.d.comb += self.done.eq(1)
                m.d.sync += [lane.eq(0), count.eq(0)]
                m.next = "header"
