"""Carries out frames, in order."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS, Kind
from zipsgd_hw.windows import OFFSET_BITS

from .word_bus import ADDRESS_BITS, DataWord, ReadRequest, Word, WriteRequest

__all__ = ["CommandUnit"]


class CommandUnit(wiring.Component):
    """Carries out WRITE, READ, FENCE and SAMPLES as they come from the ring buffer.

    A byte a cycle: five cycles a frame, then samples pass straight through, and a word is written every four cycles unless
    the bus is slower. Accesses to the windows, and a FENCE as a whole, wait until ``idle``; a write that makes the
    datapath busy must show in ``idle`` within eight cycles.

    What a frame should not hold does no harm: bytes behind the last whole word or behind the count are dropped; a READ
    without a count or with one of 0 or above READ_WORDS does nothing, nor does a frame of an unknown kind. Address bits
    above the windows' are ignored.

    A reset of the component drops the frame under way, whatever it waits for. A word still to come from the bus must then
    come before the next READ asks for one; it is dropped.

    Members
    -------
    stored : In(stream.Signature(8)), frames as :class:`.FrameReceiver` stores them.
    idle : In(1), the datapath is idle.
    write : Out(WriteRequest)
    read : Out(ReadRequest)
    read_data : In(Word)
    bytes : Out(stream.Signature(8)), bytes of samples.
    answer : Out(DataWord)
    done : Out(1), strobe: a frame has been carried out.
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

        left = Signal(range(MAX_PAYLOAD + 1))
        kind = Signal(8)
        sequence = Signal(8)
        word = Signal(32)
        lane = Signal(2)
        address = Signal(ADDRESS_BITS)
        count = Signal(range(READ_WORDS + 1))
        pending = Signal()

        # Bytes are shifted in from the top: after four, the first is at the bottom.
        take, last = Signal(), Signal()
        word_next = Cat(word[8:], self.stored.payload)
        m.d.comb += [take.eq(self.stored.valid & self.stored.ready), last.eq(left == 1)]
        with m.If(take):
            m.d.sync += [word.eq(word_next), lane.eq(lane + 1), left.eq(left - 1)]

        clear = Signal()
        m.d.comb += clear.eq(self.idle | ~(address[OFFSET_BITS:].any() | (kind == Kind.FENCE)))

        m.d.comb += [
            self.bytes.payload.eq(self.stored.payload),
            self.write.valid.eq(pending & clear),
            self.write.payload.address.eq(address),
            self.write.payload.data.eq(word),
            self.read.payload.eq(address),
            self.read_data.ready.eq(1),
            self.answer.payload.sequence.eq(sequence),
            self.answer.payload.word.eq(self.read_data.payload),
            self.answer.payload.last.eq(count == 1),
        ]
        written = Signal()
        m.d.comb += written.eq(self.write.valid & self.write.ready)
        with m.If(written):
            m.d.sync += pending.eq(0)

        with m.FSM():
            with m.State("header"):
                m.d.comb += self.stored.ready.eq(1)
                with m.If(take & (lane == 3)):
                    m.d.sync += [left.eq(word[8:24]), kind.eq(word[24:32]), sequence.eq(self.stored.payload)]
                    m.next = "kind"

            with m.State("kind"):
                with m.Switch(kind):
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
                        m.d.sync += address.eq(word_next)
                        m.next = "count"
                        with m.If(kind == Kind.WRITE):
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
                        m.d.sync += count.eq(word_next)
                        m.next = "rest"
                        with m.If(word_next > READ_WORDS):
                            m.d.sync += count.eq(0)
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

        with m.If(written | (self.answer.valid & self.answer.ready)):
            m.d.sync += address.eq(address + 1)

        return m
