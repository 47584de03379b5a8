"""The replay buffer: planes wait here until their sample's delta is known."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import block_ram

__all__ = ["ReplayBuffer"]


class ReplayBuffer(wiring.Component):
    """A ring of plane words, written as the dot product takes them and read as the gradient unit asks.

    ``output`` shows the oldest word, from two cycles after its write on; a reader only asks for words written before that,
    which the pipeline between dot product and gradient grants. ``next`` drops it; the one behind it shows in the next cycle.

    Members
    -------
    write : In(1); input : In(L). Not while ``full``.
    full : Out(1).
    next : In(1); output : Out(L).
    """

    def __init__(self, build: Build):
        self._depth = build.replay_words
        super().__init__(
            {
                "write": In(1),
                "input": In(build.lanes),
                "full": Out(1),
                "next": In(1),
                "output": Out(build.lanes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = ceil_log2(self._depth)
        m.submodules.ring = ring = block_ram(len(self.input), self._depth)
        write = ring.write_port()
        read = ring.read_port()
        tail = Signal(bits)
        head = Signal(bits)
        after_head = Signal(bits, init=1)
        level = Signal(bits + 1)
        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(self.input),
            write.en.eq(self.write),
            read.addr.eq(Mux(self.next, after_head, head)),
            read.en.eq(1),
            self.output.eq(read.data),
            self.full.eq(level[-1]),
        ]
        with m.If(self.write):
            m.d.sync += tail.eq(tail + 1)
        with m.If(self.next):
            m.d.sync += [head.eq(after_head), after_head.eq(after_head + 1)]
        with m.If(self.write & ~self.next):
            m.d.sync += level.eq(level + 1)
        with m.Elif(self.next & ~self.write):
            m.d.sync += level.eq(level - 1)
        return m
