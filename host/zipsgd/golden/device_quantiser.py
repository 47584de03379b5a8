"""Stochastic rounding of raw words on a device, beside a sensor (``docs/sensor.md``).

A sample comes as raw words: its columns in their order, then its label. Scaled (:mod:`.scale_table`), a column's value a in
[-1, 1] has F fraction bits. Its base is the largest level k Delta <= a, where Delta = 2^(1-p), as for the host's samples
(:mod:`.quantise`). What is left, a / Delta - k, has w = F - (p - 1) bits, and up bit i is the carry when w bits of a draw are
added to it.

There are two generators (:mod:`.lfsr`), and both go on once for each feature, whatever p and m are; the intercept is a feature.
So up bits depend on the seeds and on the place of a value in the stream, and never on timing. A draw is the exclusive or of one
generator's state and of the other one's with its bits in another order (:func:`crossed`).

Bias. Over all pairs of states but 0, of which there are N^2 with N = 2^31 - 1, a draw has each value but 0 in N - 1 pairs. A
draw of 0 never carries. So the probability of an up bit is f (1 - 1 / N^2), where f is the fraction a / Delta - k. There is no
other error, since a itself is exact. The bits that are used of any two draws, the two of a value or those of values up to 4096
places apart, are independent linear functions of the 62 bits of the states. So the probability that both carry is the product
of the two, to within 2^-30. This is what a gradient of least squares needs, which has products of two roundings. One generator
for each up bit would not do: only the upper 10 bits of its successive draws are independent. All this is about the mean over
runs with different seeds. In one run the two states stay at one distance in the cycle of states; ``zipsgd bench
device-quantiser`` measures one.

A label is the scaled value, rounded half up to 15 fraction bits.
"""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LABEL_BITS, LABEL_FRAC, LFSR_BITS
from zipsgd.protocol.raw_words import CROSSINGS, GENERATORS, LABEL_SATURATED, VALUE_SATURATED, value_frac

from .lfsr import Lfsr
from .quantise import Codes, level_offset
from .rounding import Int, align_draw, saturate, stochastic_round
from .scale_table import ScaleTable

__all__ = ["DeviceQuantiser", "crossed", "label_words", "quantiser_seeds", "round_values"]

_Flags = npt.NDArray[np.bool_]


def quantiser_seeds(seed: int) -> list[int]:
    """Seeds of the two generators. They differ from those of the training core, see :func:`.lfsr.seed_words`.

    Parameters
    ----------
    seed : int
        Seed of the run.

    Returns
    -------
    list[int]
        Two seeds in 1..2^31 - 1.
    """
    words = np.random.SeedSequence(seed, spawn_key=(0,)).generate_state(GENERATORS, np.uint32)
    return [word % ((1 << LFSR_BITS) - 1) + 1 for word in words.tolist()]


def crossed(states: Int) -> Int:
    """Draws of both generators: each one's state with the other one's, the bits of which are taken backwards in steps of two.

    Parameters
    ----------
    states : npt.NDArray[np.int64] of shape (..., 2)
        States of the generators.

    Returns
    -------
    npt.NDArray[np.int64] of shape (..., 2)
        Draws of 31 bits.
    """
    draws = states.copy()
    for number, first in enumerate(CROSSINGS):
        other = states[..., 1 - number]
        for place in range(LFSR_BITS):
            draws[..., number] ^= (other >> (first - 2 * place) % LFSR_BITS & 1) << place
    return draws


def round_values(values: Int, raw_bits: int, p: int, m: int, draws: Int) -> tuple[Int, Int]:
    """Round values stochastically.

    Parameters
    ----------
    values : npt.NDArray[np.int64] of shape (...)
        In units of 2^-F, from -2^F to 2^F, both included.
    raw_bits : int
        Bits of a raw word, from which F follows.
    p : int
        Base planes.
    m : int
        Up planes.
    draws : npt.NDArray[np.int64] of shape (..., 2)
        Draws of 31 bits, from :func:`crossed`.

    Returns
    -------
    base, up : npt.NDArray[np.int64] of shape (...)
        As of :class:`.quantise.Codes`. The value 1 has the highest base and all up bits.
    """
    drop = value_frac(raw_bits) - (p - 1)
    base = np.minimum(values >> drop, level_offset(p) - 1)
    up = np.zeros_like(base)
    for i in range(m):
        up |= (stochastic_round(values, drop, align_draw(draws[..., i], drop)) - base) << i
    return base, up


def label_words(values: Int, raw_bits: int) -> tuple[Int, _Flags]:
    """Round values half up to labels.

    Parameters
    ----------
    values : npt.NDArray[np.int64] of any shape
        In units of 2^-F, from -2^F to 2^F, both included.
    raw_bits : int
        Bits of a raw word, from which F follows.

    Returns
    -------
    labels : npt.NDArray[np.int64] of the same shape
        Labels in units of 2^-15.
    saturated : npt.NDArray[np.bool_] of the same shape
        Which of them were rounded to 1, and became the largest label.
    """
    drop = value_frac(raw_bits) - LABEL_FRAC
    rounded = (values + (1 << drop >> 1)) >> drop
    labels, _ = saturate(rounded, LABEL_BITS, 0)
    return labels, labels != rounded


class DeviceQuantiser:
    """Quantises a stream of samples.

    Parameters
    ----------
    table : ScaleTable
        Centre and scale of each column, and of the labels.
    p : int
        Base planes, 1 to 8.
    m : int
        Up planes, 0 to 2.
    intercept : bool
        A last feature is added whose value is 1.
    seeds : list of int
        Seeds of the two generators, from :func:`quantiser_seeds`; they must differ.

    Attributes
    ----------
    flags : int
        Bits VALUE_SATURATED and LABEL_SATURATED of :mod:`zipsgd.protocol.raw_words`: what was outside its range so far.
    saturated : int
        How many values and labels were outside.

    Raises
    ------
    ValueError
        p or m is out of range, or the seeds are equal.
    """

    def __init__(
        self, table: ScaleTable, p: int, m: int, *, intercept: bool = True, seeds: list[int]
    ) -> None:
        if not (1 <= p <= 8 and 0 <= m <= GENERATORS):
            raise ValueError(
                f"a device quantises to 1 to 8 base planes and 0 to 2 up planes, not {p} and {m}"
            )
        if seeds[0] == seeds[1]:
            raise ValueError("the two generators need different seeds: take those of quantiser_seeds")
        self.table = table
        self.flags = 0
        self.saturated = 0
        self._p, self._m, self._intercept = p, m, intercept
        self._lfsr = Lfsr(seeds)

    @property
    def state(self) -> npt.NDArray[np.uint64]:
        """npt.NDArray[np.uint64] of shape (2,): States of the generators."""
        return self._lfsr.state

    def quantise(self, raw: Int) -> Codes:
        """Quantise the next samples of the stream.

        Parameters
        ----------
        raw : npt.NDArray[np.int64] of shape (samples, columns + 1)
            Raw words, as the converter gives them; labels are last.

        Returns
        -------
        Codes
            The samples.

        Raises
        ------
        ValueError
            A raw word has too many bits.
        """
        scaled, over = self.table.scaled(raw)
        labels, label_over = label_words(scaled[:, -1], self.table.raw_bits)
        self._count(over[:, :-1], VALUE_SATURATED)
        self._count(over[:, -1] | label_over, LABEL_SATURATED)
        values = scaled[:, :-1]
        if self._intercept:
            values = np.column_stack([values, np.full(len(values), 1 << value_frac(self.table.raw_bits))])
        draws = crossed(self._lfsr.draws(values.size)).reshape(*values.shape, GENERATORS)
        base, up = round_values(values, self.table.raw_bits, self._p, self._m, draws)
        return Codes(base.astype(np.int8), up.astype(np.uint8), labels.astype(np.int16), self._p, self._m)

    def _count(self, over: _Flags, flag: int) -> None:
        self.saturated += int(np.count_nonzero(over))
        if over.any():
            self.flags |= flag
