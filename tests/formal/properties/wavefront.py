"""The wavefront: a mini-batch's first dot product reads only chunks that the mini-batch before has already updated."""

from typing import Any

from amaranth.hdl import Mux, Signal, Value
from checker import Method, Mutation, Property
from harness import Harness, inside
from small import free_epochs, near_rows, one_run, small_build

from zipsgd.protocol.numbers import PHASE_BITS
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.proximal_step import ProximalPhases
from zipsgd_hw.datapath.update_unit import UpdateUnit

__all__ = ["PROPERTIES"]


def _hazard(
    *, chunks: int, bits: int, ups: int, update_lanes: int = 4, heads: int = 1, fast_memory: bool = False
) -> Harness:
    build = small_build(
        max_features=8 * heads, max_batch=2, replay_words=8, update_lanes=update_lanes, heads=heads
    )
    dut: Any = TrainingCore(build, fast_memory=fast_memory)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    one_run(harness, build, dut.run, chunks=chunks, bits=bits, ups=ups, heads=heads)
    harness.assume("commands while idle", ~(dut.load | dut.start) | ~dut.busy)
    harness.assume("one at a time", ~(dut.load & dut.start))
    position, counter, update = parts.position, parts.counter, parts.update
    free_epochs(harness, dut, counter)

    # A chunk is owed an update from the load, or from the last read by a sample of the mini-batch, until it is updated.
    chunk = harness.constant(len(position.chunk), "chunk")
    owed = Signal(init=1)
    read = parts.take & (position.chunk == chunk)
    renewed = update.q3.done & (update.q3.chunk == chunk)
    with m.If(dut.load):
        m.d.sync += owed.eq(1)
    with m.Elif(read & position.flags.last_plane & counter.marks.last_of_batch):
        m.d.sync += owed.eq(1)
    with m.Elif(renewed):
        m.d.sync += owed.eq(0)
    harness.show("no chunk is read that is owed an update", ~(read & owed))
    harness.show("no chunk is updated that is not owed one", ~renewed | owed)
    harness.show(
        "no update begins while a load is under way", ~(parts.gradient.gradient.ends & update.loading)
    )
    harness.show("credits", parts.credit <= build.max_chunks)
    harness.show("whether there are any", parts.has_credit == (parts.credit != 0))
    harness.show("none is spent that is not there", ~parts.spends | parts.has_credit)
    return harness


def _constants(*, update_lanes: int, chunks: int) -> Harness:
    """Every second mini-batch shrinks the model and has the larger threshold: each differs from the next one in both."""
    build = small_build(update_lanes=update_lanes, heads=2, prox=1)
    dut: Any = UpdateUnit(build)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("run",))
    one_run(harness, build, dut.run, chunks=chunks, bits=1, ups=1, heads=2)
    half = 1 << (PHASE_BITS - 1)
    m.d.comb += [dut.run.shrink_shift.eq(6), dut.run.shrink_rate.eq(half), dut.run.threshold.eq(7 * half)]
    run, at = dut.run, parts.at
    ends = near_rows(harness, build, dut, parts)

    # Shift and threshold of the mini-batch that the current row belongs to
    totals = []
    for rate in (run.shrink_rate, run.threshold):
        phase = Signal(PHASE_BITS)
        total = phase + rate
        with m.If(dut.load):
            m.d.sync += phase.eq(0)
        with m.Elif(ends):
            m.d.sync += phase.eq(total)
        totals.append(total)
    shift = Mux(totals[0][PHASE_BITS], run.shrink_shift, 0)
    constants = parts.phases.constants
    threshold = Signal(constants.thresholds[1].shape())
    m.d.comb += threshold.eq(totals[1] >> PHASE_BITS)

    def meets(what: str, stage: int, own: Value, constant: Value) -> None:
        for _ in range(3 + stage):  # a row is addressed three cycles before its values enter the step
            own = harness.past(own)
        row = at[2 + stage]
        harness.show(f"{what} of its own mini-batch", ~(row.valid & ~row.zero) | (own == constant))

    meets("mask", 0, ((1 << shift) - 1)[: len(constants.mask)], constants.mask)
    meets("coarse shift", 1, shift[2:], constants.coarse)
    meets("fine shift", 2, shift[:2], constants.fine)
    meets("whether it shrinks", 2, shift != 0, constants.shrinks)
    meets("threshold", 4, threshold, constants.thresholds[1])
    meets(
        "threshold of positive values",
        4,
        (-threshold)[: len(threshold)],
        constants.thresholds[0].as_unsigned(),
    )
    return harness


_FIRST_CHUNK_ONLY = Mutation(
    TrainingCore,
    "only a sample's first chunk waits for its update",
    "~(needs_credit & ~has_credit)",
    "~(needs_credit & ~has_credit & position.flags.first_chunk)",
)
_CREDIT_AT_ONCE = Mutation(
    TrainingCore,
    "a chunk's credit comes with its gradient, not with its update",
    "m.Elif(update.q3.done & ~spends)",
    "m.Elif((update.gradient.ends | update.loading & update.q3.done) & ~spends)",
)

_LATE_PHASES = Mutation(
    UpdateUnit,
    "a mini-batch's constants come when the one before it is written",
    "row.valid & ~row.zero & row.step.all() & (row.chunk == final_chunk)",
    "self.q3.done & self.q3.last & ~self.loading",
)
_EARLY_THRESHOLD = Mutation(
    ProximalPhases,
    "the threshold comes with the shift",
    "phase(self.run.threshold, later_next[-1]",
    "phase(self.run.threshold, later_next[0]",
)

_CLAIM = (
    "no chunk of Q3 is read before the finished mini-batch, or the load, has updated it, and none is updated twice; no update "
    "begins during a load; credits stay between 0 and the number of chunks"
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
        "wavefront, fast memory",
        _CLAIM,
        "TrainingCore",
        "fast memory, L = U = 4, 1 chunk, p = 1, m = 0, mini-batches and epochs of any lengths",
        lambda: _hazard(chunks=1, bits=1, ups=0, fast_memory=True),
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
    *(
        Property(
            f"wavefront, two heads{', slow update' if update_lanes == 1 else ''}",
            _CLAIM,
            "TrainingCore",
            f"two heads, L = 4, U = {update_lanes}, chunks of each: {chunks}, p = 1, m = 0, mini-batches and epochs of any "
            "lengths",
            lambda update_lanes=update_lanes, chunks=chunks: _hazard(
                chunks=chunks, bits=1, ups=0, heads=2, update_lanes=update_lanes
            ),
            (_CREDIT_AT_ONCE,),
            method=Method.BMC,
            depth=50,
            mutant_depth=50,
            slow=update_lanes == 1,
        )
        for update_lanes, chunks in ((4, 1), (1, 2))
    ),
    *(
        Property(
            f"proximal constants, {'fast' if update_lanes == 4 else 'slow'} update",
            "every row meets the shift and the threshold of its own mini-batch in every stage of the proximal step",
            "UpdateUnit",
            f"two heads, L = 4, U = {update_lanes}, {chunks} chunk{'s' * (chunks > 1)} each, rows as near as they come",
            lambda update_lanes=update_lanes, chunks=chunks: _constants(
                update_lanes=update_lanes, chunks=chunks
            ),
            (_LATE_PHASES, _EARLY_THRESHOLD),
        )
        for update_lanes, chunks in ((4, 1), (2, 2))
    ),
]
