"""Centre and scale of each column."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.raw_words import CENTRE_BITS, SCALE_BITS
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import WriteWindow

__all__ = ["ScaleMemory", "scale_layout"]


def scale_layout(raw_bits: int) -> data.StructLayout:
    """How a column's raw words are scaled.

    Parameters
    ----------
    raw_bits : int
        Bits of a raw word.

    Members
    -------
    centre : signed(raw_bits)
        The number that becomes 0.
    scale : 15
        Its distance from the centre is multiplied by this.
    offset_binary : 1
        The raw words are offset binary.
    """
    return data.StructLayout({"centre": signed(raw_bits), "scale": SCALE_BITS, "offset_binary": 1})


class ScaleMemory(wiring.Component):
    """The table by which raw words are scaled (golden model: :class:`zipsgd.golden.scale_table.ScaleTable`).

    Latency: two steps from ``row`` to ``scale``. Throughput: a row a step.

    Parameters
    ----------
    build : Build
        Build parameters; the table has ``max_features`` rows.
    raw_bits : int
        Bits of a raw word.

    Members
    -------
    step : In(1)
        The words under way take a step.
    row : In(range(max_features))
        Index of the column.
    scale : Out(scale_layout(raw_bits))
        Its row.
    scale_window : In(WriteWindow)
        A row of the table; places behind it do nothing. Not while words are under way.
    """

    @staticmethod
    def memories(build: Build, raw_bits: int) -> Memories:
        """Block RAMs of the component."""
        return {"scales": (scale_layout(raw_bits).size, build.max_features)}

    def __init__(self, build: Build, raw_bits: int):
        self._layout = scale_layout(raw_bits)
        self._raw_bits = raw_bits
        _, self._rows = self.memories(build, raw_bits)["scales"]
        super().__init__(
            {
                "step": In(1),
                "row": In(range(self._rows)),
                "scale": Out(self._layout),
                "scale_window": In(WriteWindow),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.scales = scales = block_ram(self._layout, self._rows)
        write, read = scales.write_port(), scales.read_port()
        window, fetched = self.scale_window, Signal(self._layout, reset_less=True)
        word = window.payload.data
        m.d.comb += [
            write.addr.eq(window.payload.offset),
            write.data.as_value().eq(Cat(word[: self._raw_bits], word[CENTRE_BITS:])),
            write.en.eq(window.valid & (window.payload.offset < self._rows)),
            read.addr.eq(self.row),
            read.en.eq(self.step),
            self.scale.eq(fetched),
        ]
        with m.If(self.step):
            m.d.sync += fetched.eq(read.data)
        return m
