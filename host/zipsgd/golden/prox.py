"""The proximal step of the update unit: L2, L1, a box and a ball (ZipML, section 2).

After each mini-batch, x <- clip(soft(x - gamma lambda_2 x, gamma lambda_1), -c, c) for each value. Where weights may not be
negative, the box is [0, c]. This needs no multiplier.
To shrink x by a small factor s on average, 2^-k x is subtracted in a share s 2^k of the mini-batches. A threshold's fraction
of a last bit is likewise a whole bit in such a share of the mini-batches. A phase accumulator selects these mini-batches: it
adds the share each time, and its overflow marks a mini-batch. So averaged over mini-batches, both have a relative error of at
most 2^-15. 2^-k x is rounded stochastically.

A ball is approached step by step instead of projected onto. If ||Q3||^2 exceeds the squared radius by e, the next mini-batch
subtracts 2^-k of the model instead. k is derived from the bit lengths of both numbers. The step covers at least an eighth of
the remaining distance, and never overshoots.
"""

from dataclasses import dataclass

import numpy as np

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS, PHASE_BITS, SHRINK_SHIFT_MAX, THRESHOLD_BITS

from .rounding import Int, stochastic_round

__all__ = ["NO_PROX", "Phases", "Prox", "apply_prox", "ball_shift"]


@dataclass(frozen=True)
class Prox:
    """The proximal step after each mini-batch of an epoch.

    Parameters
    ----------
    shrink_shift : int
        Shift k of the shrinkage, 1 to 15; 0 for no shrinkage.
    shrink_rate : int
        Number of mini-batches out of 2^16 that shrink the model.
    threshold : int
        L1 threshold, in units of 2^-16 of the master model's last bit.
    bound : int
        Half width c of the box, in units of the master model's last bit; 0 for no box.
    nonnegative : bool
        The box is [0, c] in place of [-c, c]. It needs a ``bound``.
    spare_last : bool
        Leave the last feature, the intercept, unchanged.
    ball_square : int
        Squared radius of the ball, in units of Q3's last bit squared times 2^ball_drop; 0 for no ball.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    shrink_shift: int = 0
    shrink_rate: int = 0
    threshold: int = 0
    bound: int = 0
    nonnegative: bool = False
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
        if self.nonnegative and not self.bound:
            raise ValueError("nonnegative needs a bound: take the model's largest word where there is none")

    @classmethod
    def nearest(
        cls,
        build: Build,
        *,
        shrink: float = 0.0,
        threshold: float = 0.0,
        bound: float = 0.0,
        radius: float = 0.0,
        nonnegative: bool = False,
        spare_last: bool = False,
    ) -> "Prox":
        """The proximal step that is nearest to real-valued parameters.

        Parameters
        ----------
        build : Build
            Binary points of the model.
        shrink : float
            Share of the model that each mini-batch subtracts: 0, or 2^-24 to 1/2.
        threshold : float
            L1 threshold in the model's units: 0, or at least 2^-8 and less than 2^16 of the model's last bit.
        bound : float
            Half width of the box in the model's units; 0 for no box.
        radius : float
            Radius of the ball in the model's units; 0 for no ball.
        nonnegative : bool
            Keep the model from being negative.
        spare_last : bool
            Leave the last feature, the intercept, unchanged.

        Returns
        -------
        Prox
            The nearest step.

        Raises
        ------
        ValueError
            A parameter is out of range.
        """
        shift = rate = 0
        if shrink:
            if not 2.0**-24 <= shrink <= 0.5:
                raise ValueError(
                    f"step size times L2 strength must be 0 or in [2^-24, 1/2], not {shrink:g}: change one of the two"
                )
            shift = min(SHRINK_SHIFT_MAX, int(-np.log2(shrink)))
            rate = min(round(shrink * 2.0 ** (shift + PHASE_BITS)), (1 << PHASE_BITS) - 1)
        units = round(threshold * 2.0 ** (build.model_frac + PHASE_BITS))
        if threshold and not 1 << (PHASE_BITS - 8) <= units < 1 << THRESHOLD_BITS:
            raise ValueError(
                f"step size times L1 strength must be 0 or in [{2.0 ** -(build.model_frac + 8):.2g}, "
                f"{2.0 ** (THRESHOLD_BITS - PHASE_BITS - build.model_frac):.2g}) on this build, not {threshold:g}: change "
                f"one of the two"
            )
        for name, value in (("bound", bound), ("radius", radius)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"a {name} must be 0, for none, or a positive number, not {value:g}")
        top = (1 << (build.model_bits - 1)) - 1
        box = top if nonnegative else 0
        if bound:
            box = min(max(1, round(bound * 2.0**build.model_frac)), top)
        square = 0
        if radius:
            squares = round(radius**2 * 2.0 ** (2 * build.q3_frac - build.ball_drop))
            square = min(max(1, squares), (1 << 32) - 1)
        return cls(shift, rate, units, box, nonnegative, spare_last, square)

    @property
    def shrink(self) -> float:
        """float: Share of the model that a mini-batch subtracts on average."""
        return self.shrink_rate * 2.0 ** -(self.shrink_shift + PHASE_BITS) if self.shrink_shift else 0.0


NO_PROX = Prox()


class Phases:
    """Phase accumulators that select the mini-batches that shrink the model, and that spread a threshold's fraction.

    Both phases are 0 at the beginning of an epoch.
    """

    def __init__(self) -> None:
        self._shrink = self._threshold = 0

    def next(self, prox: Prox, inward: int = 0) -> tuple[int, int]:
        """Shift and threshold of the next mini-batch.

        Parameters
        ----------
        prox : Prox
            The proximal step of the epoch.
        inward : int
            Shift towards the ball, from :func:`ball_shift`; replaces the shrinkage if it is not 0.

        Returns
        -------
        shift : int
            Shift k by which the mini-batch shrinks the model; 0 for no shrinkage.
        threshold : int
            Threshold in units of the master model's last bit.
        """
        self._shrink += prox.shrink_rate
        self._threshold += prox.threshold
        shrinks, threshold = self._shrink >> PHASE_BITS, self._threshold >> PHASE_BITS
        self._shrink %= 1 << PHASE_BITS
        self._threshold %= 1 << PHASE_BITS
        return inward or (prox.shrink_shift if shrinks else 0), threshold


def ball_shift(q3: Int, prox: Prox, build: Build) -> int:
    """The shift k by which the model shrinks towards its ball.

    With s = ||q3||^2 and e = s - r^2, the relative distance is 1 - sqrt(1 - e / s), which lies between e / 2s and e / s.

    Parameters
    ----------
    q3 : npt.NDArray[np.int64] of shape (features,)
        The rounded model.
    prox : Prox
        Squared radius, and whether the ball excludes the intercept.
    build : Build
        Unit of the squared radius.

    Returns
    -------
    int
        1 to 15; 0 if the model is within the ball, or closer to it than a shift of 15 can resolve.
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
    """The proximal step on the words of the master model.

    Parameters
    ----------
    x : npt.NDArray[np.int64] of shape (features,)
        Master model.
    draw : npt.NDArray[np.int64] of shape (features,)
        31 random bits per value. The upper bits round the amount that is subtracted.
    shift : int
        Shift of the shrinkage, from :class:`Phases`.
    threshold : int
        Threshold, from :class:`Phases`.
    prox : Prox
        Box, and whether the intercept is left unchanged.

    Returns
    -------
    npt.NDArray[np.int64] of shape (features,)
        The new master model.
    """
    y = x
    if shift:
        bits = draw >> (LFSR_BITS - SHRINK_SHIFT_MAX) & ((1 << shift) - 1)
        y = y - stochastic_round(y, shift, bits)
    y = y - np.clip(y, -threshold, threshold)
    if prox.bound:
        y = np.clip(y, 0 if prox.nonnegative else -prox.bound, prox.bound)
    if prox.spare_last:
        y[-1] = x[-1]
    return y
