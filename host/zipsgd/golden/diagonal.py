"""The diagonal: what makes the gradient of one quantisation unbiased (``docs/one_draw.md``).

With one stochastic quantisation Q of a sample a on both sides, the mean of the gradient of least squares is

    E[Q (Q^T x - b)] = a (a^T x - b) + v * x,      v_j = (u - a_j)(a_j - l)

where v_j is the variance with which a_j is rounded to one of its neighbouring levels l and u. Over the rows the bias is d * x,
where d_j is the mean of v_j. The host knows d. So after each mini-batch the device adds gamma d_j x_j to each weight, and the
bias is gone (corrected least squares, Loh & Wainwright 2012).

This needs no multiplier. In each mini-batch some features have their *turn*: those whose variance is above a number that
changes from one mini-batch to the next. A feature in turn grows by 2^-k of itself, stochastically rounded. The number steps
evenly through a range, so that each feature has its turn in a share of the mini-batches that is proportional to its variance.

For the squared hinge only samples within the margin add to the bias. Their share is that of mini-batches whose last sample is
within the margin, as the order of the samples is random. The model grows in these mini-batches only.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LFSR_BITS, RANGE_BITS, SHRINK_SHIFT_MAX, VARIANCE_BITS

from .rounding import Int, stochastic_round

__all__ = ["NO_GROWTH", "Diagonal", "Growth", "Turns", "grown"]

_TOP = (1 << VARIANCE_BITS) - 1
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
"""Steps of this part of a range fill it evenly, however many they are."""


@dataclass(frozen=True, eq=False)
class Diagonal:
    """The mean variance with which the values of each column are quantised.

    Parameters
    ----------
    words : npt.NDArray[np.int64] of shape (features,)
        Variances in units of ``unit``, 0 to 2^16 - 1.
    unit : float
        The variance that one unit stands for, of values in the device's units.

    Raises
    ------
    ValueError
        A word is out of range.
    """

    words: Int
    unit: float

    def __post_init__(self) -> None:
        if self.words.ndim != 1 or self.words.min() < 0 or self.words.max() > _TOP:
            raise ValueError(f"the variances of columns must be a vector of words in 0..{_TOP}")

    @classmethod
    def nearest(cls, variances: npt.NDArray[np.float64]) -> "Diagonal":
        """The diagonal that is nearest to given variances; the largest one has the largest word.

        Parameters
        ----------
        variances : npt.NDArray[np.float64] of shape (features,)
            Variances in the device's units, 0 or positive.

        Returns
        -------
        Diagonal
            The diagonal.
        """
        unit = float(variances.max(initial=0)) / _TOP
        if not unit:
            return cls(np.zeros(variances.size, dtype=np.int64), 0.0)
        return cls(np.rint(variances / unit).astype(np.int64), unit)


@dataclass(frozen=True)
class Growth:
    """How the weights grow after each mini-batch of an epoch. A variance word w makes w / range * 2^-shift of the weight on
    average.

    Parameters
    ----------
    shift : int
        Shift k of the growth, 1 to 15; 0 for no growth.
    range : int
        The number that selects features runs through 0..range - 1; at least 1.
    stride : int
        Step of this number from mini-batch to mini-batch, below ``range``.
    start : int
        The number for the first mini-batch of the epoch, below ``range``.

    Raises
    ------
    ValueError
        A parameter is out of range.
    """

    shift: int = 0
    range: int = 1
    stride: int = 0
    start: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.shift <= SHRINK_SHIFT_MAX:
            raise ValueError(f"the shift of a growth must be in 0..{SHRINK_SHIFT_MAX}, not {self.shift}")
        if not 1 <= self.range < 1 << RANGE_BITS:
            raise ValueError(f"the range of a growth must be in 1..{(1 << RANGE_BITS) - 1}, not {self.range}")
        if not (0 <= self.stride < self.range and 0 <= self.start < self.range):
            raise ValueError(
                f"stride and start of a growth must be in 0..{self.range - 1}, not {self.stride} and {self.start}"
            )

    @classmethod
    def nearest(cls, unit: float, turns: int = 0) -> "Growth":
        """The growth that is nearest to a real number.

        Parameters
        ----------
        unit : float
            Share of itself by which a weight with the variance word 1 grows in a mini-batch.
        turns : int
            Mini-batches before the epoch, from which its start follows, so that turns go on evenly from epoch to epoch.

        Returns
        -------
        Growth
            The nearest growth; none if it is so small that it does not matter (below 2^-23 of the weight).

        Raises
        ------
        ValueError
            A weight would grow by more than half of itself in a mini-batch.
        """
        largest = unit * _TOP
        if largest > 0.5:
            raise ValueError(
                f"the step is too large for one draw: a mini-batch would add {largest:.2g} of itself to a weight, and 0.5 is "
                f"the most; choose a smaller step_size, more bits, or estimator='double'"
            )
        if not largest:
            return NO_GROWTH
        shift = min(SHRINK_SHIFT_MAX, math.floor(-math.log2(largest)))
        size = round(2.0**-shift / unit)
        if size >= 1 << RANGE_BITS:
            return NO_GROWTH
        stride = round(size * _GOLDEN_RATIO)
        while math.gcd(stride, size) > 1:
            stride -= 1
        return cls(shift, size, stride, turns * stride % size)

    @classmethod
    def of_samples(
        cls, diagonal: Diagonal | None, step: float, samples: int, batch: int, number: int
    ) -> "Growth":
        """The growth of an epoch, or of a shard's part of one, that corrects the bias of one draw.

        The last mini-batch may have fewer samples than the others, so it is the mean number of samples that counts.

        Parameters
        ----------
        diagonal : Diagonal or None
            The variances; None for no growth.
        step : float
            Step size over mini-batch size.
        samples : int
            Samples that are taken, 1 or more.
        batch : int
            Samples of a mini-batch.
        number : int
            How many such parts were taken before.

        Returns
        -------
        Growth
            The growth.

        Raises
        ------
        ValueError
            As of :meth:`nearest`.
        """
        if diagonal is None:
            return NO_GROWTH
        batches = -(-samples // batch)
        return cls.nearest(step * samples / batches * diagonal.unit, number * batches)


NO_GROWTH = Growth()
"""No growth: the estimators besides one draw."""


class Turns:
    """The numbers that select features, one for each mini-batch of an epoch.

    Parameters
    ----------
    growth : Growth
        Range, stride and start.
    """

    def __init__(self, growth: Growth) -> None:
        self._growth = growth
        self._number = growth.start

    def next(self) -> int:
        """The number of the next mini-batch.

        Returns
        -------
        int
            0 to range - 1. Features with a larger variance word have their turn.
        """
        number = self._number
        self._number = (number + self._growth.stride) % self._growth.range
        return number


def grown(x: Int, draw: Int, in_turn: npt.NDArray[np.bool_], shift: int) -> Int:
    """What is added to the words of the master model.

    Parameters
    ----------
    x : npt.NDArray[np.int64] of shape (features,)
        Master model before the mini-batch.
    draw : npt.NDArray[np.int64] of shape (features,)
        31 random bits per value. The lowest bits, which Q4 also uses, round the amount.
    in_turn : npt.NDArray[np.bool_] of shape (features,)
        Which features grow.
    shift : int
        The shift k.

    Returns
    -------
    npt.NDArray[np.int64] of shape (features,)
        2^-k x of the features in turn, stochastically rounded; 0 for the others. At most half of x in size, so that the sum
        has at most one bit more than x.
    """
    assert shift <= SHRINK_SHIFT_MAX <= LFSR_BITS
    return np.where(in_turn, stochastic_round(x, shift, draw & ((1 << shift) - 1)), 0)
