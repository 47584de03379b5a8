"""Sums over the model: how far quantisation may move a score, and how far the model is out of its ball."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import SHRINK_SHIFT_MAX
from zipsgd.protocol.run import Refetch

from .adder_tree import AdderTree
from .bundles import q3_signature, score_bounds_layout
from .config import run_layout

__all__ = ["ModelNorms"]


class ModelNorms(wiring.Component):
    """What refetching and balls need to know of one head's model.

    These are ||Q3||_2^2 and the sums of Q3's negative and positive words, and the bounds and the shift that follow from them
    (golden model: :mod:`zipsgd.golden.bound`, :func:`zipsgd.golden.prox.ball_shift`). Words are summed as the update unit
    writes them, U a cycle, from a model's first chunk on.

    Latency: :meth:`latency` cycles from the last write of an update to ``bounds`` and ``inward``. Throughput: a write in
    every cycle.

    Parameters
    ----------
    build : Build
        Build parameters; ``bounds`` are those of builds with refetching, ``inward`` that of builds with a ball.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    q3 : In(q3_signature(build))
        Writes of Q3.
    bounds : Out(score_bounds_layout(build))
        In units of the last base plane times Q3's last bit.
    inward : Out(4)
        The shift by which the model shrinks towards its ball, 0 within it. It stays until an update is done.
    """

    @staticmethod
    def latency(build: Build) -> int:
        """Cycles from the last write of an update to its ``bounds`` and ``inward``: 7 and the adder tree's."""
        return 2 + AdderTree.latency(build.update_lanes) + 5

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "run": In(run_layout(build)),
                "q3": In(q3_signature(build)),
                "bounds": Out(score_bounds_layout(build)),
                "inward": Out(range(SHRINK_SHIFT_MAX + 1)),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.squares = squares = AdderTree(build.update_lanes, 2 * build.q3_bits)
        valid, opens = self.q3.write.any(), self.q3.write[0] & (self.q3.chunk == 0)
        for _ in range(2 + AdderTree.latency(build.update_lanes)):
            later = Signal(2)
            m.d.sync += later.eq(Cat(valid, opens))
            valid, opens = later
        square = Signal(build.square_bits)
        with m.If(valid):
            m.d.sync += square.eq(Mux(opens, 0, square) + squares.total)

        words = Signal.like(self.q3.words, reset_less=True)
        spared = Signal(build.update_lanes)
        m.d.sync += words.eq(self.q3.words)
        if build.ball:
            # The intercept is not part of what a ball holds, and quantisation does not move it
            lane_bits = exact_log2(build.update_lanes)
            last_lane = self.run.last_lane
            here = (self.q3.chunk == self.run.last_chunk) & self.q3.write.bit_select(
                last_lane >> lane_bits, 1
            )
            spares = here & self.run.spare_last & (self.run.ball_square != 0)
            m.d.sync += spared.eq(Mux(spares, 1 << last_lane[:lane_bits], 0))
            self._shrink_to_ball(m, square)
        for lane, word in enumerate(words):
            m.d.sync += squares.terms[lane].eq(Mux(spared[lane], 0, word * word))
        if build.refetch:
            ends = []
            for name, sign in (("below", -1), ("above", 1)):
                m.submodules[name] = tree = AdderTree(build.update_lanes, build.q3_bits + 1)
                m.d.sync += [
                    tree.terms[lane].eq(Mux(sign * word > 0, sign * word, 0))
                    for lane, word in enumerate(words)
                ]
                end = Signal(build.bound_bits, name=name)
                with m.If(valid):
                    m.d.sync += end.eq(Mux(opens, 0, end) + tree.total)
                ends.append(end)
            self._bound_scores(m, ends, square)
        return m

    def _bound_scores(self, m: Module, ends: list[Signal], square: Signal) -> None:
        """With k half the bits of s, 2^k + s / 2^k is 2 sqrt(s) or a little more."""
        half = Signal(range(len(square) // 2 + 1))
        likely = Signal(len(square) // 2 + 3)
        m.d.sync += [
            half.eq(_bits(m, square, "bits_for_half") >> 1),
            likely.eq((1 << half) + (square >> half) + 1),
            *(
                bound.eq(Mux(self.run.refetch == Refetch.LIKELY, likely, end))
                for bound, end in zip(self.bounds, ends, strict=True)
            ),
        ]

    def _shrink_to_ball(self, m: Module, square: Signal) -> None:
        """The shift from the bits of the square and of its excess over the ball's, once an update's sums are there."""
        ball = self.run.ball_square << self._build.ball_drop
        excess = Signal(signed(max(len(square), len(ball)) + 1))  # a ball may be larger than any model
        shift = Signal(range(len(square) + 3))
        settled = self.q3.done & self.q3.last
        for _ in range(self.latency(self._build) - 1):
            later = Signal()
            m.d.sync += later.eq(settled)
            settled = later
        bits = Signal(range(len(square) + 1))
        m.d.sync += [
            excess.eq(square - ball),
            bits.eq(_bits(m, square, "bits_of_square")),
            shift.eq(bits + 2 - _bits(m, excess[: len(square)], "bits_of_excess")),
        ]
        outside = Signal()
        m.d.sync += outside.eq((excess > 0) & (self.run.ball_square != 0))
        with m.If(settled):
            m.d.sync += self.inward.eq(Mux(outside & (shift <= SHRINK_SHIFT_MAX), shift, 0))


def _bits(m: Module, number: Value, name: str) -> Signal:
    """How many bits an unsigned number has."""
    count = Signal(range(len(number) + 1), name=name)
    for i in range(len(number)):
        with m.If(number[i]):
            m.d.comb += count.eq(i + 1)
    return count
