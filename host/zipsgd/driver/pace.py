"""Sizes of frames, number of frames on their way, and waiting times, adapted to the quality of the line."""

from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS

from .window import MOST_FRAMES

__all__ = ["AdaptiveSize", "Pace"]

_FEWEST_FRAMES = 4
_SMALL = 128
"""Payload bytes at or below which a line is so bad that queries are sent several times."""
_COPIES = 3
_SHORTEST, _FIRST, _LONGEST = 0.01, 0.1, 0.5
"""Seconds to wait for an acknowledgement: at least, before any was measured, and at most."""


class AdaptiveSize:
    """A size that each loss halves, and that a series of successes doubles.

    Parameters
    ----------
    least, most : int
        Bounds of the size. It begins with ``most``.
    row : int
        Number of successes that double it.

    Attributes
    ----------
    value : int
        The current size.
    """

    def __init__(self, least: int, most: int, row: int = 8) -> None:
        self._least, self._most, self._row = least, most, row
        self._good = 0
        self.value = most

    def lost(self) -> None:
        """Note a loss."""
        self.value = max(self._least, self.value // 2)
        self._good = 0

    def arrived(self, count: int = 1) -> None:
        """Note successes.

        Parameters
        ----------
        count : int
            Number of successes.
        """
        self._good += count
        if self._good >= self._row:
            self.value = min(self._most, 2 * self.value)
            self._good = 0


class Pace:
    """The adaptive quantities of one link. On a clean line, frames are full, and as many as the device has room for.

    Attributes
    ----------
    payload : AdaptiveSize
        Largest payload of a frame to the device, in bytes. A frame arrives if none of its bytes is damaged. If one byte in 100
        is damaged, one frame of 512 bytes in 170 arrives, but two in three of 32 bytes.
    frames : int
        Largest number of frames on their way. Each frame after a lost one is sent in vain.
    words : AdaptiveSize
        Largest number of words in an answer.
    """

    def __init__(self) -> None:
        self.payload = AdaptiveSize(16, MAX_PAYLOAD)
        self.words = AdaptiveSize(4, READ_WORDS)
        self.frames = MOST_FRAMES
        self._row = 0
        self._mean: float | None = None
        self._spread = 0.0

    @property
    def copies(self) -> int:
        """int: How often a query is sent.

        More than once on a line that loses many frames, because everything waits for its answer.
        """
        return _COPIES if self.payload.value <= _SMALL else 1

    def lost(self) -> None:
        """Note that frames were lost."""
        self.payload.lost()
        self.frames = max(_FEWEST_FRAMES, self.frames // 2)
        self._row = 0

    def arrived(self, count: int) -> None:
        """Note that frames arrived.

        Parameters
        ----------
        count : int
            Number of frames.
        """
        self.payload.arrived(count)
        self._row += count
        if self._row >= self.frames:
            self.frames = min(MOST_FRAMES, self.frames + 1)
            self._row = 0

    def measured(self, seconds: float) -> None:
        """Note the time until a frame was acknowledged.

        Parameters
        ----------
        seconds : float
            The time in seconds.
        """
        if self._mean is None:
            self._mean, self._spread = seconds, seconds / 2
        self._spread += (abs(seconds - self._mean) - self._spread) / 4
        self._mean += (seconds - self._mean) / 8

    def wait(self, tries: int) -> float:
        """The silence after which something must have been lost. It doubles with each failed attempt, up to 0.5 s.

        Parameters
        ----------
        tries : int
            Number of failed attempts.

        Returns
        -------
        float
            Time in seconds.
        """
        wait = _FIRST if self._mean is None else max(_SHORTEST, self._mean + 4 * self._spread)
        return min(_LONGEST, wait * float(1 << min(tries, 10)))
