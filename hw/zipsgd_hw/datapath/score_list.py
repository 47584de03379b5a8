"""The list of scores, with which a device predicts."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import ReadWindow

from .bundles import scores_signature

__all__ = ["ScoreList"]


class ScoreList(wiring.Component):
    """The first score of each sample and head of an epoch, in their order; the host reads them while no epoch is under way.

    Latency: a score can be read from two cycles after it came on. Throughput: a score a cycle. Scores beyond ``score_words``
    overwrite the first ones.

    Parameters
    ----------
    build : Build
        Build parameters; ``score_words`` is the number of scores.

    Members
    -------
    start : In(1)
        The next score is the first one of an epoch. None comes in this cycle, or came in the one before.
    scores : In(scores_signature(build))
        Dot products, of which the first of each sample is kept (golden model: :func:`zipsgd.golden.dot.score_words`).
    score_window : In(ReadWindow)
        A score, two cycles after its place; 0 behind the list.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"scores": (32, build.score_words)}

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "start": In(1),
                "scores": In(scores_signature(build)),
                "score_window": In(ReadWindow),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width, words = self.memories(self._build)["scores"]
        m.submodules.memory = memory = block_ram(signed(width), words)
        write, read = memory.write_port(), memory.read_port()
        window = self.score_window
        opens = Signal(init=1)  # the next score is the first of its sample
        z = Signal(signed(width), reset_less=True)  # a cycle late: the memory may lie far from the adder
        kept = Signal()
        place = Signal(range(words))
        inside = Signal()
        with m.If(self.scores.valid):
            m.d.sync += opens.eq(self.scores.last)
        m.d.sync += [
            z.eq(self.scores.z),
            kept.eq(self.scores.valid & opens),
            inside.eq(window.offset < words),
            window.word.eq(Mux(inside, read.data.as_unsigned(), 0)),
        ]
        m.d.comb += [
            write.addr.eq(place),
            write.data.eq(z),
            write.en.eq(kept),
            read.addr.eq(window.offset),
            read.en.eq(1),
        ]
        with m.If(self.start):
            m.d.sync += place.eq(0)
        with m.Elif(kept):
            m.d.sync += place.eq(place + 1)
        return m
