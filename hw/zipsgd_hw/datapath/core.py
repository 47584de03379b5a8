"""The training core: planes and labels in, trained model out."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LFSR_BITS
from zipsgd_hw.windows import OFFSET_BITS, LateWrite, WindowData, WindowRead, WindowWrite

from .bit_serial_dot import BitSerialDot
from .config import run_layout
from .doubt_list import DoubtList
from .gradient_unit import GradientUnit
from .loss_unit import LossUnit
from .model_norms import ModelNorms
from .position import PlanePosition, SampleCounter
from .replay_buffer import ReplayBuffer
from .update_unit import UpdateUnit

__all__ = ["TrainingCore"]


def _in_flight(build: Build) -> int:
    """Most samples whose dot product is done and whose gradient has yet to begin.

    Some 15 cycles lie between the two; with so many samples under way, those of mini-batches of 600 cycles and more, which
    take at least 600 / max_batch cycles each, do not have to wait for them.
    """
    return min(8, max(2, build.max_batch // 32))


class TrainingCore(wiring.Component):
    """Mini-batch SGD with the wavefront schedule; does not know where the planes come from.

    ::

        planes ─┬─► BitSerialDot ─► LossUnit ─► deltas ─► GradientUnit ─► UpdateUnit ─┐
                └─► ReplayBuffer ─────────────────────────────┘                       │
                        ▲ Q3(x), chunk by chunk ──────────────────────────────────────┘

    The dot product of a sample runs while the gradient of the one before it does. A mini-batch's first sample may take the
    planes of a chunk only when that chunk's update is written: each chunk written is one *credit*, each first plane of a
    chunk in a mini-batch's first sample takes one. A load writes every chunk, so it also gives the first mini-batch's credits.

    Bubble between the last plane of a mini-batch and the first of the next, with U = L::

        dot pipeline   5 + tree          z_1
        loss unit      1 + 5             z_2, then delta_2
        weights        2                 queue, sum
        gradient       p + m + 1         one chunk's planes
        update         4                 Q4, step, Q3, write
                       ─────────────────
                       p + m + 18 + tree  cycles without a plane; tree = ceil(log2(L) / 2); one less with fast_memory

    A build with refetching takes one cycle more. A polynomial loss of degree d takes 3 d + 5 cycles more, and its samples
    take at least 3 (d + 2) cycles each.

    Parameters
    ----------
    build : the parameters.
    fast_memory : of :class:`.GradientUnit`.

    Members
    -------
    run : In(run_layout(build)), constant while busy.
    planes : In(stream.Signature(L)), labels : In(stream.Signature(signed(16))): a label goes with its sample's last plane. With
        several heads, a sample comes once for each, heads in order; their models stand one behind the other in chunks.
    start : In(1), with ``samples`` : In(32), at least 1: begin an epoch.
    load, clear : In(1).
    busy : Out(1).
    flags, loss : of the units.
    samples_done : Out(32).
    cycles, plane_cycles, starved_cycles : Out(48), since the last clear: cycles of epochs under way; of these, those in which
        a plane was taken; those in which one could have been and none was there.
    coefficient_write : of :class:`.LossUnit`.
    doubt_offset : In(16), doubt_word : Out(32): of :class:`.DoubtList`; 0 without one.
    seed_load, seed; window_write, window_read, window_data : of :class:`.UpdateUnit`.
    """

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        super().__init__(
            {
                "run": In(run_layout(build)),
                "planes": In(stream.Signature(build.lanes)),
                "labels": In(stream.Signature(signed(LABEL_BITS))),
                "start": In(1),
                "samples": In(32),
                "load": In(1),
                "clear": In(1),
                "busy": Out(1),
                "flags": Out(5),
                "loss": Out(signed(64)),
                "samples_done": Out(32),
                "cycles": Out(48),
                "plane_cycles": Out(48),
                "starved_cycles": Out(48),
                "seed_load": In(1),
                "seed": In(LFSR_BITS),
                "coefficient_write": In(LateWrite),
                "doubt_offset": In(OFFSET_BITS),
                "doubt_word": Out(32),
                "window_write": In(WindowWrite),
                "window_read": In(WindowRead),
                "window_data": Out(WindowData),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        m.submodules.position = position = PlanePosition(build, by_head=True)
        m.submodules.counter = counter = SampleCounter(build)
        m.submodules.dot = dot = BitSerialDot(build, fast_memory=self._fast_memory)
        m.submodules.replay = replay = ReplayBuffer(build)
        m.submodules.loss = loss = LossUnit(build)
        m.submodules.gradient = gradient = GradientUnit(build, fast_memory=self._fast_memory)
        m.submodules.update = update = UpdateUnit(build)
        most = _in_flight(build)
        m.submodules.labels = labels = SyncFIFO(width=LABEL_BITS, depth=most)
        m.submodules.marks = marks = SyncFIFO(width=2, depth=most)
        m.submodules.deltas = deltas = SyncFIFO(width=loss.deltas.shape().size, depth=most)
        m.d.comb += [
            position.run.eq(self.run),
            counter.run.eq(self.run),
            dot.run.eq(self.run),
            loss.run.eq(self.run),
            gradient.run.eq(self.run),
            update.run.eq(self.run),
            counter.start.eq(self.start),
            counter.samples.eq(self.samples),
        ]

        # Taking a plane
        credit = Signal(range(build.max_chunks + 1))
        has_credit = Signal()
        in_flight = Signal(range(most + 1))
        last_spacing = self.run.last_spacing if build.polynomial else C(LossUnit.spacing - 1)
        spacing = Signal.like(last_spacing)
        needs_credit = Signal()
        # One head's update must not begin while the load still writes the chunks of others. With a single head it cannot:
        # the first sample takes the credits of all chunks.
        waits = update.loading if build.heads > 1 else C(0)
        can_take = Signal()
        take = Signal()
        last_word = Signal()
        m.d.comb += [
            needs_credit.eq(counter.first_of_batch & position.first_plane),
            can_take.eq(
                counter.active
                & ~waits
                & ~replay.full
                & ~(needs_credit & ~has_credit)
                & ~(position.last_word & ((in_flight == most) | (spacing != 0) | ~self.labels.valid))
            ),
            take.eq(can_take & self.planes.valid),
            last_word.eq(take & position.last_word),
            self.planes.ready.eq(can_take),
            position.advance.eq(take),
            counter.advance.eq(last_word & position.last_head),
        ]
        with m.If(last_word):
            m.d.sync += spacing.eq(last_spacing)
        with m.Elif(spacing != 0):
            m.d.sync += spacing.eq(spacing - 1)
        begins = Signal()
        m.d.comb += begins.eq(gradient.sample.valid & gradient.sample.ready)
        m.d.sync += in_flight.eq(in_flight + last_word - begins)
        spends = take & needs_credit
        with m.If(self.load):
            m.d.sync += [credit.eq(0), has_credit.eq(0)]
        with m.Elif(update.q3_done & ~spends):
            m.d.sync += [credit.eq(credit + 1), has_credit.eq(1)]
        with m.Elif(spends & ~update.q3_done):
            m.d.sync += [credit.eq(credit - 1), has_credit.eq(credit != 1)]

        # Dot product and replay
        m.d.comb += [
            dot.take.eq(take),
            dot.word.eq(self.planes.payload),
            dot.chunk.eq(position.chunk),
            dot.first_chunk.eq(position.first_chunk),
            dot.sign.eq(position.sign),
            dot.base.eq(position.base),
            dot.last_base.eq(position.last_base),
            dot.number.eq(position.number),
            dot.last_word.eq(position.last_word),
            dot.q3_write.eq(update.q3_write),
            dot.q3_chunk.eq(update.q3_chunk),
            dot.q3_words.eq(update.q3_words),
            replay.write.eq(take),
            replay.input.eq(self.planes.payload),
            replay.next.eq(gradient.next),
            gradient.word.eq(replay.output),
        ]

        # Loss: the queues cannot overflow, since no more than so many samples are in flight
        m.d.comb += [
            labels.w_data.eq(self.labels.payload),
            labels.w_en.eq(last_word),
            self.labels.ready.eq(last_word),
            loss.label.payload.eq(labels.r_data),
            loss.label.valid.eq(labels.r_rdy),
            labels.r_en.eq(loss.label.ready),
            loss.z_valid.eq(dot.z_valid),
            loss.z_last.eq(dot.z_last),
            loss.z.eq(dot.z),
            loss.base_z.eq(dot.base_z),
            loss.coefficient_write.valid.eq(self.coefficient_write.valid),
            loss.coefficient_write.payload.eq(self.coefficient_write.payload),
            deltas.w_data.eq(loss.deltas),
            deltas.w_en.eq(loss.delta_valid),
            marks.w_data.eq(Cat(counter.first_of_batch, counter.last_of_batch)),
            marks.w_en.eq(last_word),
            Value.cast(gradient.sample.payload.deltas).eq(deltas.r_data),
            Cat(gradient.sample.payload.first_of_batch, gradient.sample.payload.last_of_batch).eq(
                marks.r_data
            ),
            gradient.sample.valid.eq(deltas.r_rdy),
            deltas.r_en.eq(gradient.sample.ready),
            marks.r_en.eq(begins),
        ]

        # Norms of the model, and samples in doubt
        if build.refetch or build.ball:
            m.submodules.norms = norms = ModelNorms(build)
            m.d.comb += [
                norms.run.eq(self.run),
                norms.q3_write.eq(update.q3_write),
                norms.q3_chunk.eq(update.q3_chunk),
                norms.q3_words.eq(update.q3_words),
                norms.q3_done.eq(update.q3_done),
                norms.q3_last.eq(update.q3_last),
                loss.bounds.eq(norms.bounds),
                update.inward.eq(norms.inward),
            ]
        if build.refetch:
            m.submodules.doubts = doubts = DoubtList(build)
            m.d.comb += [
                doubts.start.eq(self.start),
                doubts.valid.eq(loss.doubt_valid),
                doubts.doubt.eq(loss.doubt),
                doubts.offset.eq(self.doubt_offset),
                self.doubt_word.eq(doubts.word),
            ]

        # Update
        m.d.comb += [
            update.ends.eq(gradient.ends),
            update.chunk.eq(gradient.chunk),
            update.last_chunk.eq(gradient.last_chunk),
            update.accumulators.eq(gradient.accumulators),
            update.load.eq(self.load),
        ]
        wiring.connect(m, wiring.flipped(self.window_write), update.window_write)
        wiring.connect(m, wiring.flipped(self.window_read), update.window_read)
        wiring.connect(m, wiring.flipped(self.window_data), update.window_data)
        updating = Signal()
        with m.If(gradient.finishing):
            m.d.sync += updating.eq(1)
        with m.Elif(update.q3_done & update.q3_last):
            m.d.sync += updating.eq(0)

        # Seeds, flags, counters
        training = Signal()
        m.d.comb += [
            update.seed_load.eq(self.seed_load),
            update.seed.eq(self.seed),
            loss.seed_load.eq(self.seed_load),
            loss.seed.eq(update.seed_next),
            update.clear.eq(self.clear),
            loss.clear.eq(self.clear),
            self.flags.eq(update.flags | loss.flags),
            self.loss.eq(loss.loss),
            training.eq(counter.active | (in_flight != 0) | gradient.busy | updating),
            self.busy.eq(training | update.loading),
        ]
        counted = {
            "cycles": training,
            "plane_cycles": take,
            "starved_cycles": can_take & ~self.planes.valid,
            "samples_done": gradient.sample_done,
        }
        for name, event in counted.items():
            happened = Signal(
                name=f"{name}_happened"
            )  # a cycle late, which keeps the carry chains off the events' paths
            count = getattr(self, name)
            m.d.sync += [happened.eq(event), count.eq(count + happened)]
        with m.If(self.clear):
            m.d.sync += [
                self.cycles.eq(0),
                self.plane_cycles.eq(0),
                self.starved_cycles.eq(0),
                self.samples_done.eq(0),
            ]
        return m
