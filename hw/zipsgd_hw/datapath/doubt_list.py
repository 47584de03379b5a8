"""The list of samples in doubt."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import block_ram
from zipsgd_hw.windows import OFFSET_BITS

__all__ = ["DoubtList"]


class DoubtList(wiring.Component):
    """A bit for each sample of an epoch, 32 a word, to be read while no epoch is under way.

    Members
    -------
    start : In(1), the next sample is the first one.
    valid : In(1), doubt : In(1), of the next sample. Those beyond ``refetch`` overwrite the first ones.
    offset : In(16), word : Out(32): the doubt window, a word a cycle after its place; 0 behind the list.
    """

    def __init__(self, build: Build):
        self._words = build.refetch // 32
        super().__init__(
            {
                "start": In(1),
                "valid": In(1),
                "doubt": In(1),
                "offset": In(OFFSET_BITS),
                "word": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = block_ram(32, self._words)
        write, read = memory.write_port(), memory.read_port()
        bit = Signal(5)
        place = Signal(range(max(2, self._words)))
        gathered = Signal(32)
        inside = Signal()
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(gathered | (self.doubt << bit)),
            write.en.eq(self.valid),
            read.addr.eq(self.offset),
            read.en.eq(1),
            self.word.eq(Mux(inside, read.data, 0)),
        ]
        m.d.sync += inside.eq(self.offset < self._words)
        with m.If(self.start):
            m.d.sync += [bit.eq(0), place.eq(0), gathered.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += [bit.eq(bit + 1), gathered.eq(write.data)]
            with m.If(bit == 31):
                m.d.sync += [place.eq(place + 1), gathered.eq(0)]
        return m
