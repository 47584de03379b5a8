"""The model bound: how far quantisation may move a sample's score."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build, Refetch

from .adder_tree import AdderTree
from .config import run_layout

__all__ = ["ModelBound"]


class ModelBound(wiring.Component):
    """||Q3||_1, or about 2 ||Q3||_2 if that is less (golden model: :mod:`zipsgd.golden.bound`).

    Sizes and squares of the words are summed as the update unit writes them, U a cycle, from a model's first chunk on. Of one
    head only.

    Attributes
    ----------
    latency : cycles from the last write of an update to its ``bound``.

    Members
    -------
    run : In(run_layout(build))
    q3_write, q3_chunk, q3_words : In, of :class:`.UpdateUnit`.
    bound : Out(bound_bits), in units of the last base plane times Q3's last bit.
    """

    def __init__(self, build: Build):
        self._build = build
        self._sizes = AdderTree(build.update_lanes, build.q3_bits + 1)
        self._squares = AdderTree(build.update_lanes, 2 * build.q3_bits)
        self.latency = 1 + self._sizes.latency + 4
        layout = run_layout(build)
        super().__init__(
            {
                "run": In(layout),
                "q3_write": In(build.lanes // build.update_lanes),
                "q3_chunk": In(layout["last_chunk"].shape),
                "q3_words": In(data.ArrayLayout(signed(build.q3_bits), build.update_lanes)),
                "bound": Out(build.bound_bits),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.sizes, m.submodules.squares = sizes, squares = self._sizes, self._squares

        for lane, word in enumerate(self.q3_words):
            m.d.sync += [sizes.terms[lane].eq(abs(word)), squares.terms[lane].eq(word * word)]
        valid, opens = self.q3_write.any(), self.q3_write[0] & (self.q3_chunk == 0)
        for _ in range(1 + sizes.latency):
            later = Signal(2)
            m.d.sync += later.eq(Cat(valid, opens))
            valid, opens = later

        size = Signal(build.bound_bits)
        square = Signal(build.square_bits)
        with m.If(valid):
            m.d.sync += [
                size.eq(Mux(opens, 0, size) + sizes.total),
                square.eq(Mux(opens, 0, square) + squares.total),
            ]

        # With k half the bits of s, 2^k + s / 2^k is 2 sqrt(s) or a little more
        half = Signal(range(build.square_bits // 2 + 1))
        for bit in range(build.square_bits):
            with m.If(square[bit]):
                m.d.sync += half.eq((bit + 1) // 2)
        with m.If(square == 0):
            m.d.sync += half.eq(0)
        likely = Signal(build.square_bits // 2 + 3)
        m.d.sync += [
            likely.eq((1 << half) + (square >> half) + 1),
            self.bound.eq(Mux((self.run.refetch == Refetch.LIKELY) & (likely < size), likely, size)),
        ]
        return m
