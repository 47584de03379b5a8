"""The loss unit."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LABEL_FRAC, LFSR_BITS, STEP_BITS, STEP_EXP_MAX
from zipsgd.protocol.run import Flag, Loss, Refetch
from zipsgd_hw.windows import LateWrite

from .arithmetic import align_draw, fits, saturated
from .config import run_layout
from .lfsr import Lfsr
from .model_norms import score_bounds_layout
from .polynomial_evaluator import PolynomialEvaluator

__all__ = ["LossUnit"]


class LossUnit(wiring.Component):
    """Residuals, deltas and the training loss (golden model: :mod:`zipsgd.golden.loss`).

    One multiplier serves a sample's products in turn: step * l'(z_1), step * l'(z_2), and r_1 * l'(z_m) for the loss; or
    those of :class:`.PolynomialEvaluator`. The last z of two samples must therefore be at least ``spacing`` cycles apart, or
    3 (d + 2) with a polynomial.

    Attributes
    ----------
    latency : cycles from the last ``z`` of a sample to ``delta_valid``: 5, and one more in builds with refetching. With a
        polynomial they are 3 d + 10, or 3 d + 9 with m < 2, in any build.
    spacing : least cycles from one sample's last z to the next one's.

    Members
    -------
    run : In(run_layout(build))
    z_valid, z_last, z, base_z : In, of :class:`.BitSerialDot`; the last one counts in builds with refetching.
    label : In(stream.Signature(signed(16))); valid whenever a z is. Taken with the last z.
    coefficient_write : of :class:`.PolynomialEvaluator`; without one, nothing comes of it.
    bounds : In, of :class:`.ModelNorms`.
    doubt_valid : Out(1), with doubt : Out(1), whether a sample is left out; in builds with refetching.
    delta_valid : Out(1), with deltas: Out of two signed words, delta_1 and delta_2 (alike with m < 2).
    clear : In(1), of loss and flags.
    loss : Out(signed(64)), sum of r_1 * l'(z_m) in units of 2^-(2 * residual_frac).
    flags : Out(5), sticky: RESIDUAL and DELTA.
    seed_load : In(1), seed : In(31): the LFSR's.
    """

    spacing = 3

    def __init__(self, build: Build):
        self._build = build
        self.latency = 5 + bool(build.refetch)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "z_valid": In(1),
                "z_last": In(1),
                "z": In(signed(build.z_bits)),
                "base_z": In(signed(build.z_bits)),
                "label": In(stream.Signature(signed(LABEL_BITS))),
                "coefficient_write": In(LateWrite),
                "bounds": In(score_bounds_layout(build)),
                "doubt_valid": Out(1),
                "doubt": Out(1),
                "delta_valid": Out(1),
                "deltas": Out(data.ArrayLayout(signed(build.delta_bits), 2)),
                "clear": In(1),
                "loss": Out(signed(64)),
                "flags": Out(5),
                "seed_load": In(1),
                "seed": In(LFSR_BITS),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()

        # Shift: z to the units of p_max planes
        valid1 = Signal()
        last1 = Signal()
        shifted = Signal(signed(build.z_bits), reset_less=True)
        m.d.sync += [
            valid1.eq(self.z_valid),
            last1.eq(self.z_last),
            shifted.eq(self.z << self.run.shift),
        ]

        # Subtract
        valid2 = Signal()
        last2 = Signal()
        align = build.z_shift(build.p_max)
        difference = Signal(signed(max(build.z_bits + align, build.residual_frac + 2) + 1), reset_less=True)
        label = self.label.payload << (build.residual_frac - LABEL_FRAC)
        subtracted = (shifted << align) - label
        m.d.comb += self.label.ready.eq(valid1 & last1)
        if build.polynomial:
            # Of the margin, z with the label's sign
            margin = self.run.loss == Loss.POLYNOMIAL_MARGIN
            turns = margin & (self.label.payload < 0)
            subtracted = Mux(turns, 0, shifted << align) - Mux(turns, shifted << align, Mux(margin, 0, label))
        m.d.sync += [valid2.eq(valid1), last2.eq(valid1 & last1), difference.eq(subtracted)]

        # Saturate; a hinge looks at the signs of residual and label
        width = build.residual_bits
        reached = difference << self.run.reach_shift if build.polynomial else difference
        within = Signal(signed(width))
        derivative = Signal(signed(width))
        m.d.comb += [within.eq(saturated(reached, width)), derivative.eq(within)]
        if build.hinge:
            negative = Signal()  # the label
            m.d.sync += negative.eq(self.label.payload < 0)
            hinge = (self.run.loss == Loss.HINGE) | (self.run.loss == Loss.SQUARED_HINGE)
            with m.If(hinge & ((difference == 0) | (difference[-1] == negative))):
                m.d.comb += [within.eq(0), derivative.eq(0)]
            with m.Elif(self.run.loss == Loss.HINGE):
                one = 1 << build.residual_frac
                m.d.comb += derivative.eq(Mux(negative, one, -one))

        valid, last, over = valid2, last2, ~fits(reached, width)
        used_within: Value = within
        used_derivative: Value = derivative
        if build.refetch:
            # A sample whose reference is within the bounds of the margin counts for nothing
            reference1 = Signal.like(shifted)
            reference2 = Signal.like(difference)
            wide = build.bound_bits + build.p_max - 1 + align
            below, minus_above = Signal(wide), Signal(signed(wide + 1))
            opens2 = Signal(init=1)
            near_below, near_above = Signal(), Signal()
            valid3, last3, opens3, over3 = Signal(), Signal(), Signal(), Signal()
            within3, derivative3 = Signal.like(within, reset_less=True), Signal.like(within, reset_less=True)
            m.d.sync += [
                reference1.eq(
                    Mux(self.run.refetch == Refetch.CERTAIN, self.base_z, self.z) << self.run.shift
                ),
                reference2.eq((reference1 << align) - label),
                below.eq((self.bounds[0] << self.run.shift) << align),
                minus_above.eq(-((self.bounds[1] << self.run.shift) << align)),
                valid3.eq(valid2),
                last3.eq(last2),
                opens3.eq(opens2),
                over3.eq(over),
                within3.eq(within),
                derivative3.eq(derivative),
            ]
            with m.If(valid2):
                m.d.sync += opens2.eq(last2)
                with m.If(opens2):
                    m.d.sync += [
                        near_below.eq(reference2 <= below),
                        near_above.eq(reference2 >= minus_above),
                    ]
            doubtful = (self.run.refetch != Refetch.NEVER) & near_below & near_above
            m.d.comb += [self.doubt_valid.eq(valid3 & opens3), self.doubt.eq(doubtful)]
            valid, last, over = valid3, last3, over3
            used_within, used_derivative = Mux(doubtful, 0, within3), Mux(doubtful, 0, derivative3)

        # Choose the multiplier's operands: a derivative and the step, or behind the last one r_1 and the last derivative
        first = Signal(signed(width), reset_less=True)
        a = Signal(signed(width), reset_less=True)
        b = Signal(signed(max(width, STEP_BITS + 1)), reset_less=True)
        opens = Signal(init=1)  # the next residual is the first of its sample
        is_delta = Signal()
        is_last = Signal()
        is_loss = Signal()
        m.d.sync += [is_delta.eq(valid), is_last.eq(last), is_loss.eq(is_last)]
        with m.If(valid):
            m.d.sync += [a.eq(used_derivative), b.eq(self.run.step_mantissa), opens.eq(last)]
            with m.If(opens):
                m.d.sync += first.eq(used_within)
        with m.Else():
            m.d.sync += [a.eq(first), b.eq(a)]

        # A polynomial's come from its evaluator, which gets the product back
        product = Signal(signed(width + len(b)), reset_less=True)
        if build.polynomial:
            m.submodules.evaluator = evaluator = PolynomialEvaluator(build)
            sign = Signal()
            m.d.sync += sign.eq(turns)
            m.d.comb += [
                evaluator.run.eq(self.run),
                evaluator.write.valid.eq(self.coefficient_write.valid),
                evaluator.write.payload.eq(self.coefficient_write.payload),
                evaluator.t_valid.eq(valid2 & self.run.polynomial),
                evaluator.t_last.eq(last2),
                evaluator.t.eq(within),
                evaluator.negative.eq(sign),
                evaluator.product.eq(product),
            ]
            with m.If(self.run.polynomial):
                m.d.sync += [
                    a.eq(evaluator.a),
                    b.eq(evaluator.b),
                    is_delta.eq(evaluator.is_delta),
                    is_last.eq(evaluator.is_last),
                    is_loss.eq(0),
                ]
            with m.If(evaluator.loss_valid):
                m.d.sync += self.loss.eq(self.loss + (evaluator.loss << build.residual_frac))

        # Multiply
        product_delta = Signal()
        product_last = Signal()
        product_loss = Signal()
        m.d.sync += [
            product.eq(a * b),
            product_delta.eq(is_delta),
            product_last.eq(is_last),
            product_loss.eq(is_loss),
        ]
        with m.If(product_loss):
            m.d.sync += self.loss.eq(self.loss + product)

        # Round
        m.submodules.lfsr = lfsr = Lfsr()
        drop = build.delta_drop
        scaled = product << Cat(C(0, 2), ~self.run.step_exponent)  # by 4 * (STEP_EXP_MAX - exponent)
        rounded = Signal(signed(len(product) + 4 * STEP_EXP_MAX + 1), reset_less=True)
        rounded_delta = Signal()
        rounded_last = Signal()
        m.d.comb += [lfsr.advance.eq(product_delta), lfsr.load.eq(self.seed_load), lfsr.seed.eq(self.seed)]
        if build.heads > 1:
            # Each head draws what the sample's first one did
            head = Signal.like(self.run.last_head)
            fresh = Signal(init=1)  # the next draw is a sample's first
            last_head = head == self.run.last_head
            with m.If(product_delta):
                m.d.sync += fresh.eq(product_last & last_head)
                with m.If(product_last):
                    m.d.sync += head.eq(Mux(last_head, 0, head + 1))
            m.d.comb += [
                lfsr.mark.eq(product_delta & fresh),
                lfsr.back.eq(product_delta & product_last & ~last_head),
            ]
        m.d.sync += [
            rounded.eq(scaled + align_draw(lfsr.state, drop)),
            rounded_delta.eq(product_delta),
            rounded_last.eq(product_last),
        ]

        # Saturate, symmetrically; a sample's deltas go out together
        whole = rounded[drop:].as_signed()
        limit = (1 << (build.delta_bits - 1)) - 1
        delta = Signal(signed(build.delta_bits))
        delta_over = Signal()
        m.d.comb += [
            delta_over.eq(~fits(whole, build.delta_bits) | (whole == -limit - 1)),
            delta.eq(Mux(delta_over, Mux(whole[-1], -limit, limit), whole)),
            self.delta_valid.eq(rounded_delta & rounded_last),
            self.deltas[1].eq(delta),
        ]
        earlier = Signal(signed(build.delta_bits), reset_less=True)
        begun = Signal()
        m.d.comb += self.deltas[0].eq(Mux(begun, earlier, delta))
        with m.If(rounded_delta):
            m.d.sync += [earlier.eq(delta), begun.eq(~rounded_last)]

        # Both flags may be raised in one cycle
        raised = Mux(valid & over, Flag.RESIDUAL, 0) | Mux(rounded_delta & delta_over, Flag.DELTA, 0)
        m.d.sync += self.flags.eq(self.flags | raised)
        with m.If(self.clear):
            m.d.sync += [self.loss.eq(0), self.flags.eq(0)]
        return m
