"""Losses whose derivative is a polynomial, from independent quantisations (ZipML, section 4: smooth losses by Chebyshev
approximation).

The mean of a product of independent numbers is the product of their means. So with arguments t_1, t_2, ... of independently
quantised samples, t = s z or z - b,

    c_0 + t_1 (c_1 + t_2 (c_2 + ... t_d c_d))

has the mean of the polynomial c_0 + c_1 t + ... + c_d t^d at the argument of the unquantised sample, without bias, and one more
independent quantisation makes it a gradient. The loss itself, of degree d + 1, takes them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zipsgd.protocol.formats import MOST_DEGREE, REACH_MAX, Build
from zipsgd.protocol.registers import LOSS_WORDS

from .rounding import Int

__all__ = ["Polynomial", "PolynomialWords", "horner"]


@dataclass(frozen=True)
class PolynomialWords:
    """Coefficients in units of 2^-residual_frac, lowest power first: of the derivative, d + 1, and of the loss, d + 2."""

    derivative: tuple[int, ...]
    loss: tuple[int, ...]


@dataclass(frozen=True)
class Polynomial:
    """l'(t) = sum of derivative[i] (t / 2^reach)^i, for arguments t of -2^reach to 2^reach; those beyond are saturated.

    ``constant``: l(0). Raises ValueError for a degree or reach that no device has.
    """

    derivative: tuple[float, ...]
    reach: int = REACH_MAX
    constant: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.degree <= MOST_DEGREE:
            raise ValueError(f"a polynomial must have a degree of 1 to {MOST_DEGREE}, not {self.degree}")
        if not 0 <= self.reach <= REACH_MAX:
            raise ValueError(f"reach must be in 0..{REACH_MAX}, not {self.reach}")
        if not np.all(np.isfinite([*self.derivative, self.constant])):
            raise ValueError(f"coefficients must be finite, not {self.derivative} and {self.constant}")

    @property
    def degree(self) -> int:
        return len(self.derivative) - 1

    @property
    def loss(self) -> tuple[float, ...]:
        """Coefficients of l(t) / 2^reach, in powers of t / 2^reach."""
        return (self.constant / (1 << self.reach), *(c / (i + 1) for i, c in enumerate(self.derivative)))

    def words(self, build: Build) -> PolynomialWords:
        """Raises ValueError where sums could leave [-4, 4): the size of the coefficients together bounds them."""
        limit = (1 << (build.residual_bits - 1)) - 1
        parts = []
        for what, coefficients in (("derivative", self.derivative), ("loss", self.loss)):
            words = [round(c * (1 << build.residual_frac)) for c in coefficients]
            if sum(map(abs, words)) > limit:
                size = sum(map(abs, coefficients))
                raise ValueError(
                    f"the coefficients of the polynomial's {what} add up to {size:.3g} in size, and must stay below 4, so that "
                    f"no sum overflows: take a lower degree, a smaller radius, or a loss of a smaller scale"
                )
            parts.append(tuple(words))
        return PolynomialWords(*parts)

    def window_words(self, build: Build) -> list[int]:
        """The coefficient window: those of the derivative, then, from :data:`.LOSS_WORDS` on, those of the loss."""
        words = self.words(build)
        return [*words.derivative, *[0] * (LOSS_WORDS - len(words.derivative)), *words.loss]


def horner(words: Sequence[int], t: Int, build: Build) -> Int:
    """w_0 + t_1 (w_1 + t_2 (w_2 + ...)), each product rounded to the nearest; shape (...) for ``t`` of shape (..., d).

    ``t``: arguments in units of 2^(1 - residual_bits). Nothing overflows: |t| <= 1, so that no sum is larger than the
    coefficients in it are together.
    """
    shift = build.residual_bits - 1
    total = np.full(t.shape[:-1], words[-1], dtype=np.int64)
    for i in range(t.shape[-1]):
        total = words[-2 - i] + ((t[..., i] * total + (1 << (shift - 1))) >> shift)
    return total
