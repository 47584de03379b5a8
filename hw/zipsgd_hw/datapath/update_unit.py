"""The update unit: Q4, the step, the proximal step, Q3, and the master model."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS, SHRINK_SHIFT_MAX
from zipsgd.protocol.run import Flag
from zipsgd_hw.memory import block_ram
from zipsgd_hw.windows import WindowData, WindowRead, WindowWrite

from .arithmetic import align_draw, fits, saturated
from .config import run_layout
from .lfsr import Lfsr
from .proximal_step import ProximalPhases, ProximalStep

__all__ = ["UpdateUnit"]


def _later(m: Module, value: Value, cycles: int) -> Value:
    """``value`` so many cycles ago."""
    for _ in range(cycles):
        register = Signal.like(value, reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return value


class UpdateUnit(wiring.Component):
    """x <- prox(x - Q4(G)), and Q3(x) anew, U features a cycle (golden model: :mod:`zipsgd.golden.update`).

    A chunk takes L / U cycles. A row of U features passes four stages: add Q4's random bits; subtract; saturate and add Q3's;
    write. In a build with a proximal step, its stages stand before Q3's.

    Attributes
    ----------
    latency : cycles from ``ends`` to ``q3_done``: L / U + 3, and seven more with a proximal step.

    Members
    -------
    run : In(run_layout(build))
    ends, chunk, last_chunk, accumulators : In, of :class:`.GradientUnit`.
    load : In(1), renew all of Q3 from the master, as with a zero gradient.
    loading : Out(1), a load is under way.
    q3_write, q3_chunk, q3_words : Out, to :class:`.BitSerialDot`.
    q3_done : Out(1), with the write that completes a chunk; ``q3_last``: the chunk is the last one of all heads.
    inward : In(4), of :class:`.ModelNorms`; in builds with a ball.
    clear : In(1), of flags.
    flags : Out(5), sticky: GRADIENT, MODEL and Q3.
    seed_load : In(1), seed : In(31), seed_next : Out(31): the LFSRs' chain, lane 0 first.
    window_write : In(stream of offset and data), window_read : In(stream of offset), window_data : Out(stream).
        The master model by feature: written in bursts of whole rows of U from a multiple of U, read in any order. Not while
        updates or a load are under way.
    """

    def __init__(self, build: Build):
        self._build = build
        self._steps = build.lanes // build.update_lanes
        self._prox_stages = ProximalStep.latency if build.prox else 0
        self.latency = self._steps + 3 + self._prox_stages
        layout = run_layout(build)
        chunk = layout["last_chunk"].shape
        super().__init__(
            {
                "run": In(layout),
                "ends": In(1),
                "chunk": In(chunk),
                "last_chunk": In(1),
                "accumulators": In(data.ArrayLayout(signed(build.accumulator_bits), build.lanes)),
                "load": In(1),
                "loading": Out(1),
                "q3_write": Out(self._steps),
                "q3_done": Out(1),
                "q3_last": Out(1),
                "q3_chunk": Out(chunk),
                "q3_words": Out(data.ArrayLayout(signed(build.q3_bits), build.update_lanes)),
                "inward": In(range(SHRINK_SHIFT_MAX + 1)),
                "clear": In(1),
                "flags": Out(5),
                "seed_load": In(1),
                "seed": In(LFSR_BITS),
                "seed_next": Out(LFSR_BITS),
                "window_write": In(WindowWrite),
                "window_read": In(WindowRead),
                "window_data": Out(WindowData),
            }
        )

    def elaborate(self, platform):
        build = self._build
        lanes = build.update_lanes
        m = Module()

        final_chunk = self.run.final_chunk if build.heads > 1 else self.run.last_chunk

        # A load walks over the chunks as the gradient unit does over those of a mini-batch's last sample
        step = Signal(range(max(2, self._steps)))
        walk = Signal.like(self.chunk)
        walk_in_head = Signal.like(self.chunk)
        walk_ends_head = Signal()
        walking = Signal()
        begins = Signal()
        m.d.comb += [
            begins.eq(self.ends | (walking & (step == 0))),
            walk_ends_head.eq(walk_in_head == self.run.last_chunk),
        ]
        with m.If(self.load):
            m.d.sync += [self.loading.eq(1), walking.eq(1), walk.eq(0), walk_in_head.eq(0)]
        with m.Elif(walking & begins):
            m.d.sync += [walk.eq(walk + 1), walk_in_head.eq(Mux(walk_ends_head, 0, walk_in_head + 1))]
            with m.If(walk == final_chunk):
                m.d.sync += walking.eq(0)
        with m.If(self.q3_done & self.q3_last):
            m.d.sync += self.loading.eq(0)

        # Rows: address in one cycle, gradient and master in the next
        master_row = data.ArrayLayout(signed(build.model_bits), lanes)
        rows = build.max_features // lanes
        m.submodules.master = master = block_ram(master_row, rows)
        read = master.read_port()
        write = master.write_port()
        step_bits = exact_log2(self._steps)
        flags = data.StructLayout(
            {"valid": 1, "zero": 1, "last_chunk": 1, "step": step_bits, "chunk": self.chunk.shape()}
        )
        address = Signal(flags)
        held = Signal(flags)
        m.d.comb += [
            address.valid.eq(begins | (step != 0)),
            address.zero.eq(Mux(begins, walking, held.zero)),
            address.last_chunk.eq(
                Mux(begins, Mux(walking, walk_ends_head, self.last_chunk), held.last_chunk)
            ),
            address.chunk.eq(Mux(begins, Mux(walking, walk, self.chunk), held.chunk)),
            address.step.eq(step),
        ]
        m.d.sync += held.eq(address)
        if self._steps > 1:
            with m.If(address.valid):
                m.d.sync += step.eq(step + 1)

        # Four stages, and those of the proximal step
        at = [Signal(flags, name=f"at{i}") for i in range(4 + self._prox_stages)]
        last = at[-1]
        m.d.sync += [later.eq(earlier) for earlier, later in zip([address, *at], at, strict=False)]
        gradient_flag = Signal(lanes)
        model_flag = Signal(lanes)
        q3_flag = Signal(lanes)
        fetched = Signal(master_row, reset_less=True)
        updated = Signal(master_row, reset_less=True)
        fresh = Signal(data.ArrayLayout(signed(build.q3_bits), lanes))
        accumulators = Value.cast(self.accumulators).word_select(
            at[0].step, len(Value.cast(self.accumulators)) // self._steps
        )
        row = data.View(data.ArrayLayout(signed(build.accumulator_bits), lanes), accumulators)
        seed = self.seed
        lane_bits = exact_log2(lanes)
        if build.prox:
            m.submodules.phases = phases = ProximalPhases(build)
            m.d.comb += [
                phases.run.eq(self.run),
                phases.restart.eq(self.load),
                phases.inward.eq(self.inward),
                phases.next.eq(at[0].valid & ~at[0].zero & at[0].step.all() & (at[0].chunk == final_chunk)),
            ]
        if build.heads > 1:
            # Each head draws what the first one did; told in registers, beside at[0], as all LFSRs wait for it
            begins_heads, ends_head = Signal(), Signal()
            m.d.sync += [
                begins_heads.eq(address.valid & (Cat(address.step, address.chunk) == 0)),
                ends_head.eq(
                    address.valid & address.last_chunk & address.step.all() & (address.chunk != final_chunk)
                ),
            ]
        for lane in range(lanes):
            m.submodules[f"lfsr{lane}"] = lfsr = Lfsr()
            m.d.comb += [lfsr.advance.eq(at[0].valid), lfsr.load.eq(self.seed_load), lfsr.seed.eq(seed)]
            if build.heads > 1:
                m.d.comb += [lfsr.mark.eq(begins_heads), lfsr.back.eq(ends_head)]
            seed = lfsr.state

            # Q4
            whole = Signal(
                signed(build.accumulator_bits + 1 - build.q4_drop), reset_less=True, name=f"whole{lane}"
            )
            m.d.sync += [
                whole.eq((row[lane] + align_draw(lfsr.state, build.q4_drop)) >> build.q4_drop),
                fetched[lane].eq(read.data[lane]),
            ]
            with m.If(at[0].zero):
                m.d.sync += whole.eq(0)

            # Step
            stepped = Signal(signed(build.model_bits + 1), reset_less=True, name=f"stepped{lane}")
            m.d.sync += stepped.eq(
                fetched[lane] - (saturated(whole, build.gradient_bits) << build.gradient_shift)
            )
            m.d.comb += gradient_flag[lane].eq(~fits(whole, build.gradient_bits))

            kept = Signal(signed(build.model_bits), name=f"kept{lane}")
            m.d.comb += [
                kept.eq(saturated(stepped, build.model_bits)),
                model_flag[lane].eq(~fits(stepped, build.model_bits)),
            ]

            # Proximal step
            if build.prox:
                m.submodules[f"prox{lane}"] = prox = ProximalStep(build)
                spared = self.run.spare_last & (self.run.last_lane == Cat(C(lane, lane_bits), at[2].step))
                wiring.connect(m, phases.constants, prox.constants)
                m.d.comb += [
                    prox.x.eq(kept),
                    prox.bits.eq(_later(m, lfsr.state[LFSR_BITS - SHRINK_SHIFT_MAX :], 2)),
                    prox.skip.eq(at[2].zero | (at[2].last_chunk & spared)),
                ]
                kept = prox.y

            # Q3
            rounded = Signal(signed(build.q3_bits + 1), reset_less=True, name=f"rounded{lane}")
            q3_bits = _later(m, lfsr.state[build.q4_drop :][: build.q3_drop], 2 + self._prox_stages)
            m.d.sync += [updated[lane].eq(kept), rounded.eq((kept + q3_bits) >> build.q3_drop)]
            m.d.comb += [
                fresh[lane].eq(saturated(rounded, build.q3_bits)),
                q3_flag[lane].eq(~fits(rounded, build.q3_bits)),
            ]
        m.d.comb += self.seed_next.eq(seed)

        gradient_over, model_over = Signal(), Signal()  # a cycle late, which is soon enough
        m.d.sync += [
            gradient_over.eq(at[1].valid & gradient_flag.any()),
            model_over.eq(at[2].valid & model_flag.any()),
        ]
        with m.If(self.clear):
            m.d.sync += self.flags.eq(0)
        with m.Else():
            raised = (
                Mux(gradient_over, Flag.GRADIENT, 0)
                | Mux(model_over, Flag.MODEL, 0)
                | Mux(last.valid & q3_flag.any(), Flag.Q3, 0)
            )
            m.d.sync += self.flags.eq(self.flags | raised)

        # Write, row by row
        m.d.comb += [
            self.q3_write.eq(Mux(last.valid, 1 << last.step, 0)),
            self.q3_done.eq(last.valid & last.step.all()),
            self.q3_last.eq(last.chunk == final_chunk),
            self.q3_chunk.eq(last.chunk),
            self.q3_words.eq(fresh),
        ]

        # Window: a row is shifted in word by word; of one fetched, the words before the one asked for are shifted out
        staging = Signal(len(Value.cast(updated)), reset_less=True)
        store = Signal()
        store_row = Signal(range(rows))
        fetch = Signal()
        before = Signal(max(1, lane_bits))
        offset = self.window_read.payload
        m.d.comb += [
            read.addr.eq(Mux(fetch, offset[lane_bits:], Cat(address.step, address.chunk))),
            read.en.eq(1),
            write.addr.eq(Mux(store, store_row, Cat(last.step, last.chunk))),
            write.data.eq(Mux(store, staging, updated)),
            write.en.eq(store | last.valid),
            self.window_write.ready.eq(1),
            self.window_data.payload.eq(staging[: build.model_bits].as_signed()),
        ]
        word_in = self.window_write.payload
        in_range = (word_in.offset >> lane_bits) < rows
        m.d.sync += [
            store.eq(self.window_write.valid & word_in.offset[:lane_bits].all() & in_range),
            store_row.eq(word_in.offset[lane_bits:]),
        ]
        with m.If(self.window_write.valid):
            m.d.sync += staging.eq(Cat(staging, word_in.data[: build.model_bits])[build.model_bits :])
        with m.FSM():
            with m.State("IDLE"), m.If(self.window_read.valid):
                m.next = "SETTLE"
            with m.State("SETTLE"):  # a row that came just before is written now
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += fetch.eq(1)
                m.next = "WAIT"
            with m.State("WAIT"):
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.sync += [staging.eq(fetched), before.eq(offset[:lane_bits])]
                m.next = "SHIFT"
            with m.State("SHIFT"):
                with m.If(before == 0):
                    m.next = "SHOW"
                with m.Else():
                    m.d.sync += [staging.eq(staging[build.model_bits :]), before.eq(before - 1)]
            with m.State("SHOW"):
                m.d.comb += self.window_data.valid.eq(1)
                with m.If(self.window_data.ready):
                    m.d.comb += self.window_read.ready.eq(1)
                    m.next = "IDLE"
        return m
