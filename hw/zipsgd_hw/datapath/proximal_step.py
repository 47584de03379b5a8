"""The proximal step of one update lane, and the phases that all of them share."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import PHASE_BITS, PROX_STAGES, SHRINK_SHIFT_MAX, THRESHOLD_BITS, Build

from .config import run_layout

__all__ = ["ProximalPhases", "ProximalStep"]

_TOP_BITS = THRESHOLD_BITS - PHASE_BITS + 1
"""Of a mini-batch's threshold: the whole part, and one more."""


class ProximalPhases(wiring.Component):
    """By which shift a mini-batch shrinks the model, and its threshold (golden model: :class:`zipsgd.golden.prox.Phases`).

    Members
    -------
    run : In(run_layout(build))
    restart : In(1), an epoch begins; next : In(1), a mini-batch is done. The outputs show the new one's two cycles later.
    inward : In(4), of :class:`.ModelNorms`, 0 without a ball; shows two cycles later.
    shift : Out(4), 0 for none.
    threshold : Out(17), in the model's last bit.
    """

    def __init__(self, build: Build):
        self._ball = build.ball
        super().__init__(
            {
                "run": In(run_layout(build)),
                "restart": In(1),
                "next": In(1),
                "inward": In(range(SHRINK_SHIFT_MAX + 1)),
                "shift": Out(range(SHRINK_SHIFT_MAX + 1)),
                "threshold": Out(_TOP_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        phases = [Signal(PHASE_BITS, name="shrink_phase"), Signal(PHASE_BITS, name="threshold_phase")]
        sums = [phases[0] + self.run.shrink_rate, phases[1] + self.run.threshold]
        for phase, total in zip(phases, sums, strict=True):
            with m.If(self.restart):
                m.d.sync += phase.eq(0)
            with m.Elif(self.next):
                m.d.sync += phase.eq(total)
        inwards = self.inward != 0 if self._ball else C(0)
        m.d.sync += [
            self.shift.eq(Mux(inwards, self.inward, Mux(sums[0][PHASE_BITS], self.run.shrink_shift, 0))),
            self.threshold.eq(sums[1] >> PHASE_BITS),
        ]
        return m


class ProximalStep(wiring.Component):
    """Shrinks, thresholds and bounds a value a cycle (golden model: :func:`zipsgd.golden.prox.apply_prox`).

    Stages: add random bits; shift; take away; threshold; bound. ``bits`` and ``skip`` go with ``x``.

    Attributes
    ----------
    latency : cycles from ``x`` to ``y``.

    Members
    -------
    shift, threshold : In, of :class:`ProximalPhases`. run : In(run_layout(build)). Constant while a value is under way.
    x : In(signed(model_bits)); y : Out of the same.
    bits : In(15), random.
    skip : In(1), y is x.
    """

    latency = PROX_STAGES

    def __init__(self, build: Build):
        self._build = build
        word = signed(build.model_bits)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "shift": In(range(SHRINK_SHIFT_MAX + 1)),
                "threshold": In(_TOP_BITS),
                "x": In(word),
                "y": Out(word),
                "bits": In(SHRINK_SHIFT_MAX),
                "skip": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = self.x.shape()
        skip = self.skip
        skips = []
        for stage in range(1, self.latency):
            later = Signal(name=f"skip{stage}")
            m.d.sync += later.eq(skip)
            skip = later
            skips.append(later)

        x1, x2 = Signal(word, reset_less=True), Signal(word, reset_less=True)
        noisy = Signal(signed(len(self.x) + 1), reset_less=True)
        share = Signal(word, reset_less=True)
        shrunk = Signal(word, reset_less=True)
        cut = Signal(word, reset_less=True)
        mask = Signal(SHRINK_SHIFT_MAX)
        m.d.sync += [
            mask.eq((1 << self.shift) - 1),
            x1.eq(self.x),
            noisy.eq(self.x + (self.bits & mask)),
            x2.eq(x1),
            share.eq(noisy >> self.shift),
            shrunk.eq(x2 - Mux((self.shift != 0) & ~skips[1], share, 0)),
        ]

        threshold = self.threshold
        m.d.sync += cut.eq(0)
        with m.If(skips[2]):
            m.d.sync += cut.eq(shrunk)
        with m.Elif(shrunk > threshold):
            m.d.sync += cut.eq(shrunk - threshold)
        with m.Elif(shrunk < -threshold):
            m.d.sync += cut.eq(shrunk + threshold)

        bound = self.run.bound
        bounded = (bound != 0) & ~skips[3]
        m.d.sync += self.y.eq(cut)
        with m.If(bounded & (cut > bound)):
            m.d.sync += self.y.eq(bound)
        with m.If(bounded & (cut < -bound)):
            m.d.sync += self.y.eq(-bound)
        return m
