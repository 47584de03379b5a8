"""The loss unit: residuals, the loss and its derivative, and delta (DESIGN section 4).

With labels b of +1 and -1, what a sample lacks to a hinge's margin is 1 - b z = -b (z - b). So every loss here is a function of
the residual r = z - b: a sample is within the margin where r and b have opposite signs, and beyond it where they have not.
Losses of a polynomial are functions of r as well, or of the margin b z itself.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE, REACH_MAX, STEP_BITS, STEP_EXP_MAX
from zipsgd.protocol.run import Flag, Loss

from .lfsr import Lfsr
from .polynomial import PolynomialWords, horner
from .prox import NO_PROX, Prox
from .rounding import Int, align_draw, saturate, stochastic_round

__all__ = [
    "Step",
    "arguments",
    "deltas",
    "derivatives",
    "doubtful",
    "loss_sum",
    "polynomial_loss",
    "residuals",
    "targets",
]


@dataclass(frozen=True)
class Step:
    """An epoch's step: gamma / B = mantissa * 2^-(16 + 4 * exponent) over mini-batches of B, and the proximal step of each."""

    mantissa: int
    exponent: int
    prox: Prox = NO_PROX

    def __post_init__(self) -> None:
        if not (0 <= self.mantissa < 1 << STEP_BITS and 0 <= self.exponent <= STEP_EXP_MAX):
            raise ValueError(f"no step: mantissa {self.mantissa}, exponent {self.exponent}")

    @classmethod
    def nearest(cls, value: float, prox: Prox = NO_PROX) -> "Step":
        """The representable step nearest to ``value``, which must lie in [2^-28, 1)."""
        for exponent in range(STEP_EXP_MAX, -1, -1):
            mantissa = round(value * 2.0 ** (STEP_BITS + 4 * exponent))
            if 0 < mantissa < 1 << STEP_BITS:
                return cls(mantissa, exponent, prox)
        raise ValueError(
            f"step size / batch size = {value:g} is outside the datapath's range of {2.0**-28:.2g} to 1: "
            f"choose another step size"
        )

    @property
    def value(self) -> float:
        return self.mantissa * 2.0 ** -(STEP_BITS + 4 * self.exponent)


def targets(labels: Int, heads: int, one_against_all: bool) -> Int:
    """The label that each head sees, shape (samples, heads).

    ``labels``: shape (samples,), or (samples, heads) of a label for each. With ``one_against_all`` they are the numbers of the
    samples' classes, and a head's own is +1 to it, any other -1.
    """
    if one_against_all:
        return np.where(labels[:, None] == np.arange(heads), LABEL_ONE, -LABEL_ONE)
    return labels.reshape(-1, heads)


def _exact_residuals(z: Int, labels: Int, p: int, build: Build) -> Int:
    """z - b at the residual's binary point, before it is saturated."""
    return (z << build.z_shift(p)) - (labels.astype(np.int64) << (build.residual_frac - LABEL_FRAC))[
        ..., None
    ]


def _signs(labels: Int) -> Int:
    """+1 or -1 of each label, shape (..., 1)."""
    return np.where(labels < 0, -1, 1)[..., None]


def residuals(z: Int, labels: Int, p: int, build: Build) -> tuple[Int, int]:
    """r_i = z_i - b at the residual's binary point, saturated; shape (..., m) as ``z``, and the flags.

    ``labels``: shape (...).
    """
    return saturate(_exact_residuals(z, labels, p, build), build.residual_bits, Flag.RESIDUAL)


def derivatives(r: Int, labels: Int, loss: Loss, build: Build) -> tuple[Int, Int]:
    """The residuals that count, others being 0, and the loss's derivative at each z_i; shape as ``r``.

    A hinge's derivative is -b within the margin, at the residual's binary point.
    """
    if loss == Loss.SQUARED:
        return r, r
    sign = _signs(labels)
    within = np.where(sign * r < 0, r, 0)
    if loss == Loss.SQUARED_HINGE:
        return within, within
    return within, np.where(within != 0, -sign << build.residual_frac, 0)


def doubtful(z: Int, labels: Int, p: int, bounds: tuple[int, int], build: Build) -> npt.NDArray[np.bool_]:
    """Whether the unquantised sample may be on either side of the margin; shape (samples,).

    ``z``: the reference of ``bounds``, which are those of :func:`zipsgd.golden.bound.score_bounds`; it and ``labels``: shape
    (samples,).
    """
    residual = _exact_residuals(z[:, None], labels, p, build)[:, 0]
    below, above = (bound << build.z_shift(p) for bound in bounds)
    return np.asarray((residual <= below) & (-residual <= above))


def loss_sum(within: Int, derivative: Int) -> int:
    """Sum over the samples of r_1 * l'(z_m), in units of 2^-(2 * residual_frac): twice a squared loss, or the hinge.

    With m = 2 the two are independent, so that the product of two residuals has the squared residual of the unquantised sample
    as its mean: the curve is unbiased, where the square of one quantised residual would add its variance.
    """
    return int(np.sum(within[..., 0] * derivative[..., -1]))


def arguments(z: Int, labels: Int, p: int, reach: int, loss: Loss, build: Build) -> tuple[Int, int]:
    """A polynomial's t_i: the margin s z_i, or z_i - b; shape (..., m) as ``z``, and the flags.

    In units of 2^(reach + 1 - residual_bits), saturated to [-2^reach, 2^reach). ``labels``: shape (...).
    """
    if loss == Loss.POLYNOMIAL_MARGIN:
        exact = (z << build.z_shift(p)) * _signs(labels)
    else:
        exact = _exact_residuals(z, labels, p, build)
    return saturate(exact << (REACH_MAX - reach), build.residual_bits, Flag.RESIDUAL)


def polynomial_loss(t: Int, labels: Int, loss: Loss, words: PolynomialWords, build: Build) -> tuple[Int, int]:
    """The derivatives for :func:`deltas`, shape (..., 2) or, with m < 2, (..., 1), and the loss sum.

    ``t``: shape (..., max(1, m)), of :func:`arguments`. The first derivative is of t_1 ... t_d and the second of t_2 ...
    t_(d+1), so that each leaves a quantisation out to multiply it with; the loss takes t_1 ... t_(d+1). Where there are fewer,
    the last one stands in for those that there are not, and the result is biased. In units of 2^-residual_frac, the loss's
    of 2^(reach - 2 * residual_frac).
    """
    degree = len(words.derivative) - 1
    last = t.shape[-1] - 1
    used = t[..., np.minimum(np.arange(degree + 1), last)]
    sums = [horner(words.derivative, used[..., :degree], build)]
    if last:
        sums.append(horner(words.derivative, used[..., 1:], build))
    derivative = np.stack(sums, axis=-1)
    if loss == Loss.POLYNOMIAL_MARGIN:
        derivative = derivative * _signs(labels)
    return derivative, int(np.sum(horner(words.loss, used, build))) << build.residual_frac


def deltas(derivative: Int, step: Step, lfsr: Lfsr, build: Build) -> tuple[Int, int]:
    """delta_i = step * l'_i, stochastically rounded and saturated; shape (samples, 1 or 2) or (samples, heads, 1 or 2) as
    ``derivative``, and the flags.

    One draw for each sample and i from the loss unit's LFSR, in order: for all heads the same.
    """
    product = (derivative * step.mantissa) << (4 * (STEP_EXP_MAX - step.exponent))
    count, *heads, each = derivative.shape
    bits = np.array([lfsr.draw()[0] for _ in range(count * each)], dtype=np.int64)
    draw = align_draw(bits.reshape(count, *(1 for _ in heads), each), build.delta_drop)
    rounded = stochastic_round(product, build.delta_drop, draw)
    limit = (1 << (build.delta_bits - 1)) - 1  # symmetric: this saves the accumulators a bit
    clamped = np.clip(rounded, -limit, limit)
    return clamped, Flag.DELTA if np.any(clamped != rounded) else 0
