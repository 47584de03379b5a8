"""The proximal step of the update unit: L2, L1, a box and a ball (ZipML, section 2: prox in the update).

After each mini-batch x <- clip(soft(x - gamma lambda_2 x, gamma lambda_1), -c, c), value by value. No multiplier: to shrink x
by a small factor s is to take 2^-k of it away in a share s 2^k of the mini-batches, and a threshold's fraction of a last bit is
a whole one in as large a share of them. A phase that grows by the share and runs over says in which. So both are met to within
2^-15 of themselves, in the mean over mini-batches; 2^-k x is rounded stochastically.

A ball is neared rather than projected onto: where ||Q3||^2 exceeds its square by e, the next mini-batch takes 2^-k of the model
away instead, with k from the bits of both numbers so that it goes an eighth of the way back at least, and never beyond.
"""

from dataclasses import dataclass

import numpy as np

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS, PHASE_BITS, SHRINK_SHIFT_MAX, THRESHOLD_BITS

from .rounding import Int, stochastic_round

__all__ = ["NO_PROX", "Phases", "Prox", "apply_prox", "ball_shift"]


@dataclass(frozen=True)
class Prox:
    """Of each mini-batch of an epoch.

    ``shrink_shift``: k, 1 to 15, or 0 to shrink nothing; ``shrink_rate``: of 2^16 mini-batches, how many shrink.
    ``threshold``: in 2^-16 of the master's last bit. ``bound``: c in the master's last bit, 0 for no box. ``spare_last``: the
    last feature, the intercept's, is left alone. ``ball_square``: of the radius, in squares of Q3's last bit over 2^ball_drop,
    0 for no ball.
    """

    shrink_shift: int = 0
    shrink_rate: int = 0
    threshold: int = 0
    bound: int = 0
    spare_last: bool = False
    ball_square: int = 0

    def __post_init__(self) -> None:
        limits = {
            "shrink_shift": SHRINK_SHIFT_MAX,
            "shrink_rate": (1 << PHASE_BITS) - 1,
            "threshold": (1 << THRESHOLD_BITS) - 1,
            "bound": (1 << 31) - 1,
            "ball_square": (1 << 32) - 1,
        }
        for name, most in limits.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be in 0..{most}, not {getattr(self, name)}")

    @classmethod
    def nearest(
        cls,
        build: Build,
        *,
        shrink: float = 0.0,
        threshold: float = 0.0,
        bound: float = 0.0,
        radius: float = 0.0,
        spare_last: bool = False,
    ) -> "Prox":
        """What comes nearest on ``build``: the share ``shrink`` of the model; ``threshold``, ``bound`` and a ball's ``radius``
        in the model's units.

        Raises ValueError for what is out of range: ``shrink`` is 0 or 2^-24 to 1/2, ``threshold`` 0 or at least 2^-8 of the
        model's last bit, and below 2^16 of them; ``bound`` and ``radius`` are 0 or positive.
        """
        shift = rate = 0
        if shrink:
            if not 2.0**-24 <= shrink <= 0.5:
                raise ValueError(
                    f"step size times L2 strength must be 0 or in [2^-24, 1/2], not {shrink:g}: choose another of the two"
                )
            shift = min(SHRINK_SHIFT_MAX, int(-np.log2(shrink)))
            rate = min(round(shrink * 2.0 ** (shift + PHASE_BITS)), (1 << PHASE_BITS) - 1)
        units = round(threshold * 2.0 ** (build.model_frac + PHASE_BITS))
        if threshold and not 1 << (PHASE_BITS - 8) <= units < 1 << THRESHOLD_BITS:
            raise ValueError(
                f"step size times L1 strength must be 0 or in [{2.0 ** -(build.model_frac + 8):.2g}, "
                f"{2.0 ** (THRESHOLD_BITS - PHASE_BITS - build.model_frac):.2g}) on this build, not {threshold:g}: choose "
                f"another of the two"
            )
        for name, value in (("bound", bound), ("radius", radius)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"a {name} must be 0, for none, or a positive number, not {value:g}")
        top = (1 << (build.model_bits - 1)) - 1
        box = min(max(1, round(bound * 2.0**build.model_frac)), top) if bound else 0
        square = 0
        if radius:
            squares = round(radius**2 * 2.0 ** (2 * build.q3_frac - build.ball_drop))
            square = min(max(1, squares), (1 << 32) - 1)
        return cls(shift, rate, units, box, spare_last, square)

    @property
    def shrink(self) -> float:
        """The share of the model that a mini-batch takes away, in the mean."""
        return self.shrink_rate * 2.0 ** -(self.shrink_shift + PHASE_BITS) if self.shrink_shift else 0.0


NO_PROX = Prox()


class Phases:
    """Which mini-batches of an epoch shrink the model, and by how many last bits each one's threshold is: both phases begin an
    epoch at 0."""

    def __init__(self) -> None:
        self._shrink = self._threshold = 0

    def next(self, prox: Prox, inward: int = 0) -> tuple[int, int]:
        """By which k the next mini-batch shrinks, or 0, and its threshold. ``inward``: of :func:`ball_shift`."""
        self._shrink += prox.shrink_rate
        self._threshold += prox.threshold
        shrinks, threshold = self._shrink >> PHASE_BITS, self._threshold >> PHASE_BITS
        self._shrink %= 1 << PHASE_BITS
        self._threshold %= 1 << PHASE_BITS
        return inward or (prox.shrink_shift if shrinks else 0), threshold


def ball_shift(q3: Int, prox: Prox, build: Build) -> int:
    """k by which the model is to shrink towards its ball, 1 to 15; 0 within it, or too near to it to tell.

    With s = ||q3||^2 and e = s - r^2, what lacks is 1 - sqrt(1 - e / s), which lies between e / 2s and e / s.
    """
    if not prox.ball_square:
        return 0
    used = q3[:-1] if prox.spare_last else q3
    squares = int((used * used).sum())
    excess = squares - (prox.ball_square << build.ball_drop)
    if excess <= 0:
        return 0
    shift = squares.bit_length() + 2 - excess.bit_length()
    return shift if shift <= SHRINK_SHIFT_MAX else 0


def apply_prox(x: Int, draw: Int, shift: int, threshold: int, prox: Prox) -> Int:
    """The proximal step on master words ``x``, shape (features,). ``draw``: 31 random bits for each, the uppermost of which
    round what is taken away; ``shift``, ``threshold``: of :class:`Phases`."""
    y = x
    if shift:
        bits = draw >> (LFSR_BITS - SHRINK_SHIFT_MAX) & ((1 << shift) - 1)
        y = y - stochastic_round(y, shift, bits)
    y = y - np.clip(y, -threshold, threshold)
    if prox.bound:
        y = np.clip(y, -prox.bound, prox.bound)
    if prox.spare_last:
        y[-1] = x[-1]
    return y
