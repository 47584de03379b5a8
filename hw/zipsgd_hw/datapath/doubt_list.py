"""The list of samples in doubt."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import ReadWindow

__all__ = ["DoubtList"]


class DoubtList(wiring.Component):
    """A bit for each sample of an epoch, 32 a word; the host reads it while no epoch is under way.

    Throughput: a sample a cycle. Samples beyond ``refetch`` overwrite the first ones.

    Parameters
    ----------
    build : Build
        Build parameters; ``refetch`` is the number of bits.

    Members
    -------
    start : In(1)
        The next sample is the first one of an epoch.
    doubt : In(stream.Signature(1, always_ready=True))
        Whether the next sample is in doubt.
    doubt_window : In(ReadWindow)
        A word of the list, two cycles after its place; 0 behind the list.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"doubts": (32, build.refetch // 32)}

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "start": In(1),
                "doubt": In(stream.Signature(1, always_ready=True)),
                "doubt_window": In(ReadWindow),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width, words = self.memories(self._build)["doubts"]
        m.submodules.memory = memory = block_ram(width, words)
        write, read = memory.write_port(), memory.read_port()
        window = self.doubt_window
        bit = Signal(5)
        place = Signal(range(max(2, words)))
        gathered = Signal(32)
        inside = Signal()
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(gathered | (self.doubt.payload << bit)),
            write.en.eq(self.doubt.valid),
            read.addr.eq(window.offset),
            read.en.eq(1),
        ]
        m.d.sync += [inside.eq(window.offset < words), window.word.eq(Mux(inside, read.data, 0))]
        with m.If(self.start):
            m.d.sync += [bit.eq(0), place.eq(0), gathered.eq(0)]
        with m.Elif(self.doubt.valid):
            m.d.sync += [bit.eq(bit + 1), gathered.eq(write.data)]
            with m.If(bit == 31):
                m.d.sync += [place.eq(place + 1), gathered.eq(0)]
        return m
