"""Queues and ring buffers neither overflow nor underflow."""

from functools import partial
from typing import Any

from amaranth.hdl import Mux, Signal, signed
from checker import Method, Mutation, Property
from harness import Harness, inside
from small import free_epochs, legal_run, one_run, small_build

from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.replay_buffer import ReplayBuffer
from zipsgd_hw.datapath.score_list import ScoreList
from zipsgd_hw.link.frame_receiver import FrameReceiver

__all__ = ["PROPERTIES"]


def _ring() -> Harness:
    """The positions of reader, last taken byte and current byte stay in this order, within one round of the ring."""
    size = 16
    dut = FrameReceiver(small_build(rx_bytes=size))
    parts = inside(dut)
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut)
    harness.cut(parts.crc, parts.crc.match_detected)
    bits = len(parts.taken)
    freed = parts.freed[:bits]
    level, place = Signal(bits), Signal(bits)
    harness.m.d.comb += [level.eq(parts.taken - freed), place.eq(parts.address - freed)]
    settled = ~dut.sync & ~harness.past(dut.sync)
    harness.show("no more is taken than there is room for", level <= size)
    harness.show(
        "what waits is not written over", ~parts.write.en | ~settled | ((place >= level) & (place < size))
    )
    reads = parts.read.en & parts.more
    harness.show("only taken bytes are read", ~reads | (level != 0))
    return harness


def _replay() -> Harness:
    """A marked word comes out when it is its turn, and no word comes out before it was written."""
    build = small_build(replay_words=4)
    dut = ReplayBuffer(build)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut)
    harness.assume("not while full", ~(dut.write & dut.full))
    harness.assume("what was written two cycles ago", ~dut.next | (parts.level > harness.past(dut.write)))
    mark = harness.free(1, "mark")
    waits, ahead, word = Signal(), Signal(4), Signal(build.lanes)
    with m.If(mark & dut.write & ~waits):
        m.d.sync += [waits.eq(1), ahead.eq(parts.level - dut.next), word.eq(dut.input)]
    with m.Elif(waits & dut.next):
        m.d.sync += [ahead.eq(ahead - 1), waits.eq(ahead != 0)]
    harness.show("no more words than there is room for", parts.level <= 4)
    harness.show("words in order", ~(waits & dut.next & (ahead == 0)) | (dut.output == word))
    return harness


def _scores() -> Harness:
    """A marked score is in its place of the list until another one takes it."""
    build = small_build(score_words=4)
    dut = ScoreList(build)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut)
    scores, window = dut.scores, dut.score_window
    harness.assume("no score comes with the start", ~dut.start | ~(scores.valid | harness.past(scores.valid)))
    mark = harness.free(1, "mark")
    opens, comes = Signal(init=1), Signal()
    count, place = Signal(2), Signal(2)
    waits, settled = Signal(), Signal()
    word = Signal(signed(32))
    m.d.comb += comes.eq(scores.valid & opens)
    with m.If(scores.valid):
        m.d.sync += opens.eq(scores.last)
    m.d.sync += [count.eq(Mux(dut.start, 0, count + comes)), settled.eq(waits)]
    with m.If(dut.start | (comes & (count == place))):
        m.d.sync += [waits.eq(0), settled.eq(0)]
    with m.If(mark & comes):
        m.d.sync += [waits.eq(1), settled.eq(0), place.eq(count), word.eq(scores.z)]
    reads = harness.past(settled & waits & (window.offset == place), cycles=2)
    due = harness.past(word.as_unsigned(), cycles=2)
    harness.show("a score is in its place", ~reads | (window.word == due))
    harness.show(
        "nothing is behind the list", ~harness.past(window.offset >= 4, cycles=2) | (window.word == 0)
    )
    return harness


def _core(*, fast_memory: bool = False) -> Harness:
    """The queues of the core, for any run of its build."""
    build = small_build(max_features=8, replay_words=8)
    dut: Any = TrainingCore(build, fast_memory=fast_memory)
    parts = inside(dut)
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    legal_run(harness, build, dut.run)
    free_epochs(harness, dut, parts.counter)
    harness.assume("commands while idle", ~(dut.load | dut.start) | ~dut.busy)
    for name in ("labels", "marks", "deltas"):
        queue = getattr(parts, f"{name}_in")
        harness.show(f"{name} never overflows", ~queue.valid | queue.ready)
    harness.show("samples in flight", parts.in_flight <= parts.most)
    harness.show("no sample begins without its marks", ~parts.begins | parts.marks_out.valid)
    harness.show("no z comes without its label", ~parts.loss.label.ready | parts.labels_out.valid)
    harness.show("the replay buffer never overflows", ~parts.take | ~parts.replay.full)
    return harness


def _replayed(*, fast_memory: bool = False) -> Harness:
    """The replay buffer of the core, in one run."""
    build = small_build(max_features=8, max_batch=2, replay_words=8)
    dut: Any = TrainingCore(build, fast_memory=fast_memory)
    parts = inside(dut)
    replay = inside(parts.replay)
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    one_run(harness, build, dut.run, chunks=2, bits=1, ups=1)
    free_epochs(harness, dut, parts.counter)
    harness.assume("commands while idle", ~(dut.load | dut.start) | ~dut.busy)
    harness.show(
        "planes are read only where they were written two cycles ago",
        ~parts.gradient.next | (replay.level > harness.past(parts.take)),
    )
    return harness


_UNCOUNTED = Mutation(
    TrainingCore,
    "samples in flight are not counted",
    "crowded | (spacing != 0)",
    "(spacing != 0)",
)
_FILLED = Mutation(TrainingCore, "the replay buffer is filled", "& ~replay.full", "")
_NO_DELTA = Mutation(
    TrainingCore,
    "a gradient begins without a delta",
    "gradient.sample.valid.eq(deltas_out.valid)",
    "gradient.sample.valid.eq(1)",
)

PROPERTIES = [
    Property(
        "ring",
        "no waiting byte is written over, and no byte is read that was not taken",
        "FrameReceiver",
        "ring of 16 bytes, CRC free",
        _ring,
        (
            Mutation(
                FrameReceiver,
                "a full ring is written to",
                "full.eq(used[-1] | (missing != 0))",
                "full.eq(missing != 0)",
            ),
        ),
        mutant_depth=30,
    ),
    Property(
        "replay buffer",
        "words come out in order, and none is written over",
        "ReplayBuffer",
        "4 words",
        _replay,
        (
            Mutation(
                ReplayBuffer, "it is full too late", "self.full.eq(level[-1])", "self.full.eq(level.all())"
            ),
        ),
    ),
    Property(
        "list of scores",
        "the first score of each sample is in its place until another one takes it, and 0 is read behind the list",
        "ScoreList",
        "4 scores, any z",
        _scores,
        (
            Mutation(
                ScoreList,
                "each z of a sample is kept",
                "kept.eq(self.scores.valid & opens)",
                "kept.eq(self.scores.valid)",
            ),
            Mutation(
                ScoreList,
                "an epoch goes on behind the one before",
                "with m.If(self.start):",
                "with m.If(self.start & ~self.start):",
            ),
            Mutation(
                ScoreList,
                "places repeat behind the list",
                "Mux(inside, read.data.as_unsigned(), 0)",
                "read.data.as_unsigned()",
            ),
        ),
    ),
    *(
        Property(
            f"queues of the core{', fast memory' * fast}",
            "queues of labels and marks neither overflow nor underflow; those of deltas and planes do not overflow",
            "TrainingCore",
            f"{'fast memory, ' * fast}L = U = 4, 8 features, mini-batches of 4, any run",
            partial(_core, fast_memory=fast),
            (_UNCOUNTED, _FILLED),
        )
        for fast in (False, True)
    ),
    *(
        Property(
            f"replayed planes{', fast memory' * fast}",
            "the gradient reads a plane at the earliest two cycles after it was written",
            "TrainingCore",
            f"{'fast memory, ' * fast}L = U = 4, 2 chunks, p = 1, m = 1, mini-batches and epochs of any lengths",
            partial(_replayed, fast_memory=fast),
            (_NO_DELTA,),
            method=Method.BMC,
            depth=40,
        )
        for fast in (False, True)
    ),
]
