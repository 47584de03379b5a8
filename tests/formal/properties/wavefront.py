"""The wavefront's hazard: the dot product of a mini-batch's first sample runs while the one before it is being updated."""

from typing import Any

from amaranth.hdl import Signal
from checker import Method, Mutation, Property
from harness import Harness, inside
from small import free_epochs, one_run, small_build

from zipsgd_hw.datapath.core import TrainingCore

__all__ = ["PROPERTIES"]


def _hazard(*, chunks: int, bits: int, ups: int, update_lanes: int = 4) -> Harness:
    build = small_build(max_features=8, max_batch=2, replay_words=8, update_lanes=update_lanes)
    dut: Any = TrainingCore(build)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    one_run(harness, build, dut.run, chunks=chunks, bits=bits, ups=ups)
    harness.assume("commands while idle", ~(dut.load | dut.start) | ~dut.busy)
    harness.assume("one at a time", ~(dut.load & dut.start))
    position, counter, update = parts.position, parts.counter, parts.update
    free_epochs(harness, dut, counter)

    # A chunk of Q3 is owed from the load, or the last sample's read of it, to its update.
    chunk = harness.constant(len(position.chunk), "chunk")
    owed = Signal(init=1)
    read = parts.take & (position.chunk == chunk)
    renewed = update.q3_done & (update.q3_chunk == chunk)
    with m.If(dut.load):
        m.d.sync += owed.eq(1)
    with m.Elif(read & position.last_plane & counter.last_of_batch):
        m.d.sync += owed.eq(1)
    with m.Elif(renewed):
        m.d.sync += owed.eq(0)
    harness.show("no chunk is read that is owed an update", ~(read & owed))
    harness.show("no chunk is updated that is not owed one", ~renewed | owed)
    harness.show("credits", parts.credit <= build.max_chunks)
    harness.show("whether there are any", parts.has_credit == (parts.credit != 0))
    harness.show("none is spent that is not there", ~parts.spends | parts.has_credit)
    return harness


_FIRST_CHUNK_ONLY = Mutation(
    TrainingCore,
    "only a sample's first chunk waits for its update",
    "~(needs_credit & ~has_credit)",
    "~(needs_credit & ~has_credit & position.first_chunk)",
)
_CREDIT_AT_ONCE = Mutation(
    TrainingCore,
    "a chunk's credit comes with its gradient, not with its update",
    "m.Elif(update.q3_done & ~spends)",
    "m.Elif((gradient.ends | update.loading & update.q3_done) & ~spends)",
)

_CLAIM = (
    "no chunk of Q3 is read before the finished mini-batch, or the load, has updated it, nor updated twice; "
    "credits stay within 0 and the chunks"
)

PROPERTIES = [
    Property(
        "wavefront",
        _CLAIM,
        "TrainingCore",
        "L = U = 4, 2 chunks, p = 2, m = 2, mini-batches and epochs of any lengths",
        lambda: _hazard(chunks=2, bits=2, ups=2),
        (_CREDIT_AT_ONCE,),
        mutant_depth=60,
        slow=True,
    ),
    Property(
        "wavefront, one chunk",
        _CLAIM,
        "TrainingCore",
        "L = U = 4, 1 chunk, p = 1, m = 0, mini-batches and epochs of any lengths",
        lambda: _hazard(chunks=1, bits=1, ups=0),
        (_CREDIT_AT_ONCE,),
        mutant_depth=60,
    ),
    Property(
        "wavefront, slow update",
        _CLAIM,
        "TrainingCore",
        "L = 4, U = 1, 2 chunks, p = 1, m = 1, mini-batches and epochs of any lengths",
        lambda: _hazard(chunks=2, bits=1, ups=1, update_lanes=1),
        (_FIRST_CHUNK_ONLY, _CREDIT_AT_ONCE),
        method=Method.BMC,
        depth=50,
        mutant_depth=50,
    ),
]
