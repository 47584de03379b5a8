"""The datapath behind the register bank."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import REACH_MAX
from zipsgd.protocol.registers import REGISTERS, Control, Register, Status, registers_of
from zipsgd.protocol.run import Loss
from zipsgd_hw.stream_register import StreamRegister
from zipsgd_hw.windows import OFFSET_BITS, LateWrite, WindowData, WindowRead, WindowWrite

from .config import run_layout
from .core import TrainingCore
from .loss_unit import LossUnit
from .sample_repeater import SampleRepeater
from .sample_unpacker import SampleUnpacker
from .transcoder import Transcoder

__all__ = ["Datapath", "datapath_registers"]

_OTHERS = ("frames_bad", "frames_skipped", "session")
_FIRST = REGISTERS["features"].address


def datapath_registers(build: Build) -> list[Register]:
    """Registers that the datapath takes or drives: all but the identification block, the link's and the host's."""
    return [
        register
        for register in registers_of(build).values()
        if register.address >= _FIRST and register.name not in _OTHERS
    ]


def _member(register: Register):
    match register.access:
        case "rw":
            return In(register.width)
        case "w":
            return In(stream.Signature(register.width, always_ready=True))
        case "r":
            return Out(register.width)


class Datapath(wiring.Component):
    """Training core, sample unpacker, transcoder and repeater if the build has them, and what the registers mean for them.

    Parameters
    ----------
    build : the parameters.
    fast_memory : of :class:`.GradientUnit`.

    Members
    -------
    one for each of :func:`datapath_registers`, by its name.
    bytes : In(stream.Signature(8)), of samples.
    bytes_reset : In(1), drop what is under way, as Control.ABORT does. The model is kept; seeds, Q3, flags, loss and counters
        are not, so that a seed and a load have to follow.
    window_write, window_read, window_data : of :class:`.UpdateUnit`.
    level_write : of :class:`.Transcoder`; without one, nothing comes of it.
    coefficient_write : of :class:`.LossUnit`.
    doubt_offset, doubt_word : of :class:`.DoubtList`.
    """

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
        super().__init__(
            {
                **{register.name: _member(register) for register in datapath_registers(build)},
                "bytes": In(stream.Signature(8)),
                "bytes_reset": In(1),
                "window_write": In(WindowWrite),
                "window_read": In(WindowRead),
                "window_data": Out(WindowData),
                "coefficient_write": In(LateWrite),
                "doubt_offset": In(OFFSET_BITS),
                "doubt_word": Out(32),
                "level_write": In(LateWrite),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        core = TrainingCore(build, fast_memory=self._fast_memory)
        unpacker = SampleUnpacker(build)
        byte_register = StreamRegister(8)
        reset = Signal()
        m.submodules.core = ResetInserter(reset)(core)
        m.submodules.unpacker = ResetInserter(reset)(unpacker)
        m.submodules.byte_register = ResetInserter(reset)(byte_register)

        # Run-time configuration, derived once
        run = Signal(run_layout(build))
        last_feature = Signal.like(self.features)
        lane_bits = exact_log2(build.lanes)
        wire_last_plane = Signal.like(run.last_plane)
        bits, last_plane = Signal(4), Signal.like(run.last_plane)  # as the core sees them
        m.d.sync += wire_last_plane.eq(self.base_planes + self.up_planes - 1)
        m.d.comb += [bits.eq(self.base_planes), last_plane.eq(self.base_planes + self.up_planes - 1)]
        if build.level_bits:
            with m.If(self.value_bits != 0):
                m.d.comb += [
                    bits.eq(self.value_bits),
                    last_plane.eq((self.value_bits << (self.up_planes == 2)) - 1),
                ]
            m.d.sync += run.transcoded.eq(self.value_bits != 0)
        if build.losses:
            m.d.sync += run.loss.eq(self.loss)
        if build.polynomial:
            polynomial = self.loss >= Loss.POLYNOMIAL_MARGIN
            m.d.sync += [
                run.polynomial.eq(polynomial),
                run.degree.eq(self.degree),
                run.reach_shift.eq(Mux(polynomial, REACH_MAX - self.reach, 0)),
                run.last_spacing.eq(Mux(polynomial, 3 * self.degree + 5, LossUnit.spacing - 1)),
            ]
        if build.refetch:
            m.d.sync += run.refetch.eq(self.refetching)
        m.d.comb += [core.doubt_offset.eq(self.doubt_offset), self.doubt_word.eq(core.doubt_word)]
        if build.prox:
            names = ["shrink_shift", "shrink_rate", "threshold", "bound", "spare_last"]
            names += ["ball_square"] if build.ball else []
            m.d.sync += [run[name].eq(getattr(self, name)) for name in names]
        m.d.sync += [
            last_feature.eq(self.features - 1),
            run.last_chunk.eq(last_feature >> lane_bits),
            run.last_lane.eq(last_feature[:lane_bits]),
            run.last_base.eq(bits - 1),
            run.last_plane.eq(last_plane),
            run.up_planes.eq(self.up_planes),
            run.shift.eq(build.p_max - bits),
            run.symmetric.eq((self.up_planes > 1) & ~self.one_sided),
            run.step_mantissa.eq(self.step_mantissa),
            run.step_exponent.eq(self.step_exponent),
            run.last_in_batch.eq(self.batch - 1),
        ]
        m.d.comb += [core.run.eq(run), unpacker.run.eq(run), unpacker.run.last_plane.eq(wire_last_plane)]

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

        # Commands
        control = Signal(3)
        m.d.comb += control.eq(Mux(self.control.valid, self.control.payload, 0))
        m.d.comb += [
            core.load.eq((control & Control.LOAD) != 0),
            core.clear.eq((control & Control.CLEAR) != 0),
            core.start.eq(self.samples.valid & (self.samples.payload != 0)),
            core.samples.eq(self.samples.payload),
            core.seed_load.eq(self.seed.valid),
            core.seed.eq(self.seed.payload),
        ]
        m.d.sync += reset.eq(self.bytes_reset | ((control & Control.ABORT) != 0))

        # Results
        m.d.comb += [
            self.status.eq(Mux(core.busy, Status.BUSY, 0)),
            self.flags.eq(core.flags),
            self.loss_low.eq(core.loss[:32]),
            self.loss_high.eq(core.loss[32:]),
            self.samples_done.eq(core.samples_done),
            self.cycles_low.eq(core.cycles[:32]),
            self.cycles_high.eq(core.cycles[32:]),
            self.plane_cycles_low.eq(core.plane_cycles[:32]),
            self.plane_cycles_high.eq(core.plane_cycles[32:]),
            self.starved_cycles_low.eq(core.starved_cycles[:32]),
            self.starved_cycles_high.eq(core.starved_cycles[32:]),
        ]

        wiring.connect(m, wiring.flipped(self.bytes), byte_register.input)
        wiring.connect(m, byte_register.output, unpacker.bytes)
        planes, labels = unpacker.planes, unpacker.labels
        if build.level_bits:
            transcoder = Transcoder(build)
            m.submodules.transcoder = ResetInserter(reset)(transcoder)
            m.d.comb += [
                transcoder.run.eq(run),
                transcoder.wire_base_planes.eq(self.base_planes),
                transcoder.wire_last_plane.eq(wire_last_plane),
            ]
            wiring.connect(m, wiring.flipped(self.level_write), transcoder.write)
            wiring.connect(m, planes, transcoder.input)
            planes = transcoder.output
        if build.heads > 1:
            repeater = SampleRepeater(build)
            m.submodules.repeater = ResetInserter(reset)(repeater)
            m.d.comb += repeater.run.eq(run)
            wiring.connect(m, planes, repeater.planes)
            wiring.connect(m, labels, repeater.labels)
            planes, labels = repeater.repeated_planes, repeater.repeated_labels
        # The core decides late whether it takes a plane
        plane_register = StreamRegister(build.lanes)
        m.submodules.plane_register = ResetInserter(reset)(plane_register)
        wiring.connect(m, planes, plane_register.input)
        wiring.connect(m, plane_register.output, core.planes)
        wiring.connect(m, labels, core.labels)
        # A cycle late, as commands are: words come from afar
        m.d.comb += self.window_write.ready.eq(1)
        m.d.sync += [
            core.window_write.valid.eq(self.window_write.valid),
            core.window_write.payload.eq(self.window_write.payload),
        ]
        wiring.connect(m, wiring.flipped(self.coefficient_write), core.coefficient_write)
        wiring.connect(m, wiring.flipped(self.window_read), core.window_read)
        wiring.connect(m, wiring.flipped(self.window_data), core.window_data)
        return m
