"""The loss unit for least squares: residuals, the training loss, and delta (DESIGN section 4)."""

from dataclasses import dataclass

import numpy as np

from zipsgd.protocol.formats import LABEL_FRAC, STEP_BITS, STEP_EXP_MAX, Build, Flag

from .lfsr import Lfsr
from .rounding import Int, align_draw, saturate, stochastic_round

__all__ = ["Step", "deltas", "residuals", "squared_loss"]


@dataclass(frozen=True)
class Step:
    """Step size over mini-batch size, gamma / B = mantissa * 2^-(16 + 4 * exponent)."""

    mantissa: int
    exponent: int

    def __post_init__(self) -> None:
        if not (0 <= self.mantissa < 1 << STEP_BITS and 0 <= self.exponent <= STEP_EXP_MAX):
            raise ValueError(f"no step: mantissa {self.mantissa}, exponent {self.exponent}")

    @classmethod
    def nearest(cls, value: float) -> "Step":
        """The representable step nearest to ``value``, which must lie in [2^-28, 1)."""
        for exponent in range(STEP_EXP_MAX, -1, -1):
            mantissa = round(value * 2.0 ** (STEP_BITS + 4 * exponent))
            if 0 < mantissa < 1 << STEP_BITS:
                return cls(mantissa, exponent)
        raise ValueError(
            f"step size / batch size = {value:g} is outside the datapath's range of {2.0**-28:.2g} to 1: "
            f"choose another step size"
        )

    @property
    def value(self) -> float:
        return self.mantissa * 2.0 ** -(STEP_BITS + 4 * self.exponent)


def residuals(z: Int, labels: Int, p: int, build: Build) -> tuple[Int, int]:
    """r_i = z_i - b at the residual's binary point, saturated; shape as ``z``, and the flags."""
    scaled = labels.astype(np.int64) << (build.residual_frac - LABEL_FRAC)
    return saturate((z << build.z_shift(p)) - scaled[:, None], build.residual_bits, Flag.RESIDUAL)


def squared_loss(r: Int) -> int:
    """Sum over the samples of r_1 * r_m, in units of 2^-(2 * residual_frac).

    With m = 2 the two residuals are independent, so the product's mean is the squared residual of the unquantised sample:
    the curve is unbiased, where the square of one quantised residual would add its variance.
    """
    return int(np.sum(r[:, 0] * r[:, -1]))


def deltas(r: Int, step: Step, lfsr: Lfsr, build: Build) -> tuple[Int, int]:
    """delta_i = step * r_i, stochastically rounded and saturated; shape as ``r``, and the flags.

    One draw a value from the loss unit's LFSR: samples in order, z_1 before z_2.
    """
    product = (r * step.mantissa) << (4 * (STEP_EXP_MAX - step.exponent))
    bits = np.array([lfsr.draw()[0] for _ in range(r.size)], dtype=np.int64).reshape(r.shape)
    rounded = stochastic_round(product, build.delta_drop, align_draw(bits, build.delta_drop))
    limit = (1 << (build.delta_bits - 1)) - 1  # symmetric: this saves the accumulators a bit
    clamped = np.clip(rounded, -limit, limit)
    return clamped, Flag.DELTA if np.any(clamped != rounded) else 0
