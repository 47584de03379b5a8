"""The datapath behind the register bank."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import RANGE_BITS, REACH_MAX
from zipsgd.protocol.registers import REGISTERS, Control, Register, Status, Window, registers_of, windows_of
from zipsgd.protocol.run import Loss
from zipsgd_hw.memory import Memories
from zipsgd_hw.store.port import store_port
from zipsgd_hw.store.sample_source import SETTINGS, SampleSource
from zipsgd_hw.store.sample_word import sample_word
from zipsgd_hw.stream_register import StreamRegister
from zipsgd_hw.windows import window_signature

from .config import run_layout
from .core import TrainingCore
from .loss_unit import LossUnit
from .polynomial_evaluator import PolynomialEvaluator
from .sample_repeater import SampleRepeater
from .sample_unpacker import SampleUnpacker
from .transcoder import Transcoder

__all__ = ["Datapath", "datapath_registers", "datapath_windows"]

_OTHERS = ("frames_bad", "frames_skipped", "play", "epochs_done", "run_tag", "session")
_FIRST = REGISTERS["features"].address
_COUNTERS = ("cycles", "plane_cycles", "starved_cycles")
"""Counters of two registers each."""
_REGISTER_PLANES = 2
_QUEUE_PLANES = 16
"""As many as memory of LUTs has words; half a plane a cycle makes them in the bubble of 64 lanes."""
_WINDOWS_OF_OTHERS = ("schedule_window", "result_window")


def datapath_registers(build: Build) -> list[Register]:
    """Registers that the datapath takes or drives: not those of the identification block, link, schedule and host."""
    return [
        register
        for register in registers_of(build).values()
        if register.address >= _FIRST and register.name not in _OTHERS
    ]


def datapath_windows(build: Build) -> dict[str, Window]:
    """Windows that lead to the datapath: all but the schedule's."""
    return {name: window for name, window in windows_of(build).items() if name not in _WINDOWS_OF_OTHERS}


def _member(register: Register):
    match register.access:
        case "s":
            return In(register.width)
        case "w":
            return In(stream.Signature(register.width, always_ready=True))
        case "r":
            return Out(register.width)


class Datapath(wiring.Component):
    """Training core and sample unpacker; source of samples, transcoder and repeater if the build has them; and what the
    registers mean for them.

    Latency: commands and words of the windows come to the core one cycle late. Throughput: a byte of samples in every cycle,
    unless the core waits.

    Parameters
    ----------
    build : Build
        Build parameters.
    fast_memory : bool
        As of :class:`.GradientUnit`.

    Members
    -------
    one for each of :func:`datapath_registers`, by its name
        "s": In(width); "w": In(stream.Signature(width, always_ready=True)); "r": Out(width).
    one for each of :func:`datapath_windows`, by its name
        In(:func:`.window_signature` of the window).
    bytes : In(stream.Signature(8))
        Bytes of samples.
    store : Out(store_signature(...))
        The store, in builds with one.
    store_reads : Out(1)
        Samples of the store are read; in builds with one.
    bytes_reset : In(1)
        Drop what is under way, as Control.ABORT does. The model is kept; seeds, Q3, flags, loss and counters are not, so that
        a seed and a load have to follow.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {
            **TrainingCore.memories(build),
            **(Transcoder.memories(build) if build.level_bits else {}),
            **(SampleRepeater.memories(build) if build.heads > 1 else {}),
        }

    @staticmethod
    def most_planes(build: Build) -> int:
        """Most planes that wait in front of the core, besides those of a repeater.

        They come while the core waits for an update. This gains where they come more slowly than the core takes them, from
        words of a store; a repeater has room for more.
        """
        slow = build.word_bytes > 1 and 8 * SampleUnpacker.most_bytes(build) < build.lanes
        return _REGISTER_PLANES + (_QUEUE_PLANES if slow and build.heads == 1 else 0)

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        super().__init__(
            {
                **{register.name: _member(register) for register in datapath_registers(build)},
                **{name: In(window_signature(window)) for name, window in datapath_windows(build).items()},
                "bytes": In(stream.Signature(8)),
                **({"store": Out(store_port(build)), "store_reads": Out(1)} if build.store_words else {}),
                "bytes_reset": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        reset = Signal()
        core = TrainingCore(self._build, fast_memory=self._fast_memory)
        m.submodules.core = ResetInserter(reset)(core)
        run = Signal(run_layout(self._build))
        m.d.comb += core.run.eq(run)
        wire_last_plane = self._derive_planes(m, run)
        self._derive_run(m, run)
        self._connect_commands(m, core, reset)
        words, source_busy = self._connect_source(m, reset)
        self._connect_results(m, core, source_busy)
        serves = self._connect_samples(m, core, run, wire_last_plane, reset, words)
        self._connect_windows(m, core, serves)
        return m

    def _derive_planes(self, m: Module, run) -> Signal:
        """Planes of a chunk as the core sees them, in ``run``; returns the index of the last one on the wire."""
        build = self._build
        on_wire = self.base_planes + self.up_planes - 1
        wire_last_plane = Signal.like(run.last_plane)
        bits, last_plane = Signal(4), Signal.like(run.last_plane)
        m.d.sync += wire_last_plane.eq(on_wire)
        m.d.comb += [bits.eq(self.base_planes), last_plane.eq(on_wire)]
        if build.level_bits:
            with m.If(self.value_bits != 0):
                m.d.comb += [
                    bits.eq(self.value_bits),
                    last_plane.eq((self.value_bits << (self.up_planes == 2)) - 1),
                ]
            m.d.sync += [run.transcoded.eq(self.value_bits != 0), run.base_sent.eq(self.base_planes != 0)]
        m.d.sync += [
            run.last_base.eq(bits - 1),
            run.last_plane.eq(last_plane),
            run.up_planes.eq(self.up_planes),
            run.shift.eq(build.p_max - bits),
        ]
        return wire_last_plane

    def _derive_run(self, m: Module, run) -> None:
        """The rest of the run-time configuration."""
        build = self._build
        last_feature = Signal.like(self.features)
        lane_bits = exact_log2(build.lanes)
        m.d.sync += [
            last_feature.eq(self.features - 1),
            run.last_chunk.eq(last_feature >> lane_bits),
            run.last_lane.eq(last_feature[:lane_bits]),
            run.symmetric.eq((self.up_planes > 1) & ~self.one_sided),
            run.last_in_batch.eq(self.batch - 1),
        ]
        # What is used as it is needs no second register
        m.d.comb += [
            run.step_mantissa.eq(self.step_mantissa),
            run.step_exponent.eq(self.step_exponent),
            run.intercept.eq(self.intercept),
            run.label_form.eq(self.label_form),
        ]
        if build.losses:
            m.d.sync += run.loss.eq(self.loss)
        if build.polynomial:
            polynomial = self.loss >= Loss.POLYNOMIAL_MARGIN
            spacing = Mux(polynomial, PolynomialEvaluator.spacing(self.degree), LossUnit.spacing())
            m.d.sync += [
                run.polynomial.eq(polynomial),
                run.degree.eq(self.degree),
                run.reach_shift.eq(Mux(polynomial, REACH_MAX - self.reach, 0)),
                run.last_spacing.eq(spacing - 1),
            ]
        if build.refetch:
            m.d.sync += run.refetch.eq(self.refetching)
        if build.prox:
            names = ["shrink_shift", "shrink_rate", "threshold", "bound", "nonnegative", "spare_last"]
            names += ["ball_square"] if build.ball else []
            m.d.sync += [run[name].eq(getattr(self, name)) for name in names]
        if build.diagonal:
            m.d.comb += [
                run.growth_shift.eq(self.growth[RANGE_BITS:]),
                run.growth_range.eq(self.growth[:RANGE_BITS]),
                run.growth_stride.eq(self.growth_stride),
                run.growth_start.eq(self.growth_start),
            ]
        if build.heads > 1:
            chunks = Signal(range(build.max_chunks + 1))
            heads = Signal(range(build.heads + 1))
            all_chunks = Signal.like(chunks)
            m.d.sync += [
                run.last_head.eq(self.heads_used - 1),
                run.one_against_all.eq(self.one_against_all),
                chunks.eq(run.last_chunk + 1),
                heads.eq(self.heads_used),
                all_chunks.eq(chunks * heads),
                run.final_chunk.eq(all_chunks - 1),
            ]

    def _connect_commands(self, m: Module, core: TrainingCore, reset: Signal) -> None:
        control = Signal(3)
        m.d.comb += [
            control.eq(Mux(self.control.valid, self.control.payload, 0)),
            core.load.eq((control & Control.LOAD) != 0),
            core.clear.eq((control & Control.CLEAR) != 0),
            core.start.eq(self.samples.valid & (self.samples.payload != 0)),
            core.samples.eq(self.samples.payload),
        ]
        if self._build.store_words:
            with m.If(self.resident_samples.valid):
                m.d.comb += [
                    core.start.eq(self.resident_samples.payload != 0),
                    core.samples.eq(self.resident_samples.payload),
                ]
        wiring.connect(m, wiring.flipped(self.seed), core.seed)
        aborts = Signal()  # a write of the schedule that goes out with ABORT is undone, so it comes first
        m.d.sync += [aborts.eq((control & Control.ABORT) != 0), reset.eq(self.bytes_reset | aborts)]

    def _connect_source(self, m: Module, reset: Signal):
        """The link's bytes or the store's samples as words for the unpacker; returns them, and whether the store is busy."""
        build = self._build
        if not build.store_words:
            byte_register = StreamRegister(8)
            m.submodules.byte_register = ResetInserter(reset)(byte_register)
            wiring.connect(m, wiring.flipped(self.bytes), byte_register.input)
            words = stream.Signature(sample_word(build.word_bytes)).create()
            # Words of one byte; the index of their last byte stays 0
            m.d.comb += [
                words.valid.eq(byte_register.output.valid),
                words.payload.data.eq(byte_register.output.payload),
                byte_register.output.ready.eq(words.ready),
            ]
            return words, C(0)
        m.submodules.source = source = SampleSource(build)
        wiring.connect(m, wiring.flipped(self.bytes), source.bytes)
        wiring.connect(m, source.store, wiring.flipped(self.store))
        for name in ("fill", "resident_samples"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(source, name))
        m.d.comb += [
            *(getattr(source, name).eq(getattr(self, name)) for name in SETTINGS),
            source.abort.eq(reset),
            self.store_check.eq(source.store_check),
            self.store_reads.eq(source.reads),
        ]
        return source.words, source.busy

    def _connect_results(self, m: Module, core: TrainingCore, source_busy: Value) -> None:
        m.d.comb += [
            self.status.eq(Mux(core.busy | source_busy, Status.BUSY, 0)),
            self.flags.eq(core.flags),
            self.loss_low.eq(core.loss[:32]),
            self.loss_high.eq(core.loss[32:]),
            self.samples_done.eq(core.counters.samples_done),
        ]
        for name in _COUNTERS:
            count = getattr(core.counters, name)
            m.d.comb += [
                getattr(self, f"{name}_low").eq(count[:32]),
                getattr(self, f"{name}_high").eq(count[32:]),
            ]

    def _connect_samples(
        self, m: Module, core: TrainingCore, run, wire_last_plane: Signal, reset: Signal, words
    ) -> dict[str, wiring.Component]:
        """Words of samples to the core's planes and labels; returns the units on the way that have a window, by its name."""
        build = self._build
        serves: dict[str, wiring.Component] = {}
        unpacker = SampleUnpacker(build)
        m.submodules.unpacker = ResetInserter(reset)(unpacker)
        m.d.comb += [unpacker.run.eq(run), unpacker.run.last_plane.eq(wire_last_plane)]
        wiring.connect(m, words, unpacker.input)
        planes, labels = unpacker.planes, unpacker.labels
        if build.level_bits:
            serves["level_window"] = transcoder = Transcoder(build)
            m.submodules.transcoder = ResetInserter(reset)(transcoder)
            m.d.comb += [
                transcoder.run.eq(run),
                transcoder.wire_base_planes.eq(self.base_planes),
                transcoder.wire_last_plane.eq(wire_last_plane),
            ]
            wiring.connect(m, planes, transcoder.input)
            planes = transcoder.output
        if build.heads > 1:
            repeater = SampleRepeater(build)
            m.submodules.repeater = ResetInserter(reset)(repeater)
            m.d.comb += repeater.run.eq(run)
            wiring.connect(m, planes, repeater.planes)
            wiring.connect(m, labels, repeater.labels)
            planes, labels = repeater.repeated_planes, repeater.repeated_labels
        if self.most_planes(build) > _REGISTER_PLANES:
            queue = SyncFIFO(width=build.lanes, depth=_QUEUE_PLANES)
            m.submodules.plane_queue = ResetInserter(reset)(queue)
            wiring.connect(m, planes, queue.w_stream)
            planes = queue.r_stream
        # The core decides late whether it takes a plane
        plane_register = StreamRegister(build.lanes)
        m.submodules.plane_register = ResetInserter(reset)(plane_register)
        wiring.connect(m, planes, plane_register.input)
        wiring.connect(m, plane_register.output, core.planes)
        wiring.connect(m, labels, core.labels)
        return serves

    def _connect_windows(self, m: Module, core: TrainingCore, serves: dict[str, wiring.Component]) -> None:
        """Each window to the unit that serves it: one of ``serves``, or the core."""
        for name, row in datapath_windows(self._build).items():
            window, served = getattr(self, name), getattr(serves.get(name, core), name)
            if row.access == "rw":
                # Words are written a cycle late, as commands and words of other windows are: they come from afar
                m.d.comb += window.write.ready.eq(1)
                m.d.sync += [
                    served.write.valid.eq(window.write.valid),
                    served.write.payload.eq(window.write.payload),
                ]
                wiring.connect(m, wiring.flipped(window.read), served.read)
                wiring.connect(m, wiring.flipped(window.data), served.data)
            else:
                wiring.connect(m, wiring.flipped(window), served)
