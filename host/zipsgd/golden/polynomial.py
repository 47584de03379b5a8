"""Losses whose derivative is a polynomial, computed without bias from independent quantisations (ZipML, section 4).

The mean of a product of independent numbers is the product of their means. So with arguments t_1, t_2, ... of independently
quantised samples, where t = s z or z - b,

    c_0 + t_1 (c_1 + t_2 (c_2 + ... t_d c_d))

is an unbiased estimate of the polynomial c_0 + c_1 t + ... + c_d t^d at the argument of the unquantised sample. The product
with one more independent quantisation is an unbiased gradient. The loss itself has degree d + 1, and uses all arguments. ZipML
approximates smooth losses by Chebyshev polynomials.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_DEGREE, REACH_MAX
from zipsgd.protocol.registers import LOSS_WORDS

from .rounding import Int

__all__ = ["Polynomial", "PolynomialWords", "horner"]


@dataclass(frozen=True)
class PolynomialWords:
    """Coefficients as the device stores them, lowest power first, in units of 2^-residual_frac.

    Parameters
    ----------
    derivative : tuple[int, ...]
        The d + 1 coefficients of the derivative.
    loss : tuple[int, ...]
        The d + 2 coefficients of the loss.
    """

    derivative: tuple[int, ...]
    loss: tuple[int, ...]


@dataclass(frozen=True)
class Polynomial:
    """A loss with the derivative l'(t) = sum of derivative[i] (t / 2^reach)^i.

    Parameters
    ----------
    derivative : tuple[float, ...]
        Coefficients of the derivative, lowest power first.
    reach : int
        The polynomial holds for arguments t in [-2^reach, 2^reach); arguments beyond are saturated. 0 to 2.
    constant : float
        l(0).

    Raises
    ------
    ValueError
        No device supports this degree or reach, or a coefficient is not finite.
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
        """int: Degree d of the derivative."""
        return len(self.derivative) - 1

    @property
    def loss(self) -> tuple[float, ...]:
        """tuple[float, ...]: Coefficients of l(t) / 2^reach in powers of t / 2^reach, lowest power first."""
        return (self.constant / (1 << self.reach), *(c / (i + 1) for i, c in enumerate(self.derivative)))

    def words(self, build: Build) -> PolynomialWords:
        """The coefficients in a build's fixed point.

        Parameters
        ----------
        build : Build
            Width and binary point of the residual.

        Returns
        -------
        PolynomialWords
            Rounded coefficients.

        Raises
        ------
        ValueError
            The sum of the coefficients' absolute values is 4 or more, so that sums could leave [-4, 4).
        """
        limit = (1 << (build.residual_bits - 1)) - 1
        parts = []
        for what, coefficients in (("derivative", self.derivative), ("loss", self.loss)):
            words = [round(c * (1 << build.residual_frac)) for c in coefficients]
            if sum(map(abs, words)) > limit:
                size = sum(map(abs, coefficients))
                raise ValueError(
                    f"the absolute coefficients of the polynomial's {what} add up to {size:.3g}, and must stay below 4, so "
                    f"that no sum overflows"
                )
            parts.append(tuple(words))
        return PolynomialWords(*parts)

    def window_words(self, build: Build) -> list[int]:
        """The contents of the device's coefficient window.

        Parameters
        ----------
        build : Build
            Width and binary point of the residual.

        Returns
        -------
        list[int]
            Coefficients of the derivative, and from :data:`zipsgd.protocol.registers.LOSS_WORDS` on those of the loss.
        """
        words = self.words(build)
        return [*words.derivative, *[0] * (LOSS_WORDS - len(words.derivative)), *words.loss]


def horner(words: Sequence[int], t: Int, build: Build) -> Int:
    """w_0 + t_1 (w_1 + t_2 (w_2 + ...)), with each product rounded to nearest.

    No sum can overflow: as |t| <= 1, no sum exceeds the sum of the coefficients' absolute values.

    Parameters
    ----------
    words : Sequence[int]
        The d + 1 coefficients.
    t : npt.NDArray[np.int64] of shape (..., d)
        Arguments in units of 2^(1 - residual_bits).
    build : Build
        Width of the residual.

    Returns
    -------
    npt.NDArray[np.int64] of shape (...)
        In the unit of the coefficients.
    """
    shift = build.residual_bits - 1
    total = np.full(t.shape[:-1], words[-1], dtype=np.int64)
    for i in range(t.shape[-1]):
        total = words[-2 - i] + ((t[..., i] * total + (1 << (shift - 1))) >> shift)
    return total
