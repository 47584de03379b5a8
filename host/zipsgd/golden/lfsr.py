"""Random bits of the datapath: one small linear generator a lane, the device's only source of randomness.

A state of 31 bits is two rotations of the one before, the second of them masked, and combined by exclusive or::

    state' = rotate(state, 10) ^ (rotate(state, 5) & mask)

The step's characteristic polynomial is primitive, so that a generator goes through all 2^31 - 1 states but zero. It costs one
two-input XOR a bit, as a shift register with two taps does. Unlike there, successive draws do not depend on each other in a way
that rounding sees: rotations and mask were searched for so that, wherever in the word a rounding's random number ends, its

* upper 10 bits in two successive draws, or in three, take all values equally often (of at most 15 and 10 bits that 31 bits of
  state allow), and its
* upper 9 bits in any two draws up to 24 apart do.

``zipsgd bench draws`` measures what that means for sums of rounded values.
"""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LFSR_BITS, LFSR_MASK, LFSR_ROTATIONS

__all__ = ["Lfsr", "advance", "seed_words"]

_U64 = npt.NDArray[np.uint64]


def _rotate(state: _U64, count: int) -> _U64:
    """``state`` rotated left by ``count`` of its 31 bits."""
    up, down = np.uint64(count), np.uint64(LFSR_BITS - count)
    return (state << up | state >> down) & np.uint64((1 << LFSR_BITS) - 1)


def advance(state: _U64) -> _U64:
    """The state behind ``state``, uint64 of any shape."""
    first, second = LFSR_ROTATIONS
    return _rotate(state, first) ^ (_rotate(state, second) & np.uint64(LFSR_MASK))


class Lfsr:
    """A bank of generators side by side, one a lane.

    Parameters
    ----------
    seeds : int array, shape (lanes,), each in 1..2^31 - 1.
    """

    def __init__(self, seeds: npt.ArrayLike) -> None:
        self.state: _U64 = np.array(seeds, dtype=np.uint64)
        if np.any(self.state == 0) or np.any(self.state >> np.uint64(LFSR_BITS)):
            raise ValueError(f"LFSR seeds must be in 1..2^{LFSR_BITS} - 1")

    def draw(self) -> npt.NDArray[np.int64]:
        """31 random bits from each lane, its state, int64 of shape (lanes,); then every lane advances."""
        bits = self.state.astype(np.int64)
        self.state = advance(self.state)
        return bits


def seed_words(seed: int, epoch: int, update_lanes: int) -> list[int]:
    """LFSR seeds of an epoch of a run: one for each update lane, then the loss unit's. All non-zero, 31 bits.

    Since each epoch has its own, an epoch depends on the model it starts from and on nothing else that went before: a run
    can go on from any epoch's model, on another device too.
    """
    words = np.random.SeedSequence((seed, epoch)).generate_state(update_lanes + 1, np.uint32)
    return [int(word) % ((1 << LFSR_BITS) - 1) + 1 for word in words]
