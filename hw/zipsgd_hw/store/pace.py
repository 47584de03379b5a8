"""How fast a store is read."""

from dataclasses import dataclass

from zipsgd.protocol.numbers import BURST_WORDS

__all__ = ["StorePace"]


@dataclass(frozen=True)
class StorePace:
    """How fast a store gives words to a reader that takes one a cycle.

    Parameters
    ----------
    words_per_cycle : float
        Words in a cycle, on average, while bursts follow each other in the store; 1 at most.
    jump_cycles : float
        Cycles lost, on average, before a burst anywhere else in the store.
    ahead_words : int
        Words that the store reads and keeps while its reader waits.
    """

    words_per_cycle: float
    jump_cycles: float
    ahead_words: int

    def cycles(self, bursts: int) -> float:
        """Cycles for so many bursts that follow each other, behind a jump.

        Parameters
        ----------
        bursts : int
            The bursts.

        Returns
        -------
        float
            Cycles, on average.
        """
        return self.jump_cycles + bursts * BURST_WORDS / self.words_per_cycle
