"""The loss unit: residuals, the loss and its derivative, and delta (ZipML, sections 2.2 and 4).

With labels b = +1 or -1, the hinge's margin deficit is 1 - b z = -b (z - b). So every loss here is a function of the residual
r = z - b: a sample is within the margin if r and b have opposite signs, and beyond it otherwise. Polynomial losses are
functions of r too, or of the margin b z.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE, REACH_MAX, STEP_BITS, STEP_EXP_MAX
from zipsgd.protocol.run import Flag, Loss

from .diagonal import NO_GROWTH, Growth
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
    """Step size of an epoch, and the proximal step and the growth after each of its mini-batches.

    The step size gamma over the mini-batch size B is mantissa * 2^-(16 + 4 * exponent).

    Parameters
    ----------
    mantissa : int
        0 to 2^16 - 1.
    exponent : int
        0 to 3.
    prox : Prox
        The proximal step; by default none.
    growth : Growth
        The growth that corrects the bias of one quantisation; by default none.

    Raises
    ------
    ValueError
        Mantissa or exponent is out of range.
    """

    mantissa: int
    exponent: int
    prox: Prox = NO_PROX
    growth: Growth = NO_GROWTH

    def __post_init__(self) -> None:
        if not (0 <= self.mantissa < 1 << STEP_BITS and 0 <= self.exponent <= STEP_EXP_MAX):
            raise ValueError(
                f"a step needs a mantissa in 0..{(1 << STEP_BITS) - 1} and an exponent in 0..{STEP_EXP_MAX}, not "
                f"{self.mantissa} and {self.exponent}"
            )

    @classmethod
    def nearest(cls, value: float, prox: Prox = NO_PROX) -> "Step":
        """The representable step that is nearest to a value.

        Parameters
        ----------
        value : float
            Step size over mini-batch size, in [2^-28, 1).
        prox : Prox
            The proximal step; by default none.

        Returns
        -------
        Step
            The nearest step.

        Raises
        ------
        ValueError
            The value is out of range.
        """
        for exponent in range(STEP_EXP_MAX, -1, -1):
            mantissa = round(value * 2.0 ** (STEP_BITS + 4 * exponent))
            if 0 < mantissa < 1 << STEP_BITS:
                return cls(mantissa, exponent, prox)
        raise ValueError(
            f"step size / batch size = {value:g} is outside the datapath's range of {2.0**-28:.2g} to 1: "
            f"choose another step size"
        )

    @property
    def still(self) -> bool:
        """bool: Whether the model stays as it is."""
        return not self.mantissa and self.prox == NO_PROX and not self.growth.shift

    @property
    def value(self) -> float:
        """float: Step size over mini-batch size."""
        return self.mantissa * 2.0 ** -(STEP_BITS + 4 * self.exponent)


def targets(labels: Int, heads: int, one_against_all: bool) -> Int:
    """The label that each head is trained on.

    Parameters
    ----------
    labels : npt.NDArray[np.int64] of shape (samples,) or (samples, heads)
        One label per sample, or one per head and sample.
    heads : int
        Number of models that are trained side by side.
    one_against_all : bool
        The labels are class indices. The label is +1 for the head with this index, and -1 for the others.

    Returns
    -------
    npt.NDArray[np.int64] of shape (samples, heads)
        Labels in units of 2^-15.
    """
    if one_against_all:
        return np.where(labels[:, None] == np.arange(heads), LABEL_ONE, -LABEL_ONE)
    return labels.reshape(-1, heads)


def _exact_residuals(z: Int, labels: Int, p: int, build: Build) -> Int:
    """z - b at the residual's binary point, before saturation."""
    return (z << build.z_shift(p)) - (labels.astype(np.int64) << (build.residual_frac - LABEL_FRAC))[
        ..., None
    ]


def _signs(labels: Int) -> Int:
    """+1 or -1 for each label, with a last axis of length 1."""
    return np.where(labels < 0, -1, 1)[..., None]


def residuals(z: Int, labels: Int, p: int, build: Build) -> tuple[Int, int]:
    """Residuals r_i = z_i - b, saturated.

    Parameters
    ----------
    z : npt.NDArray[np.int64] of shape (..., m)
        Dot products.
    labels : npt.NDArray[np.int64] of shape (...)
        Labels in units of 2^-15.
    p : int
        Number of base planes that z was computed from.
    build : Build
        Widths and binary points.

    Returns
    -------
    r : npt.NDArray[np.int64] of shape (..., m)
        Residuals with ``build.residual_frac`` fraction bits.
    flags : int
        ``Flag.RESIDUAL`` if a residual was saturated, else 0.
    """
    return saturate(_exact_residuals(z, labels, p, build), build.residual_bits, Flag.RESIDUAL)


def derivatives(r: Int, labels: Int, loss: Loss, build: Build) -> tuple[Int, Int]:
    """The residuals of samples within the margin, and the loss's derivative at each z_i.

    The derivative of the squared loss and of the squared hinge is the residual itself. The derivative of the hinge is -b within
    the margin.

    Parameters
    ----------
    r : npt.NDArray[np.int64] of shape (..., m)
        Residuals.
    labels : npt.NDArray[np.int64] of shape (...)
        Labels; of a hinge, only their signs are used.
    loss : Loss
        The loss.
    build : Build
        Widths and binary points.

    Returns
    -------
    within : npt.NDArray[np.int64] of shape (..., m)
        Residuals of samples within the margin, 0 for the others.
    derivative : npt.NDArray[np.int64] of shape (..., m)
        Derivatives with ``build.residual_frac`` fraction bits.
    """
    if loss == Loss.SQUARED:
        return r, r
    sign = _signs(labels)
    within = np.where(sign * r < 0, r, 0)
    if loss == Loss.SQUARED_HINGE:
        return within, within
    return within, np.where(within != 0, -sign << build.residual_frac, 0)


def doubtful(z: Int, labels: Int, p: int, bounds: tuple[int, int], build: Build) -> npt.NDArray[np.bool_]:
    """Whether the unquantised sample could lie on either side of the margin.

    Parameters
    ----------
    z : npt.NDArray[np.int64] of shape (samples,)
        Reference scores of the bounds.
    labels : npt.NDArray[np.int64] of shape (samples,)
        Labels in units of 2^-15.
    p : int
        Number of base planes that z was computed from.
    bounds : tuple[int, int]
        From :func:`zipsgd.golden.bound.score_bounds`.
    build : Build
        Widths and binary points.

    Returns
    -------
    npt.NDArray[np.bool_] of shape (samples,)
        True where the sample is in doubt.
    """
    residual = _exact_residuals(z[:, None], labels, p, build)[:, 0]
    below, above = (bound << build.z_shift(p) for bound in bounds)
    return np.asarray((residual <= below) & (-residual <= above))


def loss_sum(within: Int, derivative: Int) -> int:
    """The loss summed over the samples: the sum of r_1 * l'(z_m).

    This is the hinge, or twice a squared loss. With m = 2, the two factors are independent. So the mean of the product of two
    residuals is the squared residual of the unquantised sample, and the loss curve is unbiased. The square of one quantised
    residual would also contain its variance.

    Parameters
    ----------
    within : npt.NDArray[np.int64] of shape (..., m)
        Residuals of samples within the margin, from :func:`derivatives`.
    derivative : npt.NDArray[np.int64] of shape (..., m)
        Derivatives, from :func:`derivatives`.

    Returns
    -------
    int
        In units of 2^-(2 * residual_frac).
    """
    return int(np.sum(within[..., 0] * derivative[..., -1]))


def arguments(z: Int, labels: Int, p: int, reach: int, loss: Loss, build: Build) -> tuple[Int, int]:
    """The arguments t_i of a polynomial loss: the margins s z_i, or the residuals z_i - b.

    Parameters
    ----------
    z : npt.NDArray[np.int64] of shape (..., m)
        Dot products.
    labels : npt.NDArray[np.int64] of shape (...)
        Labels in units of 2^-15.
    p : int
        Number of base planes that z was computed from.
    reach : int
        The arguments are saturated to [-2^reach, 2^reach).
    loss : Loss
        Whether the argument is the margin or the residual.
    build : Build
        Widths and binary points.

    Returns
    -------
    t : npt.NDArray[np.int64] of shape (..., m)
        In units of 2^(reach + 1 - residual_bits).
    flags : int
        ``Flag.RESIDUAL`` if an argument was saturated, else 0.
    """
    if loss == Loss.POLYNOMIAL_MARGIN:
        exact = (z << build.z_shift(p)) * _signs(labels)
    else:
        exact = _exact_residuals(z, labels, p, build)
    return saturate(exact << (REACH_MAX - reach), build.residual_bits, Flag.RESIDUAL)


def polynomial_loss(t: Int, labels: Int, loss: Loss, words: PolynomialWords, build: Build) -> tuple[Int, int]:
    """The derivatives of a polynomial loss and the sum of the loss (ZipML, section 4).

    For degree d, the first derivative is computed from t_1 ... t_d and the second from t_2 ... t_(d+1). So each leaves out one
    quantisation, which it is later multiplied with. The loss is computed from t_1 ... t_(d+1). If there are fewer arguments,
    the last one replaces the missing ones, and the result is biased.

    Parameters
    ----------
    t : npt.NDArray[np.int64] of shape (..., max(1, m))
        Arguments, from :func:`arguments`.
    labels : npt.NDArray[np.int64] of shape (...)
        Labels; only their signs are used.
    loss : Loss
        Whether the argument is the margin or the residual.
    words : PolynomialWords
        Coefficients of the derivative and of the loss.
    build : Build
        Widths and binary points.

    Returns
    -------
    derivative : npt.NDArray[np.int64] of shape (..., 2), or (..., 1) with m < 2
        In units of 2^-residual_frac.
    loss : int
        Sum of the loss, in units of 2^(reach - 2 * residual_frac).
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
    """delta_i = step * l'_i, stochastically rounded and saturated.

    The loss unit's LFSR is drawn from once for each sample and i, in this order. All heads use the same draws.

    Parameters
    ----------
    derivative : npt.NDArray[np.int64] of shape (samples, 1 or 2) or (samples, heads, 1 or 2)
        Derivatives with ``build.residual_frac`` fraction bits.
    step : Step
        Step size over mini-batch size.
    lfsr : Lfsr
        The loss unit's generator.
    build : Build
        Widths and binary points.

    Returns
    -------
    delta : npt.NDArray[np.int64] with the shape of ``derivative``
        With ``build.delta_frac`` fraction bits.
    flags : int
        ``Flag.DELTA`` if a delta was saturated, else 0.
    """
    product = (derivative * step.mantissa) << (4 * (STEP_EXP_MAX - step.exponent))
    count, *heads, each = derivative.shape
    bits = np.array([lfsr.draw()[0] for _ in range(count * each)], dtype=np.int64)
    draw = align_draw(bits.reshape(count, *(1 for _ in heads), each), build.delta_drop)
    rounded = stochastic_round(product, build.delta_drop, draw)
    limit = (1 << (build.delta_bits - 1)) - 1  # symmetric: this saves the accumulators a bit
    clamped = np.clip(rounded, -limit, limit)
    return clamped, Flag.DELTA if np.any(clamped != rounded) else 0
