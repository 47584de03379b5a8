"""The loss unit."""

from dataclasses import dataclass

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, LABEL_FRAC, LFSR_BITS, STEP_BITS, STEP_EXP_MAX
from zipsgd.protocol.run import Flag, Loss, Refetch
from zipsgd_hw.windows import WriteWindow

from .arithmetic import align_draw, fits, later, saturated
from .bundles import deltas_layout, score_bounds_layout, scores_signature, tells_active
from .config import run_layout
from .lfsr import Lfsr
from .polynomial_evaluator import PolynomialEvaluator

__all__ = ["LossUnit"]

_SPACING = 3
"""Products of a sample that take turns in the multiplier, without a polynomial."""


@dataclass
class _Residual:
    """A residual in its cycle.

    ``valid``, ``last``: as of the scores; ``within``: the saturated residual; ``derivative``: l' of it; ``over``: it was
    saturated; ``active``: no hinge makes the derivative 0.
    """

    valid: Value
    last: Value
    within: Value
    derivative: Value
    over: Value
    active: Value


@dataclass
class _Products:
    """What the multiplier's product is: a delta (the last one of its sample), or part of the loss."""

    is_delta: Signal
    is_last: Signal
    is_loss: Signal


class LossUnit(wiring.Component):
    """Residuals, deltas and the training loss (golden model: :mod:`zipsgd.golden.loss`).

    One multiplier serves a sample's products in turn: step * l'(z_1), step * l'(z_2), and r_1 * l'(z_m) for the loss; or
    those of :class:`.PolynomialEvaluator`.

    Latency: :meth:`latency` cycles from the last z of a sample to ``deltas``. Throughput: the last z of two samples must be at
    least :meth:`spacing` cycles apart.

    Parameters
    ----------
    build : Build
        Build parameters; they determine which losses there are.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    scores : In(scores_signature(build))
        Dot products; ``base_z`` matters in builds with refetching only.
    label : In(stream.Signature(signed(16)))
        Valid whenever a z is; taken with the last z.
    coefficient_window : In(WriteWindow)
        A polynomial's coefficients; in builds with polynomial losses.
    bounds : In(score_bounds_layout(build))
        How far a score may lie from its reference; in builds with refetching.
    doubt : Out(stream.Signature(1, always_ready=True))
        Whether a sample is left out; in builds with refetching, three cycles after the first z.
    deltas : Out(stream.Signature(deltas_layout(build), always_ready=True))
        delta_1 and delta_2 of a sample, alike with m < 2.
    active : Out(1)
        With ``deltas``: the derivative of the sample's last z is not 0, where the loss has a hinge; else 1. In builds that
        have :func:`.tells_active`.
    clear : In(1)
        Clear loss and flags.
    loss : Out(signed(64))
        Sum of r_1 * l'(z_m), in units of 2^-(2 * residual_frac).
    flags : Out(5)
        Sticky bits RESIDUAL and DELTA of :class:`.Flag`.
    seed : In(stream.Signature(31, always_ready=True))
        New state of the random generator.
    """

    @staticmethod
    def latency(build: Build, *, degree: int = 0, up_planes: int = 2) -> int:
        """Cycles from the last z of a sample to its deltas.

        Parameters
        ----------
        build : Build
            Build parameters.
        degree : int
            Degree d of the run's polynomial, 0 for another loss.
        up_planes : int
            Up planes of the run, m; they matter with a polynomial only.

        Returns
        -------
        int
            5, and one more in builds with refetching; with a polynomial 3 d + 10, or 3 d + 9 with m < 2, in any build.
        """
        if degree:
            return 2 + PolynomialEvaluator.latency(degree, up_planes=up_planes) + 3
        return 5 + bool(build.refetch)

    @staticmethod
    def spacing(degree: int = 0) -> int:
        """Fewest cycles from one sample's last z to the next one's, with a polynomial of ``degree`` (0: another loss)."""
        return PolynomialEvaluator.spacing(degree) if degree else _SPACING

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                "run": In(run_layout(build)),
                "scores": In(scores_signature(build)),
                "label": In(stream.Signature(signed(LABEL_BITS))),
                **({"coefficient_window": In(WriteWindow)} if build.polynomial else {}),
                "bounds": In(score_bounds_layout(build)),
                "doubt": Out(stream.Signature(1, always_ready=True)),
                "deltas": Out(stream.Signature(deltas_layout(build), always_ready=True)),
                **({"active": Out(1)} if tells_active(build) else {}),
                "clear": In(1),
                "loss": Out(signed(64)),
                "flags": Out(5),
                "seed": In(stream.Signature(LFSR_BITS, always_ready=True)),
            }
        )

    def elaborate(self, platform):
        build = self._build
        m = Module()
        shifted, label, difference, turns, valid, last = self._subtract(m)
        saturated_residual = self._saturate(m, difference, valid, last)
        residual = saturated_residual
        if build.refetch:
            residual = self._leave_out_doubtful(m, saturated_residual, shifted, difference, label)
        a, b, products = self._choose_factors(m, residual)
        product = Signal(signed(len(a) + len(b)), reset_less=True)
        if build.polynomial:
            self._evaluate_polynomial(m, saturated_residual, turns, a, b, products, product)
        product_is = self._multiply(m, a, b, product, products)
        rounded, rounded_delta, rounded_last = self._round(m, product, product_is)
        delta_over = self._emit_deltas(m, rounded, rounded_delta, rounded_last)
        if tells_active(build):
            m.d.comb += self.active.eq(later(m, residual.active, 3))  # factors, product, rounding

        # Both flags may be raised in one cycle
        raised = Mux(residual.valid & residual.over, Flag.RESIDUAL, 0)
        raised |= Mux(rounded_delta & delta_over, Flag.DELTA, 0)
        m.d.sync += self.flags.eq(self.flags | raised)
        with m.If(self.clear):
            m.d.sync += [self.loss.eq(0), self.flags.eq(0)]
        return m

    def _subtract(self, m: Module) -> tuple[Value, ...]:
        """z in the units of p_max planes, less the label; or, of the margin, z with the label's sign.

        Returns z in these units, the aligned label, the difference, whether the sign turns, and the difference's cycle.
        """
        build = self._build
        valid1, last1, valid2, last2 = Signal(), Signal(), Signal(), Signal()
        shifted = Signal(signed(build.z_bits), reset_less=True)
        align = build.z_shift(build.p_max)
        aligned = shifted << align
        difference = Signal(signed(max(build.z_bits + align, build.residual_frac + 2) + 1), reset_less=True)
        label = self.label.payload << (build.residual_frac - LABEL_FRAC)
        subtracted = aligned - label
        turns: Value = C(0)
        if build.polynomial:
            margin = self.run.loss == Loss.POLYNOMIAL_MARGIN
            turns = margin & (self.label.payload < 0)
            subtracted = Mux(turns, 0, aligned) - Mux(turns, aligned, Mux(margin, 0, label))
        m.d.sync += [
            valid1.eq(self.scores.valid),
            last1.eq(self.scores.last),
            shifted.eq(self.scores.z << self.run.shift),
            valid2.eq(valid1),
            last2.eq(valid1 & last1),
            difference.eq(subtracted),
        ]
        m.d.comb += self.label.ready.eq(valid1 & last1)
        return shifted, label, difference, turns, valid2, last2

    def _saturate(self, m: Module, difference: Signal, valid: Signal, last: Signal) -> _Residual:
        """The residual within its range, and the derivative of the loss; a hinge looks at the signs of residual and label."""
        build = self._build
        width = build.residual_bits
        reached = difference << self.run.reach_shift if build.polynomial else difference
        within = Signal(signed(width))
        derivative = Signal(signed(width))
        m.d.comb += [within.eq(saturated(reached, width)), derivative.eq(within)]
        passive: Value = C(0)
        if build.hinge:
            negative = Signal()  # the label
            m.d.sync += negative.eq(self.label.payload < 0)
            hinge = (self.run.loss == Loss.HINGE) | (self.run.loss == Loss.SQUARED_HINGE)
            passive = hinge & ((difference == 0) | (difference[-1] == negative))
            with m.If(passive):
                m.d.comb += [within.eq(0), derivative.eq(0)]
            with m.Elif(self.run.loss == Loss.HINGE):
                one = 1 << build.residual_frac
                m.d.comb += derivative.eq(Mux(negative, one, -one))
        return _Residual(valid, last, within, derivative, ~fits(reached, width), ~passive)

    def _leave_out_doubtful(
        self, m: Module, residual: _Residual, shifted: Signal, difference: Signal, label: Value
    ) -> _Residual:
        """A sample whose reference is within the bounds of the margin counts for nothing; takes a cycle."""
        build = self._build
        align = build.z_shift(build.p_max)
        reference1 = Signal.like(shifted)
        reference2 = Signal.like(difference)
        wide = build.bound_bits + build.p_max - 1 + align
        below, minus_above = Signal(wide), Signal(signed(wide + 1))
        opens2 = Signal(init=1)
        near_below, near_above = Signal(), Signal()
        valid3, last3, opens3, over3 = Signal(), Signal(), Signal(), Signal()
        within3 = Signal.like(residual.within, reset_less=True)
        derivative3 = Signal.like(residual.within, reset_less=True)
        base_z, z = self.scores.base_z, self.scores.z
        m.d.sync += [
            reference1.eq(Mux(self.run.refetch == Refetch.CERTAIN, base_z, z) << self.run.shift),
            reference2.eq((reference1 << align) - label),
            below.eq((self.bounds[0] << self.run.shift) << align),
            minus_above.eq(-((self.bounds[1] << self.run.shift) << align)),
            valid3.eq(residual.valid),
            last3.eq(residual.last),
            opens3.eq(opens2),
            over3.eq(residual.over),
            within3.eq(residual.within),
            derivative3.eq(residual.derivative),
        ]
        with m.If(residual.valid):
            m.d.sync += opens2.eq(residual.last)
            with m.If(opens2):
                m.d.sync += [
                    near_below.eq(reference2 <= below),
                    near_above.eq(reference2 >= minus_above),
                ]
        active3 = later(m, residual.active, 1) if tells_active(build) else residual.active
        doubtful = (self.run.refetch != Refetch.NEVER) & near_below & near_above
        m.d.comb += [self.doubt.valid.eq(valid3 & opens3), self.doubt.payload.eq(doubtful)]
        return _Residual(
            valid3,
            last3,
            Mux(doubtful, 0, within3),
            Mux(doubtful, 0, derivative3),
            over3,
            active3 & ~doubtful,
        )

    def _choose_factors(self, m: Module, residual: _Residual) -> tuple[Signal, Signal, _Products]:
        """A derivative and the step, or behind the last one r_1 and the last derivative."""
        width = self._build.residual_bits
        first = Signal(signed(width), reset_less=True)
        a = Signal(signed(width), reset_less=True)
        b = Signal(signed(max(width, STEP_BITS + 1)), reset_less=True)
        opens = Signal(init=1)  # the next residual is the first of its sample
        products = _Products(Signal(name="is_delta"), Signal(name="is_last"), Signal(name="is_loss"))
        m.d.sync += [
            products.is_delta.eq(residual.valid),
            products.is_last.eq(residual.last),
            products.is_loss.eq(products.is_last),
        ]
        with m.If(residual.valid):
            m.d.sync += [
                a.eq(residual.derivative),
                b.eq(self.run.step_mantissa),
                opens.eq(residual.last),
            ]
            with m.If(opens):
                m.d.sync += first.eq(residual.within)
        with m.Else():
            m.d.sync += [a.eq(first), b.eq(a)]
        return a, b, products

    def _evaluate_polynomial(
        self,
        m: Module,
        residual: _Residual,
        turns: Value,
        a: Signal,
        b: Signal,
        products: _Products,
        product: Signal,
    ) -> None:
        """A polynomial's factors come from its evaluator, which gets the product back."""
        m.submodules.evaluator = evaluator = PolynomialEvaluator(self._build)
        wiring.connect(m, wiring.flipped(self.coefficient_window), evaluator.coefficient_window)
        sign = Signal()
        m.d.sync += sign.eq(turns)
        m.d.comb += [
            evaluator.run.eq(self.run),
            evaluator.t_valid.eq(residual.valid & self.run.polynomial),
            evaluator.t_last.eq(residual.last),
            evaluator.t.eq(residual.within),
            evaluator.negative.eq(sign),
            evaluator.product.eq(product),
        ]
        with m.If(self.run.polynomial):
            m.d.sync += [
                a.eq(evaluator.a),
                b.eq(evaluator.b),
                products.is_delta.eq(evaluator.is_delta),
                products.is_last.eq(evaluator.is_last),
                products.is_loss.eq(0),
            ]
        with m.If(evaluator.loss_valid):
            m.d.sync += self.loss.eq(self.loss + (evaluator.loss << self._build.residual_frac))

    def _multiply(self, m: Module, a: Signal, b: Signal, product: Signal, products: _Products) -> _Products:
        """Multiply, and add products of the loss to its sum; returns what the product is."""
        product_is = _Products(
            Signal(name="product_delta"), Signal(name="product_last"), Signal(name="product_loss")
        )
        m.d.sync += [
            product.eq(a * b),
            product_is.is_delta.eq(products.is_delta),
            product_is.is_last.eq(products.is_last),
            product_is.is_loss.eq(products.is_loss),
        ]
        with m.If(product_is.is_loss):
            m.d.sync += self.loss.eq(self.loss + product)
        return product_is

    def _round(self, m: Module, product: Signal, product_is: _Products) -> tuple[Signal, Signal, Signal]:
        """Scale a delta by its step's exponent, and add random bits below its last one."""
        m.submodules.lfsr = lfsr = Lfsr()
        product_delta, product_last = product_is.is_delta, product_is.is_last
        scaled = product << Cat(C(0, 2), ~self.run.step_exponent)  # by 4 * (STEP_EXP_MAX - exponent)
        rounded = Signal(signed(len(product) + 4 * STEP_EXP_MAX + 1), reset_less=True)
        rounded_delta = Signal()
        rounded_last = Signal()
        m.d.comb += [
            lfsr.advance.eq(product_delta),
            lfsr.load.eq(self.seed.valid),
            lfsr.seed.eq(self.seed.payload),
        ]
        if self._build.heads > 1:
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
            rounded.eq(scaled + align_draw(lfsr.state, self._build.delta_drop)),
            rounded_delta.eq(product_delta),
            rounded_last.eq(product_last),
        ]
        return rounded, rounded_delta, rounded_last

    def _emit_deltas(self, m: Module, rounded: Signal, rounded_delta: Signal, rounded_last: Signal) -> Signal:
        """Saturate symmetrically; a sample's deltas go out together. Returns whether a delta was saturated."""
        build = self._build
        drop = build.delta_drop
        whole = rounded[drop:].as_signed()
        limit = (1 << (build.delta_bits - 1)) - 1
        delta = Signal(signed(build.delta_bits))
        delta_over = Signal()
        earlier = Signal(signed(build.delta_bits), reset_less=True)
        begun = Signal()
        m.d.comb += [
            delta_over.eq(~fits(whole, build.delta_bits) | (whole == -limit - 1)),
            delta.eq(Mux(delta_over, Mux(whole[-1], -limit, limit), whole)),
            self.deltas.valid.eq(rounded_delta & rounded_last),
            self.deltas.payload[0].eq(Mux(begun, earlier, delta)),
            self.deltas.payload[1].eq(delta),
        ]
        with m.If(rounded_delta):
            m.d.sync += [earlier.eq(delta), begun.eq(~rounded_last)]
        return delta_over
