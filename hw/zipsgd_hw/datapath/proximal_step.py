"""The proximal step of one update lane, and the phases that all of them share."""

from itertools import pairwise

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import PHASE_BITS, PROX_STAGES, SHRINK_SHIFT_MAX, THRESHOLD_BITS, Build

from .config import run_layout

__all__ = ["ProximalPhases", "ProximalStep"]


def _by_sign(bits: int) -> data.ArrayLayout:
    """What is for positive values, and for negative ones."""
    return data.ArrayLayout(signed(bits), 2)


_THRESHOLDS = _by_sign(THRESHOLD_BITS - PHASE_BITS + 2)
"""A mini-batch's threshold is its whole part or one more: hence 17 bits, and a sign."""


class ProximalPhases(wiring.Component):
    """By which shift a mini-batch shrinks the model, and its threshold (golden model: :class:`zipsgd.golden.prox.Phases`).

    Members
    -------
    run : In(run_layout(build))
    restart : In(1), an epoch begins; next : In(1), a mini-batch is done. The outputs show the new one's three cycles later.
    inward : In(4), of :class:`.ModelNorms`, 0 without a ball; shows two cycles later.
    shift : Out(4), 0 for none.
    thresholds : Out(-t and t), in the model's last bit: what is added to a positive value, and to a negative one.
    bounds : Out(c and -c): the farthest that a positive value goes, and a negative one.
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
                "thresholds": Out(_THRESHOLDS),
                "bounds": Out(_by_sign(build.model_bits)),
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
            self.thresholds[1].eq(sums[1] >> PHASE_BITS),
            self.thresholds[0].eq(-self.thresholds[1]),
            self.bounds[0].eq(self.run.bound),
            self.bounds[1].eq(-self.run.bound),
        ]
        return m


class ProximalStep(wiring.Component):
    """Shrinks, thresholds and bounds a value a cycle (golden model: :func:`zipsgd.golden.prox.apply_prox`).

    Stages: add random bits; shift by fours; by ones; take away; threshold; compare; bound. ``bits`` and ``skip`` go with ``x``.
    A value's sign chooses among constants that all lanes share, so that one adder finds what a stage yields, and the sum's sign
    whether it holds.

    Attributes
    ----------
    latency : cycles from ``x`` to ``y``.

    Members
    -------
    shift, thresholds, bounds : In, of :class:`ProximalPhases`; no bound is 0. Constant while a value is under way.
    x : In(signed(model_bits)); y : Out of the same.
    bits : In(15), random.
    skip : In(1), y is x.
    """

    latency = PROX_STAGES

    def __init__(self, build: Build):
        word = signed(build.model_bits)
        super().__init__(
            {
                "shift": In(range(SHRINK_SHIFT_MAX + 1)),
                "thresholds": In(_THRESHOLDS),
                "bounds": In(_by_sign(build.model_bits)),
                "x": In(word),
                "y": Out(word),
                "bits": In(SHRINK_SHIFT_MAX),
                "skip": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = self.x.shape()
        skip = [self.skip, *(Signal(name=f"skip{stage}") for stage in range(1, 6))]
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(skip)]

        # Shrink
        whole = [self.x, *(Signal(word, reset_less=True, name=f"whole{stage}") for stage in range(1, 4))]
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(whole)]
        noisy = Signal(signed(word.width + 1), reset_less=True)
        coarse = Signal(signed(word.width + 1), reset_less=True)
        share = Signal(word, reset_less=True)
        shrunk = Signal(word, reset_less=True)
        mask = Signal(SHRINK_SHIFT_MAX)
        shrinks = Signal()
        m.d.sync += [
            mask.eq((1 << self.shift) - 1),
            shrinks.eq(self.shift != 0),
            noisy.eq(self.x + (self.bits & mask)),
            coarse.eq(noisy >> Cat(C(0, 2), self.shift[2:])),
            share.eq(Mux(shrinks & ~skip[2], coarse >> self.shift[:2], 0)),
            shrunk.eq(whole[3] - share),
        ]

        # Threshold: what has come to the other side of 0 was within it
        wide = signed(max(word.width, _THRESHOLDS.elem_shape.width))
        nearer, kept = Signal(wide, reset_less=True), Signal(wide, reset_less=True)
        negative = Signal()
        bound, limit = Signal(word, reset_less=True), Signal(word, reset_less=True)
        m.d.sync += [
            nearer.eq(shrunk + Mux(skip[4], 0, Mux(shrunk < 0, self.thresholds[1], self.thresholds[0]))),
            bound.eq(Mux(shrunk < 0, self.bounds[1], self.bounds[0])),
            negative.eq(shrunk < 0),
        ]

        # Bound
        beyond = Signal(signed(wide.width + 1))
        crossed, exceeds, bounded = Signal(), Signal(), Signal()
        m.d.comb += beyond.eq(nearer - bound)
        m.d.sync += [
            bounded.eq(self.bounds[0] != 0),
            crossed.eq((nearer < 0) ^ negative),
            exceeds.eq(bounded & ~skip[5] & ((beyond < 0) == negative)),
            kept.eq(nearer),
            limit.eq(bound),
            self.y.eq(Mux(crossed, 0, Mux(exceeds, limit, kept))),
        ]
        return m
