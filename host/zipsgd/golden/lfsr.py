"""Leap-forward LFSRs, the datapath's only source of randomness.

The recurrence is s[t + 31] = s[t] ^ s[t + 3], of the primitive trinomial x^31 + x^3 + 1. Taps so close to the old end let
28 steps be taken at once with one two-input XOR a bit. The state is a 31-bit word whose bit 0 is the oldest.
"""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import LFSR_BITS, LFSR_DRAW

__all__ = ["Lfsr", "advance", "draw", "seed_words"]

_U64 = npt.NDArray[np.uint64]


def draw(state: _U64) -> npt.NDArray[np.int64]:
    """The 28 random bits of a state: its newest ones, those that the last leap made."""
    return (state >> np.uint64(LFSR_BITS - LFSR_DRAW)).astype(np.int64)


def advance(state: _U64) -> _U64:
    """The state 28 steps on."""
    fresh = (state ^ (state >> np.uint64(3))) & np.uint64((1 << LFSR_DRAW) - 1)
    return (state >> np.uint64(LFSR_DRAW)) | (fresh << np.uint64(LFSR_BITS - LFSR_DRAW))


class Lfsr:
    """A bank of LFSRs side by side, one a lane.

    Parameters
    ----------
    seeds : int array, shape (lanes,), each in 1..2^31 - 1.
    """

    def __init__(self, seeds: npt.ArrayLike) -> None:
        self.state: _U64 = np.array(seeds, dtype=np.uint64)
        if np.any(self.state == 0) or np.any(self.state >> np.uint64(LFSR_BITS)):
            raise ValueError(f"LFSR seeds must be in 1..2^{LFSR_BITS} - 1")

    def draw(self) -> npt.NDArray[np.int64]:
        """28 bits from each lane, int64 of shape (lanes,); then every lane leaps."""
        bits = draw(self.state)
        self.state = advance(self.state)
        return bits


def seed_words(seed: int, epoch: int, update_lanes: int) -> list[int]:
    """LFSR seeds of an epoch of a run: one for each update lane, then the loss unit's. All non-zero, 31 bits.

    Since each epoch has its own, an epoch depends on the model it starts from and on nothing else that went before: a run
    can go on from any epoch's model, on another device too.
    """
    words = np.random.SeedSequence((seed, epoch)).generate_state(update_lanes + 1, np.uint32)
    return [int(word) % ((1 << LFSR_BITS) - 1) + 1 for word in words]
