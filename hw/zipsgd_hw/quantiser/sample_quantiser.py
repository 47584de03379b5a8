"""The quantiser of samples: raw words in, labels and planes out."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LFSR_BITS
from zipsgd.protocol.raw_words import LEAST_RAW_BITS, MOST_RAW_BITS
from zipsgd_hw.datapath.config import run_layout
from zipsgd_hw.memory import Memories
from zipsgd_hw.windows import WriteWindow

from .column_scaler import ColumnScaler
from .label_rounder import LabelRounder
from .plane_gatherer import PlaneGatherer
from .scale_memory import ScaleMemory
from .stochastic_rounder import StochasticRounder

__all__ = ["SampleQuantiser"]

_WORD = data.StructLayout({"valid": 1, "label": 1, "intercept": 1, "last": 1})
"""A word under way: whether it is the label, the intercept, and the sample's last feature."""
_STAGES = 6
"""Steps from a word to its code: read its row (two), difference, product, saturation, rounding."""


class SampleQuantiser(wiring.Component):
    """Quantises samples beside a sensor, for a :class:`.TrainingCore` without a host (golden model:
    :class:`zipsgd.golden.device_quantiser.DeviceQuantiser`).

    ::

        raw ─┬─► ScaleMemory ─┐
             └────────────────┴─► ColumnScaler ─┬─► StochasticRounder ─► PlaneGatherer ─► planes
                                                └─► LabelRounder ───────────────────────► labels

    A sample comes as one word a column, then its label. The intercept has no word: it is made here, once the label is there,
    and takes a cycle. Words must come complete, since only their count tells which column a word is of.

    Latency: from a chunk's last word to its first plane eight cycles, from a label to its output seven. Throughput: a word in
    every cycle, or a chunk in p + m cycles where these are more: :meth:`cycles` a sample, as long as planes and labels are
    taken. Where they are not, everything waits and no bit changes.

    Parameters
    ----------
    build : Build
        Build parameters.
    raw_bits : int
        Bits of a raw word, 8 to 16.

    Raises
    ------
    ValueError
        ``raw_bits`` is out of its range.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run: features, planes (at most two up planes) and the intercept; columns and label together have at
        most ``max_features`` rows in the table. Constant from two cycles before a sample's first word on.
    raw : In(stream.Signature(raw_bits))
        Raw words, in two's complement or offset binary.
    planes : Out(stream.Signature(L)), labels : Out(stream.Signature(signed(16)))
        Plane words and labels, in their order.
    scale_window : In(WriteWindow)
        As of :class:`.ScaleMemory`: a row for each column, and behind them the labels'.
    seed : In(stream.Signature(31, always_ready=True)), seed_next : Out(stream.Signature(31, always_ready=True))
        As of :class:`.StochasticRounder`. Not while words are under way.
    clear : In(1)
        Clear ``flags`` and ``saturated``.
    flags : Out(2)
        Sticky: a column's value was outside [-1, 1]; a label was outside [-1, 1).
    saturated : Out(32)
        How many of both, modulo 2^32.
    """

    @staticmethod
    def cycles(build: Build, features: int, planes: int) -> int:
        """Fewest cycles of a sample when samples follow each other.

        Parameters
        ----------
        build : Build
            Build parameters.
        features : int
            Features, with the intercept.
        planes : int
            Planes of a chunk, p + m.

        Returns
        -------
        int
            The sum over the chunks of the larger of their planes and their values. The label counts as a value of the last
            chunk.
        """
        whole, rest = divmod(features, build.lanes)
        values = [build.lanes] * whole + ([rest] if rest else [])
        values[-1] += 1
        return sum(max(planes, count) for count in values)

    @staticmethod
    def memories(build: Build, raw_bits: int) -> Memories:
        """Block RAMs of the component."""
        return ScaleMemory.memories(build, raw_bits)

    def __init__(self, build: Build, raw_bits: int):
        if not LEAST_RAW_BITS <= raw_bits <= MOST_RAW_BITS:
            raise ValueError(
                f"raw words have {LEAST_RAW_BITS} to {MOST_RAW_BITS} bits, not {raw_bits}: shift or extend them"
            )
        self._build = build
        self._raw_bits = raw_bits
        seed = stream.Signature(LFSR_BITS, always_ready=True)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "raw": In(stream.Signature(raw_bits)),
                "planes": Out(stream.Signature(build.lanes)),
                "labels": Out(stream.Signature(signed(LABEL_BITS))),
                "scale_window": In(WriteWindow),
                "seed": In(seed),
                "seed_next": Out(seed),
                "clear": In(1),
                "flags": Out(2),
                "saturated": Out(32),
            }
        )

    def elaborate(self, platform):
        build, raw_bits = self._build, self._raw_bits
        m = Module()
        m.submodules.scales = scales = ScaleMemory(build, raw_bits)
        m.submodules.scaler = scaler = ColumnScaler(raw_bits)
        m.submodules.rounder = rounder = StochasticRounder(build, raw_bits)
        m.submodules.label_rounder = label_rounder = LabelRounder(raw_bits)
        m.submodules.gatherer = gatherer = PlaneGatherer(build)
        wiring.connect(m, wiring.flipped(self.scale_window), scales.scale_window)
        wiring.connect(m, wiring.flipped(self.seed), rounder.seed)
        wiring.connect(m, rounder.seed_next, wiring.flipped(self.seed_next))
        wiring.connect(m, gatherer.planes, wiring.flipped(self.planes))

        step = Signal()
        word = self._count_words(m, step, scales)
        at = [Signal(_WORD, name=f"at{i}") for i in range(1, _STAGES + 1)]
        raw = [Signal(raw_bits, reset_less=True, name=f"raw{i}") for i in range(2)]
        beyond = Signal(reset_less=True)  # of the code's value
        with m.If(step):
            m.d.sync += [behind.eq(before) for before, behind in zip([word, *at], at, strict=False)]
            m.d.sync += [raw[0].eq(self.raw.payload), raw[1].eq(raw[0]), beyond.eq(scaler.saturated)]
        scaled, coded = at[-2:]
        m.d.comb += [
            scales.step.eq(step),
            scaler.step.eq(step),
            rounder.step.eq(step),
            label_rounder.step.eq(step),
            scaler.raw.eq(raw[1]),
            scaler.scale.eq(scales.scale),
            rounder.run.eq(self.run),
            rounder.draw.eq(scaled.valid & ~scaled.label),
            rounder.value.eq(scaler.value),
            rounder.one.eq(scaler.one | scaled.intercept),
            label_rounder.value.eq(scaler.value),
            label_rounder.one.eq(scaler.one),
            gatherer.run.eq(self.run),
            gatherer.input.payload.code.eq(rounder.code),
            gatherer.input.payload.last.eq(coded.last),
            gatherer.input.valid.eq(coded.valid & ~coded.label),
        ]

        label_free = ~self.labels.valid | self.labels.ready
        m.d.comb += step.eq(~coded.valid | Mux(coded.label, label_free, gatherer.input.ready))
        with m.If(label_free):
            m.d.sync += [
                self.labels.valid.eq(coded.valid & coded.label),
                self.labels.payload.eq(label_rounder.label),
            ]
        goes = step & coded.valid
        self._count_saturated(
            m,
            goes & ~coded.label & ~coded.intercept & beyond,
            goes & coded.label & (beyond | label_rounder.saturated),
        )
        return m

    def _count_words(self, m: Module, step: Signal, scales: ScaleMemory) -> Value:
        """What the next word of a sample is, and its row. Returns the word that is taken with ``step``, or none."""
        row = Signal.like(scales.row)
        label = Signal()  # next
        word = Signal(_WORD)
        m.d.comb += [
            word.label.eq(label),
            word.last.eq(~label & (row == Cat(self.run.last_lane, self.run.last_chunk))),
            word.intercept.eq(word.last & self.run.intercept),
            word.valid.eq(self.raw.valid),  # the intercept waits for the label
            self.raw.ready.eq(step & ~word.intercept),
            scales.row.eq(row),
        ]
        with m.If(step & word.valid):
            m.d.sync += label.eq(word.last)
            with m.If(label):
                m.d.sync += row.eq(0)
            with m.Elif(~word.intercept):
                m.d.sync += row.eq(row + 1)
        return word

    def _count_saturated(self, m: Module, value: Value, label: Value) -> None:
        """Count each event, a cycle late."""
        happened = Signal(2)
        m.d.sync += [
            happened.eq(Cat(value, label)),
            self.flags.eq(self.flags | happened),
            self.saturated.eq(self.saturated + happened.any()),
        ]
        with m.If(self.clear):
            m.d.sync += [self.flags.eq(0), self.saturated.eq(0)]
