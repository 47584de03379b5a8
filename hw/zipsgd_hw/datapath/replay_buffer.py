"""The replay buffer: planes wait here until their sample's delta is known."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import Memories, block_ram

__all__ = ["ReplayBuffer"]


class ReplayBuffer(wiring.Component):
    """A ring of plane words: the dot product writes them, and the gradient unit reads them in the same order.

    Latency: ``output`` shows the oldest word from two cycles after its write on. A reader may ask only for words written
    before that; the pipeline between dot product and gradient ensures it. Throughput: a write and a read in every cycle.

    Parameters
    ----------
    build : Build
        Build parameters; ``replay_words`` is the number of words.

    Members
    -------
    write : In(1)
        Write ``input``; not while ``full``.
    input : In(L)
        The plane word to write.
    full : Out(1)
        All words are in use.
    next : In(1)
        Drop the oldest word; the word behind it shows in the next cycle.
    output : Out(L)
        The oldest word.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"replay": (build.lanes, build.replay_words)}

    def __init__(self, build: Build):
        self._build = build
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
        width, depth = self.memories(self._build)["replay"]
        bits = ceil_log2(depth)
        m.submodules.ring = ring = block_ram(width, depth)
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
