"""The update unit: Q4, the step, the proximal step, Q3, and the master model."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS, SHRINK_SHIFT_MAX
from zipsgd.protocol.run import Flag
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import ReadWriteWindow, WriteWindow

from .arithmetic import align_draw, fits, later, saturated
from .bundles import chunk_shape, gradient_signature, q3_signature, tells_active
from .config import run_layout
from .growth_step import GrowthStep
from .growth_turns import GrowthTurns
from .lfsr import Lfsr
from .model_window import ModelWindow
from .proximal_step import ProximalPhases, ProximalStep

__all__ = ["UpdateUnit"]

_STAGES = 4
"""Cycles from the address of a row to its write: add Q4's random bits; subtract; saturate and add Q3's; write."""


class UpdateUnit(wiring.Component):
    """x <- prox(x + grown(x) - Q4(G)), and Q3(x) anew, U features a cycle (golden model: :mod:`zipsgd.golden.update`).

    A chunk takes L / U cycles. A row of U features passes four stages: add Q4's random bits; subtract; saturate and add Q3's;
    write. In a build with a proximal step, its stages stand before Q3's; in one with a diagonal, the growth is added first.

    Latency: :meth:`latency` cycles from ``gradient.ends`` to ``q3.done``. Throughput: a chunk every L / U cycles.

    Parameters
    ----------
    build : Build
        Build parameters.
    fast_memory : bool
        As of :class:`.GradientUnit`. A growth is then computed in a cycle less, in which a row's gradient and its features'
        model would wait for it in registers.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    gradient : In(gradient_signature(build))
        A mini-batch's gradient.
    load : In(1)
        Renew all of Q3 from the master, as with a zero gradient.
    loading : Out(1)
        A load is under way.
    q3 : Out(q3_signature(build))
        Writes of Q3.
    inward : In(4)
        Shift towards the ball, of :class:`.ModelNorms`; in builds with a ball.
    clear : In(1)
        Clear the flags.
    flags : Out(5)
        Sticky bits GRADIENT, MODEL and Q3 of :class:`.Flag`.
    seed : In(stream.Signature(31, always_ready=True))
        New state of lane 0's random generator; each lane's former state goes to the next lane.
    seed_next : Out(stream.Signature(31, always_ready=True))
        The last lane's former state.
    model_window : In(ReadWriteWindow)
        The master model by feature, see :class:`.ModelWindow`. Not while updates or a load are under way.
    variance_window : In(WriteWindow)
        As of :class:`.GrowthTurns`; in builds with a diagonal.
    """

    @staticmethod
    def latency(build: Build, *, fast_memory: bool = False) -> int:
        """Cycles from a chunk's ``gradient.ends`` to its ``q3.done``: L / U + 3, seven more with a proximal step, and two more
        with a diagonal, or one with fast memory."""
        prox = ProximalStep.latency if build.prox else 0
        growth = (not fast_memory) + GrowthStep.latency if build.diagonal else 0
        return build.lanes // build.update_lanes - 1 + _STAGES + prox + growth

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {
            "model": (build.update_lanes * build.model_bits, build.max_features // build.update_lanes),
            **(GrowthTurns.memories(build) if build.diagonal else {}),
        }

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        self._steps = build.lanes // build.update_lanes
        # While a growth is computed, a row's gradient, chosen from a whole chunk's, waits before Q4's random bits are added
        self._gradient_waits = int(bool(build.diagonal) and not fast_memory)
        self._growth_stages = self._gradient_waits + GrowthStep.latency if build.diagonal else 0
        self._more_stages = self._growth_stages + (ProximalStep.latency if build.prox else 0)
        self._row = data.StructLayout(
            {
                "valid": 1,
                "zero": 1,
                "last_chunk": 1,
                "step": exact_log2(self._steps),
                "chunk": chunk_shape(build),
                **({"active": 1} if tells_active(build) else {}),
            }
        )
        seed = stream.Signature(LFSR_BITS, always_ready=True)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "gradient": In(gradient_signature(build)),
                "load": In(1),
                "loading": Out(1),
                "q3": Out(q3_signature(build)),
                "inward": In(range(SHRINK_SHIFT_MAX + 1)),
                "clear": In(1),
                "flags": Out(5),
                "seed": In(seed),
                "seed_next": Out(seed),
                "model_window": In(ReadWriteWindow),
                **({"variance_window": In(WriteWindow)} if build.diagonal else {}),
            }
        )

    def elaborate(self, platform):
        build = self._build
        lanes = build.update_lanes
        m = Module()
        final_chunk = self.run.final_chunk if build.heads > 1 else self.run.last_chunk

        address = self._address_rows(m, final_chunk)
        at = [Signal(self._row, name=f"at{i}") for i in range(_STAGES + self._more_stages)]
        m.d.sync += [behind.eq(before) for before, behind in zip([address, *at], at, strict=False)]

        master_row = data.ArrayLayout(signed(build.model_bits), lanes)
        _, depth = self.memories(build)["model"]
        m.submodules.master = master = block_ram(master_row, depth)
        read = master.read_port()
        write = master.write_port()
        fetched = Signal(master_row, reset_less=True)
        updated = Signal(master_row, reset_less=True)
        m.d.sync += fetched.eq(read.data)
        self._connect_window(m, address, at[-1], read, write, fetched, updated)

        turns = self._take_turns(m, address, at[0], final_chunk) if build.diagonal else None
        phases = self._share_phases(m, at[self._growth_stages], final_chunk) if build.prox else None
        marks = self._mark_heads(m, address, final_chunk) if build.heads > 1 else None
        accumulators = self.gradient.accumulators.as_value()
        accumulators = accumulators.word_select(at[0].step, len(accumulators) // self._steps)
        row = data.View(data.ArrayLayout(signed(build.accumulator_bits), lanes), accumulators)
        saturates = []
        seed = self.seed.payload
        for lane in range(lanes):
            m.submodules[f"lfsr{lane}"] = lfsr = Lfsr()
            m.d.comb += [
                lfsr.advance.eq(at[0].valid),
                lfsr.load.eq(self.seed.valid),
                lfsr.seed.eq(seed),
            ]
            if marks is not None:
                m.d.comb += [lfsr.mark.eq(marks[0]), lfsr.back.eq(marks[1])]
            seed = lfsr.state
            stepped, gradient_over = self._step(m, lane, at, row[lane], lfsr, fetched[lane])
            if turns is not None:
                stepped = self._grow(m, lane, stepped, lfsr, fetched[lane], turns)
            kept = Signal(signed(build.model_bits), name=f"kept{lane}")
            m.d.comb += kept.eq(saturated(stepped, build.model_bits))
            shrunk = kept if phases is None else self._shrink(m, lane, at, kept, lfsr, phases)
            q3_over = self._round_to_q3(m, lane, shrunk, lfsr, updated[lane])
            saturates.append((gradient_over, ~fits(stepped, build.model_bits), q3_over))
        m.d.comb += [self.seed_next.valid.eq(self.seed.valid), self.seed_next.payload.eq(seed)]
        self._raise_flags(m, at, saturates)

        last = at[-1]
        m.d.comb += [
            self.q3.write.eq(Mux(last.valid, 1 << last.step, 0)),
            self.q3.done.eq(last.valid & last.step.all()),
            self.q3.last.eq(last.chunk == final_chunk),
            self.q3.chunk.eq(last.chunk),
        ]
        return m

    def _address_rows(self, m: Module, final_chunk: Value):
        """The row addressed in this cycle; gradient and master are there in the next one.

        A load walks over the chunks as the gradient unit does over those of a mini-batch's last sample.
        """
        gradient = self.gradient
        step = Signal(range(max(2, self._steps)))
        walk = Signal.like(gradient.chunk)
        walk_in_head = Signal.like(gradient.chunk)
        walk_ends_head = Signal()
        walking = Signal()
        begins = Signal()
        m.d.comb += [
            begins.eq(gradient.ends | (walking & (step == 0))),
            walk_ends_head.eq(walk_in_head == self.run.last_chunk),
        ]
        with m.If(self.load):
            m.d.sync += [self.loading.eq(1), walking.eq(1), walk.eq(0), walk_in_head.eq(0)]
        with m.Elif(walking & begins):
            m.d.sync += [walk.eq(walk + 1), walk_in_head.eq(Mux(walk_ends_head, 0, walk_in_head + 1))]
            with m.If(walk == final_chunk):
                m.d.sync += walking.eq(0)
        with m.If(self.q3.done & self.q3.last):
            m.d.sync += self.loading.eq(0)

        address = Signal(self._row)
        held = Signal(self._row)
        m.d.comb += [
            address.eq(held),
            address.valid.eq(begins | (step != 0)),
            address.step.eq(step),
        ]
        with m.If(
            step == 0
        ):  # not begins: what is addressed does not matter if nothing begins, and memory needs it early
            m.d.comb += [
                address.zero.eq(walking),
                address.last_chunk.eq(Mux(walking, walk_ends_head, gradient.last_chunk)),
                address.chunk.eq(Mux(walking, walk, gradient.chunk)),
            ]
            if tells_active(self._build):
                m.d.comb += address.active.eq(gradient.active)
        m.d.sync += held.eq(address)
        if self._steps > 1:
            with m.If(address.valid):
                m.d.sync += step.eq(step + 1)
        return address

    def _connect_window(self, m: Module, address, last, read, write, fetched, updated) -> None:
        """The master's ports, which updates and the host's window share."""
        m.submodules.window = window = ModelWindow(self._build)
        wiring.connect(m, wiring.flipped(self.model_window), window.model_window)
        m.d.comb += [
            read.addr.eq(Mux(window.fetch, window.fetch_row, Cat(address.step, address.chunk))),
            read.en.eq(1),
            write.addr.eq(Mux(window.store, window.store_row, Cat(last.step, last.chunk))),
            write.data.eq(Mux(window.store, window.row, updated)),
            write.en.eq(window.store | last.valid),
            window.fetched.eq(fetched),
        ]

    def _share_phases(self, m: Module, row, final_chunk: Value) -> ProximalPhases:
        """The mini-batch's proximal constants, which all lanes share."""
        m.submodules.phases = phases = ProximalPhases(self._build)
        m.d.comb += [
            phases.run.eq(self.run),
            phases.restart.eq(self.load),
            phases.inward.eq(self.inward),
            phases.next.eq(self._ends_batch(row, final_chunk)),
        ]
        return phases

    def _ends_batch(self, row, final_chunk: Value) -> Value:
        """Whether the row is a mini-batch's last one, for all heads."""
        return row.valid & ~row.zero & row.step.all() & (row.chunk == final_chunk)

    def _take_turns(self, m: Module, address, row, final_chunk: Value) -> GrowthTurns:
        """Which features grow. Variances stand by the chunk in the head, since all heads have the same."""
        build = self._build
        chunk = address.chunk
        if build.heads > 1:
            chunk = Signal.like(address.chunk, name="chunk_in_head")
            with m.If(address.valid & address.step.all()):
                m.d.sync += chunk.eq(Mux(address.last_chunk, 0, chunk + 1))
        m.submodules.turns = turns = GrowthTurns(build)
        wiring.connect(m, wiring.flipped(self.variance_window), turns.variance_window)
        m.d.comb += [
            turns.run.eq(self.run),
            turns.restart.eq(self.load),
            turns.row.eq(Cat(address.step, chunk)),
            turns.grows.eq(~row.zero & (row.active if tells_active(build) else 1)),
            turns.next.eq(self._ends_batch(row, final_chunk)),
        ]
        return turns

    def _mark_heads(self, m: Module, address, final_chunk: Value) -> tuple[Signal, Signal]:
        """Each head draws what the first one did; known in registers, since all random generators wait for it."""
        begins_heads, ends_head = Signal(), Signal()
        m.d.sync += [
            begins_heads.eq(address.valid & (Cat(address.step, address.chunk) == 0)),
            ends_head.eq(
                address.valid & address.last_chunk & address.step.all() & (address.chunk != final_chunk)
            ),
        ]
        return begins_heads, ends_head

    def _step(self, m: Module, lane: int, at, total: Value, lfsr: Lfsr, before: Value) -> tuple[Value, Value]:
        """Q4 and the step: the model less its gradient, two cycles later (three where it waits for the growth), and whether the
        gradient was saturated, a cycle earlier."""
        build = self._build
        wait = self._gradient_waits
        whole = Signal(
            signed(build.accumulator_bits + 1 - build.q4_drop), reset_less=True, name=f"whole{lane}"
        )
        bits = later(m, align_draw(lfsr.state, build.q4_drop), wait)
        m.d.sync += whole.eq((later(m, total, wait) + bits) >> build.q4_drop)
        with m.If(at[wait].zero):
            m.d.sync += whole.eq(0)
        stepped = Signal(signed(build.model_bits + 1), reset_less=True, name=f"stepped{lane}")
        step = saturated(whole, build.gradient_bits) << build.gradient_shift
        m.d.sync += stepped.eq(later(m, before, wait) - step)
        return stepped, ~fits(whole, build.gradient_bits)

    def _grow(
        self, m: Module, lane: int, stepped: Value, lfsr: Lfsr, before: Value, turns: GrowthTurns
    ) -> Value:
        """The growth, added to the model less its gradient."""
        m.submodules[f"growth{lane}"] = growth = GrowthStep(self._build, fast_memory=self._fast_memory)
        m.d.comb += [
            growth.run.eq(self.run),
            growth.mask.eq(turns.mask),
            growth.bits.eq(lfsr.state),
            growth.x.eq(before),
            growth.stepped.eq(stepped),
            growth.in_turn.eq(turns.in_turn[lane]),
        ]
        return growth.y

    def _shrink(self, m: Module, lane: int, at, kept: Signal, lfsr: Lfsr, phases: ProximalPhases) -> Value:
        """The proximal step."""
        row = at[2 + self._growth_stages]
        m.submodules[f"prox{lane}"] = prox = ProximalStep(self._build)
        wiring.connect(m, phases.constants, prox.constants)
        place = Cat(C(lane, exact_log2(self._build.update_lanes)), row.step)
        spared = self.run.spare_last & (self.run.last_lane == place)
        m.d.comb += [
            prox.x.eq(kept),
            prox.bits.eq(later(m, lfsr.state[LFSR_BITS - SHRINK_SHIFT_MAX :], 2 + self._growth_stages)),
            prox.skip.eq(row.zero | (row.last_chunk & spared)),
        ]
        return prox.y

    def _round_to_q3(self, m: Module, lane: int, kept: Value, lfsr: Lfsr, updated: Value) -> Value:
        """Q3 of the new word; returns whether it was saturated."""
        build = self._build
        rounded = Signal(signed(build.q3_bits + 1), reset_less=True, name=f"rounded{lane}")
        q3_bits = later(m, lfsr.state[build.q4_drop :][: build.q3_drop], 2 + self._more_stages)
        m.d.sync += [updated.eq(kept), rounded.eq((kept + q3_bits) >> build.q3_drop)]
        m.d.comb += self.q3.words[lane].eq(saturated(rounded, build.q3_bits))
        return ~fits(rounded, build.q3_bits)

    def _raise_flags(self, m: Module, at, saturates: list[tuple[Value, Value, Value]]) -> None:
        """Sticky flags of all lanes; those of gradient and model come a cycle late, which is soon enough."""
        gradient_flag, model_flag, q3_flag = (Cat(*flags) for flags in zip(*saturates, strict=True))
        gradient_over, model_over = Signal(), Signal()
        m.d.sync += [
            gradient_over.eq(at[1 + self._gradient_waits].valid & gradient_flag.any()),
            model_over.eq(at[2 + self._growth_stages].valid & model_flag.any()),
        ]
        with m.If(self.clear):
            m.d.sync += self.flags.eq(0)
        with m.Else():
            raised = (
                Mux(gradient_over, Flag.GRADIENT, 0)
                | Mux(model_over, Flag.MODEL, 0)
                | Mux(at[-1].valid & q3_flag.any(), Flag.Q3, 0)
            )
            m.d.sync += self.flags.eq(self.flags | raised)
