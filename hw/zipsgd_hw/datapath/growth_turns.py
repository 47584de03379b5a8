"""Which features grow after a mini-batch."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import RANGE_BITS, SHRINK_SHIFT_MAX, VARIANCE_BITS
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import WriteWindow

from .config import run_layout

__all__ = ["GrowthTurns"]


class GrowthTurns(wiring.Component):
    """The features that have their turn: those whose variance is above the mini-batch's number (golden model:
    :class:`zipsgd.golden.diagonal.Turns`).

    The number matters in one stage only, where it is compared. So it changes right behind a mini-batch's last row, which the
    next mini-batch's rows may follow without a gap.

    Latency: three cycles from ``row`` to ``in_turn``. Throughput: a row a cycle; mini-batches must be three cycles apart.

    Parameters
    ----------
    build : Build
        Build parameters, with a diagonal.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    restart : In(1)
        An epoch begins. Its first ``next`` comes two cycles later at the earliest.
    row : In(range(max_features / U))
        Index of U features in their head.
    grows : In(1)
        The features of ``row`` may grow, one cycle later than it.
    next : In(1)
        ``row`` was a mini-batch's last one, one cycle later than it.
    in_turn : Out(U)
        The features that grow, three cycles later than ``row``.
    mask : Out(15)
        Bits that the growth's shift drops. Constant during a run.
    variance_window : In(WriteWindow)
        A word for each feature of a head. Places behind the memory do nothing. Not while updates are under way.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"variances": (build.update_lanes * VARIANCE_BITS, build.max_features // build.update_lanes)}

    def __init__(self, build: Build):
        self._build = build
        _, self._rows = self.memories(build)["variances"]
        super().__init__(
            {
                "run": In(run_layout(build)),
                "restart": In(1),
                "row": In(range(self._rows)),
                "grows": In(1),
                "next": In(1),
                "in_turn": Out(build.update_lanes),
                "mask": Out(SHRINK_SHIFT_MAX),
                "variance_window": In(WriteWindow),
            }
        )

    def elaborate(self, platform):
        m = Module()
        words = self._fetch(m)
        number = self._count(m)
        may_grow = Signal()
        rest = Signal(VARIANCE_BITS)
        m.d.sync += [
            self.mask.eq((1 << self.run.growth_shift) - 1),
            may_grow.eq(self.grows & (self.run.growth_shift != 0)),
        ]
        beyond = number[VARIANCE_BITS:].any()  # every word
        m.d.comb += rest.eq(~number)
        for lane, word in enumerate(words):
            # A sum carries where the word is above the number; a comparison would turn every lane's word, bit by bit
            m.d.sync += self.in_turn[lane].eq(may_grow & ~beyond & (word + rest)[VARIANCE_BITS])
        return m

    def _fetch(self, m: Module):
        """The variances of ``row``, two cycles later."""
        lanes = self._build.update_lanes
        words = data.ArrayLayout(unsigned(VARIANCE_BITS), lanes)
        m.submodules.variances = variances = block_ram(words, self._rows)
        write, read = variances.write_port(granularity=1), variances.read_port()
        fetched = Signal(words, reset_less=True)
        m.d.sync += fetched.eq(read.data)
        window, lane_bits = self.variance_window, exact_log2(lanes)
        offset = window.payload.offset
        there = window.valid & (offset >> lane_bits < self._rows)
        m.d.comb += [
            read.addr.eq(self.row),
            read.en.eq(1),
            write.addr.eq(offset[lane_bits:]),
            write.data.eq(window.payload.data[:VARIANCE_BITS].replicate(lanes)),
            write.en.eq(Mux(there, 1 << offset[:lane_bits], 0)),
        ]
        return fetched

    def _count(self, m: Module) -> Signal:
        """The number of the row that is compared. The next mini-batch's follows from it in two cycles."""
        number = Signal(RANGE_BITS)
        # A sum is kept as its complement, so that it is compared with the range, and reduced by it, in an addition
        negated = Signal(RANGE_BITS + 1)
        following = Signal(RANGE_BITS)
        reduced = Signal(RANGE_BITS + 2)  # carries where the sum is below the range
        late_next = Signal()
        m.d.comb += reduced.eq(negated + self.run.growth_range)
        m.d.sync += [
            late_next.eq(self.next),
            negated.eq(~(number + self.run.growth_stride)),
            following.eq(~Mux(reduced[-1], negated, reduced)),
        ]
        with m.If(self.restart):
            m.d.sync += number.eq(self.run.growth_start)
        with m.Elif(late_next):
            m.d.sync += number.eq(following)
        return number
