"""The datapath's random bits, from one small linear generator per lane. It is the device's only source of randomness.

The next state of 31 bits is the exclusive or of two rotations of the state, the second of them masked::

    state' = rotate(state, 10) ^ (rotate(state, 5) & mask)

The characteristic polynomial of this step is primitive. So a generator goes through all 2^31 - 1 non-zero states. The cost is
one two-input XOR per bit, as for a shift register with two taps. But unlike a shift register's, its successive draws are
independent as far as rounding is concerned. A search chose the rotations and the mask for this property: wherever in the word
a rounding's random number ends,

* its upper 10 bits in two or three successive draws take all values equally often (31 bits of state allow at most 15 and 10
  bits), and
* its upper 9 bits in any two draws up to 24 draws apart do so too.

``zipsgd bench draws`` measures the effect on sums of rounded values.
"""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LFSR_BITS, LFSR_MASK, LFSR_ROTATIONS

__all__ = ["Lfsr", "advance", "seed_words"]

_U64 = npt.NDArray[np.uint64]
_UNITS = np.uint64(1) << np.arange(LFSR_BITS, dtype=np.uint64)
"""States with a single bit."""


def _rotate(state: _U64, count: int) -> _U64:
    """``state`` rotated left by ``count`` of its 31 bits."""
    up, down = np.uint64(count), np.uint64(LFSR_BITS - count)
    return (state << up | state >> down) & np.uint64((1 << LFSR_BITS) - 1)


def advance(state: _U64) -> _U64:
    """The next state of each generator.

    Parameters
    ----------
    state : npt.NDArray[np.uint64] of any shape
        States of 31 bits.

    Returns
    -------
    npt.NDArray[np.uint64]
        The following states, with the shape of ``state``.
    """
    first, second = LFSR_ROTATIONS
    return _rotate(state, first) ^ (_rotate(state, second) & np.uint64(LFSR_MASK))


def _leap(states: _U64, leap: _U64) -> _U64:
    """States advanced by several steps at once, given the states that the single bits advance to."""
    after = np.zeros_like(states)
    for bit, column in enumerate(leap):
        after ^= (states >> np.uint64(bit) & np.uint64(1)) * column
    return after


class Lfsr:
    """A bank of generators, one per lane.

    Parameters
    ----------
    seeds : npt.ArrayLike of shape (lanes,)
        Integers in 1..2^31 - 1.

    Attributes
    ----------
    state : npt.NDArray[np.uint64] of shape (lanes,)
        The current states.

    Raises
    ------
    ValueError
        A seed is out of range.
    """

    def __init__(self, seeds: npt.ArrayLike) -> None:
        self.state: _U64 = np.array(seeds, dtype=np.uint64)
        if np.any(self.state == 0) or np.any(self.state >> np.uint64(LFSR_BITS)):
            raise ValueError(f"LFSR seeds must be in 1..2^{LFSR_BITS} - 1")

    def draw(self) -> npt.NDArray[np.int64]:
        """Draw 31 random bits from each lane, and advance every lane.

        Returns
        -------
        npt.NDArray[np.int64] of shape (lanes,)
            The states before the step.
        """
        bits = self.state.astype(np.int64)
        self.state = advance(self.state)
        return bits

    def draws(self, count: int) -> npt.NDArray[np.int64]:
        """The next draws of each lane: what so many calls of :meth:`draw` give.

        The step is linear over GF(2). So known states, all advanced by as many steps as there are of them, are the next ones.

        Parameters
        ----------
        count : int
            Number of draws.

        Returns
        -------
        npt.NDArray[np.int64] of shape (count, lanes)
            The draws in their order.
        """
        states = self.state[None]
        leap = advance(_UNITS)  # where each bit of a state goes, in as many steps as there are states
        while len(states) <= count:
            states = np.concatenate([states, _leap(states, leap)])
            leap = _leap(leap, leap)
        self.state = states[count]
        return states[:count].astype(np.int64)


def seed_words(seed: int, epoch: int, update_lanes: int) -> list[int]:
    """The LFSR seeds of one epoch of a run.

    Every epoch has its own seeds. So an epoch depends only on the model that it starts from, and a run can be continued from
    the model of any epoch, even on another device.

    Parameters
    ----------
    seed : int
        Seed of the run.
    epoch : int
        Number of the epoch, from 0.
    update_lanes : int
        Number of update lanes.

    Returns
    -------
    list[int]
        Seeds in 1..2^31 - 1: one for each update lane, then the loss unit's.
    """
    words = np.random.SeedSequence((seed, epoch)).generate_state(update_lanes + 1, np.uint32)
    return [word % ((1 << LFSR_BITS) - 1) + 1 for word in words.tolist()]
