"""Small builds, and the runs they may be asked for."""

from typing import Any

from amaranth.hdl import Mux, Signal, Value
from harness import Harness

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.config import run_layout

__all__ = ["free_epochs", "legal_run", "near_rows", "one_run", "small_build"]

_SMALL = {
    "lanes": 4,
    "update_lanes": 4,
    "max_features": 16,
    "max_batch": 4,
    "p_max": 2,
    "model_bits": 12,
    "q3_bits": 6,
    "delta_bits": 8,
    "gradient_bits": 8,
    "replay_words": 32,
}


def small_build(**parameters: int) -> Build:
    """A build that is small enough for a proof. Its memories and words may be smaller than those of a real build."""
    least = {"replay_words": 32, "rx_bytes": 1024, "delta_bits": 8, "q3_bits": 6}
    if "score_words" in parameters:
        least["score_words"] = 32
    wanted = _SMALL | parameters
    build = Build(**wanted | {name: max(wanted.get(name, low), low) for name, low in least.items()})
    for name in least:
        object.__setattr__(build, name, wanted.get(name, getattr(build, name)))
    return build


def legal_run(harness: Harness, build: Build, run: Any) -> None:
    """Lets ``run`` be any configuration that a host may set, the same in every cycle."""
    harness.m.d.comb += Value.cast(run).eq(harness.constant(run_layout(build).size, "run"))
    words = (run.last_chunk + 1) * (run.last_plane + 1)
    heads = run.last_head + 1 if build.heads > 1 else 1
    harness.assume("models of max_features in all", (run.last_chunk + 1) * heads <= build.max_chunks)
    harness.assume("lanes", run.last_lane < build.lanes)
    harness.assume("at most m_max up planes", run.up_planes <= build.m_max)
    harness.assume("both sides alike with fewer than two", ~run.symmetric | (run.up_planes == 2))
    harness.assume("mini-batches of max_batch", run.last_in_batch < build.max_batch)
    harness.assume("a sample fits into the replay buffer", words <= build.replay_words)
    if build.heads > 1:
        harness.assume("heads", run.last_head < build.heads)
        harness.assume("the last head's last chunk", run.final_chunk == (run.last_chunk + 1) * heads - 1)
    if not build.level_bits:
        harness.assume("at most p_max base planes", run.last_base < build.p_max)
        harness.assume("planes", run.last_plane == run.last_base + run.up_planes)
        harness.assume("shift", run.shift == build.p_max - 1 - run.last_base)


def one_run(
    harness: Harness, build: Build, run: Any, *, chunks: int, bits: int, ups: int, heads: int = 1
) -> None:
    """Sets ``run`` to one configuration, symmetric where it may be."""
    if build.heads > 1:
        harness.m.d.comb += [run.last_head.eq(heads - 1), run.final_chunk.eq(chunks * heads - 1)]
    harness.m.d.comb += [
        run.last_chunk.eq(chunks - 1),
        run.last_lane.eq(build.lanes - 1),
        run.last_base.eq(bits - 1),
        run.last_plane.eq(bits + ups - 1),
        run.up_planes.eq(ups),
        run.shift.eq(build.p_max - bits),
        run.symmetric.eq(ups == 2),
        run.last_in_batch.eq(build.max_batch - 1),
    ]


def free_epochs(harness: Harness, dut: Any, counter: Any) -> None:
    """Replaces a core's sample counter: any sample may end a mini-batch, and any end of a mini-batch may end the epoch."""
    harness.cut(counter)
    m = harness.m
    active, first, last = Signal(), Signal(init=1), Signal()
    m.d.comb += [
        counter.active.eq(active),
        counter.marks.first_of_batch.eq(first),
        counter.marks.last_of_batch.eq(last),
    ]
    ends_batch, ends_epoch = harness.free(1, "ends_batch"), harness.free(1, "ends_epoch")
    with m.If(dut.start):
        m.d.sync += [active.eq(1), first.eq(1), last.eq(ends_batch)]
    with m.Elif(counter.advance):
        m.d.sync += [active.eq(~(last & ends_epoch)), first.eq(last), last.eq(ends_batch)]


def near_rows(harness: Harness, build: Build, dut: Any, parts: Any) -> Value:
    """Lets rows come to an update unit in the gradient unit's order, as near to each other as it can send them, and regardless
    of credits. Returns whether the last row of a mini-batch is addressed."""
    m, run, address = harness.m, dut.run, parts.address
    steps = build.lanes // build.update_lanes
    following, since_end = Signal.like(dut.gradient.chunk), Signal(range(steps + 1), init=steps)
    with m.If(dut.gradient.ends):
        m.d.sync += [following.eq(Mux(following == run.final_chunk, 0, following + 1)), since_end.eq(1)]
    with m.Elif(since_end != steps):
        m.d.sync += since_end.eq(since_end + 1)
    under_way = address.valid
    for row in parts.at:
        under_way |= row.valid
    harness.assume("chunks in order", ~dut.gradient.ends | (dut.gradient.chunk == following))
    harness.assume("no faster than they are updated", ~dut.gradient.ends | (since_end == steps))
    harness.assume(
        "a load by itself", ~dut.load | ~(under_way | dut.loading | dut.gradient.ends | (following != 0))
    )
    harness.assume("and nothing meanwhile", ~(dut.loading & dut.gradient.ends))
    return address.valid & ~address.zero & address.step.all() & (address.chunk == run.final_chunk)
