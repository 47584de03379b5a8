"""The training core: planes and labels in, trained model out."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LFSR_BITS, SAMPLES_BITS
from zipsgd_hw.memory import Memories
from zipsgd_hw.stream_queue import stream_queue
from zipsgd_hw.windows import ReadWindow, ReadWriteWindow, WriteWindow

from .bit_serial_dot import BitSerialDot
from .bundles import BATCH_MARKS, EPOCH_COUNTERS, deltas_layout, tells_active
from .config import run_layout
from .doubt_list import DoubtList
from .gradient_unit import GradientUnit
from .loss_unit import LossUnit
from .model_norms import ModelNorms
from .polynomial_evaluator import PolynomialEvaluator
from .position import PlanePosition, SampleCounter
from .replay_buffer import ReplayBuffer
from .score_list import ScoreList
from .update_unit import UpdateUnit

__all__ = ["TrainingCore"]


class TrainingCore(wiring.Component):
    """Mini-batch SGD with the wavefront schedule; does not know where the planes come from.

    ::

        planes ─┬─► BitSerialDot ─► LossUnit ─► deltas ─► GradientUnit ─► UpdateUnit ─┐
                └─► ReplayBuffer ─────────────────────────────┘                       │
                        ▲ Q3(x), chunk by chunk ──────────────────────────────────────┘

    The dot product of a sample runs while the gradient of the one before it does. A mini-batch's first sample may take the
    planes of a chunk only when that chunk's update is written: each chunk written is one *credit*, each first plane of a
    chunk in a mini-batch's first sample takes one. A load writes every chunk, so it also gives the first mini-batch's credits.

    Latency: :meth:`bubble` cycles without a plane between two mini-batches. Throughput: a plane in every cycle otherwise;
    samples are at least :meth:`.LossUnit.spacing` cycles apart.

    Parameters
    ----------
    build : Build
        Build parameters.
    fast_memory : bool
        As of :class:`.GradientUnit`.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run, constant while busy.
    planes : In(stream.Signature(L)), labels : In(stream.Signature(signed(16)))
        A label goes with its sample's last plane. With several heads, a sample comes once for each, heads in order; their
        models stand one behind the other in chunks.
    start : In(1), samples : In(32)
        Begin an epoch of so many samples, at least 1.
    load : In(1)
        Renew Q3 from the master model.
    clear : In(1)
        Clear flags, loss and counters.
    busy : Out(1)
        An epoch or a load is under way.
    flags : Out(5)
        Sticky bits of :class:`.Flag`.
    loss : Out(signed(64))
        As of :class:`.LossUnit`.
    counters : Out(EPOCH_COUNTERS)
        Counts since the last clear.
    seed : In(stream.Signature(31, always_ready=True))
        A word for the chain of random generators: update lanes 0 to U - 1, then the loss unit.
    model_window : In(ReadWriteWindow)
        As of :class:`.UpdateUnit`.
    coefficient_window : In(WriteWindow)
        As of :class:`.LossUnit`; in builds with polynomial losses.
    doubt_window : In(ReadWindow)
        As of :class:`.DoubtList`; in builds with refetching.
    score_window : In(ReadWindow)
        As of :class:`.ScoreList`; in builds with scores.
    variance_window : In(WriteWindow)
        As of :class:`.GrowthTurns`; in builds with a diagonal.
    """

    @staticmethod
    def in_flight(build: Build) -> int:
        """Most samples whose dot product is done and whose gradient has yet to begin.

        Some 15 cycles lie between the two. With so many samples under way, those of mini-batches of 600 cycles and more, which
        take at least 600 / max_batch cycles each, do not have to wait.
        """
        return min(8, max(2, build.max_batch // 32))

    @staticmethod
    def delta_latency(build: Build, *, up_planes: int, degree: int = 0, fast_memory: bool = False) -> int:
        """Cycles from the take of a sample's last plane to its deltas.

        Parameters
        ----------
        build : Build
            Build parameters.
        up_planes : int
            Up planes of the run, m.
        degree : int
            Degree of the run's polynomial, 0 for another loss.
        fast_memory : bool
            As of the component.
        """
        return (
            BitSerialDot.latency(build, fast_memory=fast_memory, up_planes=up_planes)
            + max(0, up_planes - 1)
            + LossUnit.latency(build, degree=degree, up_planes=up_planes)
        )

    @staticmethod
    def bubble(
        build: Build, *, base_planes: int, up_planes: int, degree: int = 0, fast_memory: bool = False
    ) -> int:
        """Cycles from the last plane of a mini-batch to the first of the next one, in a run with one head.

        With p base planes, m = 2 up planes, neither proximal step nor diagonal, slow memory and U = L they are::

            dot product    5 + tree          z_1, where tree = ceil(log2(L) / 2)
            loss unit      1 + 5             z_2, then delta_2
            gradient       2 + p + m + 1     queue and weights, one chunk's planes, their sum
            update         4                 Q4, step, Q3, write
                           ─────────────────
                           p + m + 18 + tree  cycles without a plane

        Parameters
        ----------
        build : Build
            Build parameters.
        base_planes, up_planes : int
            Planes of the run, p and m.
        degree : int
            Degree of the run's polynomial, 0 for another loss.
        fast_memory : bool
            As of the component.

        Returns
        -------
        int
            The sum of the stages' latencies.
        """
        return (
            TrainingCore.delta_latency(build, up_planes=up_planes, degree=degree, fast_memory=fast_memory)
            + GradientUnit.latency(base_planes + up_planes)
            + UpdateUnit.latency(build, fast_memory=fast_memory)
        )

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {
            **BitSerialDot.memories(build),
            **ReplayBuffer.memories(build),
            **(PolynomialEvaluator.memories(build) if build.polynomial else {}),
            **GradientUnit.memories(build),
            **UpdateUnit.memories(build),
            **(DoubtList.memories(build) if build.refetch else {}),
            **(ScoreList.memories(build) if build.score_words else {}),
        }

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        super().__init__(
            {
                "run": In(run_layout(build)),
                "planes": In(stream.Signature(build.lanes)),
                "labels": In(stream.Signature(signed(LABEL_BITS))),
                "start": In(1),
                "samples": In(SAMPLES_BITS),
                "load": In(1),
                "clear": In(1),
                "busy": Out(1),
                "flags": Out(5),
                "loss": Out(signed(64)),
                "counters": Out(EPOCH_COUNTERS),
                "seed": In(stream.Signature(LFSR_BITS, always_ready=True)),
                "model_window": In(ReadWriteWindow),
                **({"coefficient_window": In(WriteWindow)} if build.polynomial else {}),
                **({"doubt_window": In(ReadWindow)} if build.refetch else {}),
                **({"score_window": In(ReadWindow)} if build.score_words else {}),
                **({"variance_window": In(WriteWindow)} if build.diagonal else {}),
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
        m.submodules.update = update = UpdateUnit(build, fast_memory=self._fast_memory)
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

        begins = Signal()  # a sample's gradient
        m.d.comb += begins.eq(gradient.sample.valid & gradient.sample.ready)
        can_take, take, last_word, in_flight = self._take_planes(m, position, counter, replay, update, begins)
        m.d.comb += [
            dot.take.eq(take),
            dot.word.eq(self.planes.payload),
            dot.chunk.eq(position.chunk),
            dot.flags.eq(position.flags),
            replay.write.eq(take),
            replay.input.eq(self.planes.payload),
            replay.next.eq(gradient.next),
            gradient.word.eq(replay.output),
        ]
        self._pass_scores(m, dot, loss)
        self._queue_samples(m, counter.marks, last_word, loss, gradient, begins)
        self._connect_update(m, dot, loss, gradient, update)
        if build.refetch:
            m.submodules.doubts = doubts = DoubtList(build)
            m.d.comb += doubts.start.eq(self.start)
            wiring.connect(m, loss.doubt, doubts.doubt)
            wiring.connect(m, wiring.flipped(self.doubt_window), doubts.doubt_window)
        if build.polynomial:
            wiring.connect(m, wiring.flipped(self.coefficient_window), loss.coefficient_window)
        if build.diagonal:
            wiring.connect(m, wiring.flipped(self.variance_window), update.variance_window)

        updating = Signal()
        with m.If(gradient.finishing):
            m.d.sync += updating.eq(1)
        with m.Elif(update.q3.done & update.q3.last):
            m.d.sync += updating.eq(0)
        training = Signal()
        m.d.comb += [
            training.eq(counter.active | (in_flight != 0) | gradient.busy | updating),
            self.busy.eq(training | update.loading),
            self.flags.eq(update.flags | loss.flags),
            self.loss.eq(loss.loss),
        ]
        self._count_events(
            m,
            cycles=training,
            plane_cycles=take,
            starved_cycles=can_take & ~self.planes.valid,
            samples_done=gradient.sample_done,
        )
        return m

    def _take_planes(
        self,
        m: Module,
        position: PlanePosition,
        counter: SampleCounter,
        replay: ReplayBuffer,
        update: UpdateUnit,
        begins: Signal,
    ) -> tuple[Signal, Signal, Signal, Signal]:
        """Take a plane once its chunk of Q3, the replay buffer and the units behind are ready for it.

        Returns whether a plane can be taken, is taken, and is its sample's last one, and the samples in flight.
        """
        build = self._build
        most = self.in_flight(build)
        credit = Signal(range(build.max_chunks + 1))
        has_credit = Signal()
        in_flight = Signal(range(most + 1))
        crowded = Signal()  # a cycle late, which the spacing of samples hides
        last_spacing = self.run.last_spacing if build.polynomial else C(LossUnit.spacing() - 1)
        spacing = Signal.like(last_spacing)
        needs_credit = Signal()
        # One head's update must not begin while the load still writes the chunks of others. With a single head it cannot:
        # the first sample takes the credits of all chunks.
        waits = update.loading if build.heads > 1 else C(0)
        can_take = Signal()
        take = Signal()
        last_word = Signal()
        m.d.comb += [
            needs_credit.eq(counter.marks.first_of_batch & position.flags.first_plane),
            can_take.eq(
                counter.active
                & ~waits
                & ~replay.full
                & ~(needs_credit & ~has_credit)
                & ~(position.flags.last_word & (crowded | (spacing != 0) | ~self.labels.valid))
            ),
            take.eq(can_take & self.planes.valid),
            last_word.eq(take & position.flags.last_word),
            self.planes.ready.eq(can_take),
            position.advance.eq(take),
            counter.advance.eq(last_word & position.last_head),
        ]
        with m.If(last_word):
            m.d.sync += spacing.eq(last_spacing)
        with m.Elif(spacing != 0):
            m.d.sync += spacing.eq(spacing - 1)
        m.d.sync += [
            in_flight.eq(in_flight + last_word - begins),
            crowded.eq((in_flight == most) & ~begins),
        ]
        spends = take & needs_credit
        with m.If(self.load):
            m.d.sync += [credit.eq(0), has_credit.eq(0)]
        with m.Elif(update.q3.done & ~spends):
            m.d.sync += [credit.eq(credit + 1), has_credit.eq(1)]
        with m.Elif(spends & ~update.q3.done):
            m.d.sync += [credit.eq(credit - 1), has_credit.eq(credit != 1)]
        return can_take, take, last_word, in_flight

    def _queue_samples(
        self,
        m: Module,
        sample_marks,
        last_word: Signal,
        loss: LossUnit,
        gradient: GradientUnit,
        begins: Signal,
    ) -> None:
        """Labels to the loss unit; its deltas, with the samples' marks, to the gradient unit.

        The queues cannot overflow, since they have room for all samples in flight.
        """
        depth = self.in_flight(self._build)
        labels_in, labels_out = stream_queue(m, "labels", LABEL_BITS, depth)
        marks_in, marks_out = stream_queue(m, "marks", BATCH_MARKS.size, depth)
        active = loss.active if tells_active(self._build) else C(0, 0)
        words = Cat(loss.deltas.payload, active)
        deltas_in, deltas_out = stream_queue(m, "deltas", len(words), depth)
        size = deltas_layout(self._build).size
        m.d.comb += [
            labels_in.payload.eq(self.labels.payload),
            labels_in.valid.eq(last_word),
            self.labels.ready.eq(last_word),
            loss.label.payload.eq(labels_out.payload),
            loss.label.valid.eq(labels_out.valid),
            labels_out.ready.eq(loss.label.ready),
            deltas_in.payload.eq(words),
            deltas_in.valid.eq(loss.deltas.valid),
            marks_in.payload.eq(sample_marks),
            marks_in.valid.eq(last_word),
            gradient.sample.payload.deltas.eq(deltas_out.payload[:size]),
            gradient.sample.payload.marks.eq(Cat(marks_out.payload, deltas_out.payload[size:])),
            gradient.sample.valid.eq(deltas_out.valid),
            deltas_out.ready.eq(gradient.sample.ready),
            marks_out.ready.eq(begins),
        ]

    def _pass_scores(self, m: Module, dot: BitSerialDot, loss: LossUnit) -> None:
        """Scores to the loss unit and, in builds with one, to their list."""
        if not self._build.score_words:
            wiring.connect(m, dot.scores, loss.scores)
            return
        m.submodules.score_list = score_list = ScoreList(self._build)
        m.d.comb += score_list.start.eq(self.start)
        wiring.connect(m, dot.scores, loss.scores, score_list.scores)
        wiring.connect(m, wiring.flipped(self.score_window), score_list.score_window)

    def _connect_update(
        self, m: Module, dot: BitSerialDot, loss: LossUnit, gradient: GradientUnit, update: UpdateUnit
    ) -> None:
        """Gradient, commands and seeds to the update unit; Q3 from it to the dot product and, if need be, to the norms."""
        build = self._build
        wiring.connect(m, gradient.gradient, update.gradient)
        wiring.connect(m, wiring.flipped(self.model_window), update.model_window)
        wiring.connect(m, wiring.flipped(self.seed), update.seed)
        wiring.connect(m, update.seed_next, loss.seed)
        m.d.comb += [update.load.eq(self.load), update.clear.eq(self.clear), loss.clear.eq(self.clear)]
        if build.refetch or build.ball:
            m.submodules.norms = norms = ModelNorms(build)
            wiring.connect(m, update.q3, dot.q3, norms.q3)
            m.d.comb += [
                norms.run.eq(self.run),
                loss.bounds.eq(norms.bounds),
                update.inward.eq(norms.inward),
            ]
        else:
            wiring.connect(m, update.q3, dot.q3)

    def _count_events(self, m: Module, **events: Value) -> None:
        """Count each event, a cycle late, which keeps the carry chains off the events' paths."""
        for name, event in events.items():
            happened = Signal(name=f"{name}_happened")
            count = getattr(self.counters, name)
            m.d.sync += [happened.eq(event), count.eq(count + happened)]
            with m.If(self.clear):
                m.d.sync += count.eq(0)
