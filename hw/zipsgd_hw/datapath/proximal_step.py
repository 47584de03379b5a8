"""The proximal step of one update lane, and the phases that all of them share."""

from itertools import pairwise

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import PHASE_BITS, SHRINK_SHIFT_MAX, THRESHOLD_BITS

from .config import run_layout

__all__ = ["ProximalPhases", "ProximalStep"]


def _by_sign(bits: int) -> data.ArrayLayout:
    """A constant for positive values, and one for negative values."""
    return data.ArrayLayout(signed(bits), 2)


_THRESHOLDS = _by_sign(THRESHOLD_BITS - PHASE_BITS + 2)
"""A mini-batch's threshold is its whole part or one more: hence 17 bits, and a sign."""


def _proximal_constants(build: Build) -> wiring.Signature:
    """What a mini-batch does to each value: from :class:`ProximalPhases` to every :class:`ProximalStep`.

    Each member is for one stage, and changes when the first value of a mini-batch comes to that stage. Stages are numbered by
    the cycles since ``x``.

    Members
    -------
    mask : Out(15)
        Stage 0: bits that the shift drops.
    coarse : Out(2), fine : Out(2)
        Stages 1 and 2: the shift's fours and ones.
    shrinks : Out(1)
        Stage 2: the shift is not 0.
    thresholds : Out(ArrayLayout(signed(18), 2))
        Stage 4: -t and t, in the model's last bit: what is added to a positive value, and to a negative one.
    bounds : Out(ArrayLayout(signed(model_bits), 2))
        c, and -c or 0: the farthest that a positive value goes, and a negative one; both 0 for no bound. Constant during a run.
    """
    return wiring.Signature(
        {
            "mask": Out(SHRINK_SHIFT_MAX),
            "coarse": Out(2),
            "fine": Out(2),
            "shrinks": Out(1),
            "thresholds": Out(_THRESHOLDS),
            "bounds": Out(_by_sign(build.model_bits)),
        }
    )


class ProximalPhases(wiring.Component):
    """The shift by which a mini-batch shrinks the model, and its threshold (golden model: :class:`zipsgd.golden.prox.Phases`).

    A mini-batch's values may follow those of the one before it without a gap: with several heads, the next mini-batch's first
    head is updated right behind the last head of the one before. So constants change stage by stage, as the values pass.

    Parameters
    ----------
    build : Build
        Build parameters, with a proximal step.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    restart : In(1)
        An epoch begins; its first value comes eight cycles later at the earliest.
    next : In(1)
        Two cycles before the ``x`` of a mini-batch's last row: rows behind it belong to the next mini-batch.
    inward : In(4)
        Shift towards the ball, of :class:`.ModelNorms`, 0 without a ball. For a mini-batch, it must have come two cycles before
        its first ``x``, and stay while that passes.
    constants : Out(Signature)
        The mini-batch's constants, to the steps.
    """

    def __init__(self, build: Build):
        self._ball = build.ball
        super().__init__(
            {
                "run": In(run_layout(build)),
                "restart": In(1),
                "next": In(1),
                "inward": In(range(SHRINK_SHIFT_MAX + 1)),
                "constants": Out(_proximal_constants(build)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        constants = self.constants

        def phase(rate: Value, following: Value, name: str) -> Value:
            """A phase that sums up ``rate``; returns its sum with this mini-batch's."""
            phase = Signal(PHASE_BITS, name=f"{name}_phase")
            total = phase + rate
            with m.If(self.restart):
                m.d.sync += phase.eq(0)
            with m.Elif(following):
                m.d.sync += phase.eq(total)
            return total

        shrinks = phase(self.run.shrink_rate, self.next, "shrink")[PHASE_BITS]
        inwards = self.inward != 0 if self._ball else C(0)
        shifts = [Signal(range(SHRINK_SHIFT_MAX + 1), name=f"shift{stage}") for stage in range(4)]
        m.d.sync += [
            shifts[0].eq(Mux(inwards, self.inward, Mux(shrinks, self.run.shrink_shift, 0))),
            *(later.eq(earlier) for earlier, later in pairwise(shifts)),
            constants.mask.eq((1 << shifts[0]) - 1),
            constants.shrinks.eq(shifts[2] != 0),
        ]
        m.d.comb += [constants.coarse.eq(shifts[2][2:]), constants.fine.eq(shifts[3][:2])]

        later_next = [self.next, *(Signal(name=f"next{cycle}") for cycle in range(1, 5))]
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(later_next)]
        threshold = Signal(_THRESHOLDS.elem_shape)
        m.d.sync += [
            threshold.eq(phase(self.run.threshold, later_next[-1], "threshold") >> PHASE_BITS),
            constants.thresholds[0].eq(-threshold),
            constants.thresholds[1].eq(threshold),
            constants.bounds[0].eq(self.run.bound),
            constants.bounds[1].eq(Mux(self.run.nonnegative, 0, -self.run.bound)),
        ]
        return m


class ProximalStep(wiring.Component):
    """Shrinks, thresholds and bounds a value (golden model: :func:`zipsgd.golden.prox.apply_prox`).

    Stages: add random bits; shift by fours; by ones; take away; threshold; compare; bound. A value's sign chooses among
    constants that all lanes share, so that one adder gives the result of a stage, and the sum's sign tells whether to use it.

    Latency: :attr:`latency` cycles from ``x`` to ``y``. Throughput: a value a cycle.

    Parameters
    ----------
    build : Build
        Build parameters, with a proximal step.

    Attributes
    ----------
    latency : int
        Cycles from ``x`` to ``y``.

    Members
    -------
    constants : In(Signature)
        The mini-batch's constants, of :class:`ProximalPhases`.
    x : In(signed(model_bits)), y : Out(signed(model_bits))
        The value, and what becomes of it.
    bits : In(15)
        Random bits, with ``x``.
    skip : In(1)
        With ``x``: ``y`` is ``x``.
    """

    latency = 7

    def __init__(self, build: Build):
        word = signed(build.model_bits)
        super().__init__(
            {
                "constants": In(_proximal_constants(build)),
                "x": In(word),
                "y": Out(word),
                "bits": In(SHRINK_SHIFT_MAX),
                "skip": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        constants = self.constants
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
        m.d.sync += [
            noisy.eq(self.x + (self.bits & constants.mask)),
            coarse.eq(noisy >> Cat(C(0, 2), constants.coarse)),
            share.eq(Mux(constants.shrinks & ~skip[2], coarse >> constants.fine, 0)),
            shrunk.eq(whole[3] - share),
        ]

        # Threshold: a value that has crossed 0 was within the threshold
        wide = signed(max(word.width, _THRESHOLDS.elem_shape.width))
        nearer, kept = Signal(wide, reset_less=True), Signal(wide, reset_less=True)
        negative = Signal()
        bound, limit = Signal(word, reset_less=True), Signal(word, reset_less=True)
        m.d.sync += [
            nearer.eq(
                shrunk + Mux(skip[4], 0, Mux(shrunk < 0, constants.thresholds[1], constants.thresholds[0]))
            ),
            bound.eq(Mux(shrunk < 0, constants.bounds[1], constants.bounds[0])),
            negative.eq(shrunk < 0),
        ]

        # Bound
        beyond = Signal(signed(wide.width + 1))
        crossed, exceeds, bounded = Signal(), Signal(), Signal()
        m.d.comb += beyond.eq(nearer - bound)
        m.d.sync += [
            bounded.eq(constants.bounds[0] != 0),
            crossed.eq((nearer < 0) ^ negative),
            exceeds.eq(bounded & ~skip[5] & ((beyond < 0) == negative)),
            kept.eq(nearer),
            limit.eq(bound),
            self.y.eq(Mux(crossed, 0, Mux(exceeds, limit, kept))),
        ]
        return m
