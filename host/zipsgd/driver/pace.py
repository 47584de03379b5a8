"""How large frames may be, how many may be on their way and how long to wait, by what the line does to them."""

from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS

from .window import MOST_FRAMES

__all__ = ["AdaptiveSize", "Pace"]

_FEWEST_FRAMES = 4
_SMALL = 128
"""Payload bytes of frames on a line so bad that a query or its answer may well be lost."""
_COPIES = 3
_SHORTEST, _FIRST, _LONGEST = 0.01, 0.1, 0.5
"""Seconds to wait for a sign of life: at least, before any has come, and at most."""


class AdaptiveSize:
    """A size that each loss halves and a row of successes doubles.

    Parameters
    ----------
    least, most : its bounds; it begins with the latter.
    row : successes that double it.
    """

    def __init__(self, least: int, most: int, row: int = 8) -> None:
        self._least, self._most, self._row = least, most, row
        self._good = 0
        self.value = most

    def lost(self) -> None:
        self.value = max(self._least, self.value // 2)
        self._good = 0

    def arrived(self, count: int = 1) -> None:
        self._good += count
        if self._good >= self._row:
            self.value = min(self._most, 2 * self.value)
            self._good = 0


class Pace:
    """All of it for one link. A clean line gets full frames, as many as the device has room for.

    Attributes
    ----------
    payload : most payload bytes of a frame to the device. A frame arrives if none of its bytes is hit: at one hit in 100, one
        of 512 bytes in 170 would, but two in three of 32.
    frames : most frames on their way. Each one behind a lost one is sent in vain.
    words : most words of an answer.
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
        """Times that a query is sent, as everything waits for its answer: more than once on a line that loses many frames."""
        return _COPIES if self.payload.value <= _SMALL else 1

    def lost(self) -> None:
        """Frames were lost."""
        self.payload.lost()
        self.frames = max(_FEWEST_FRAMES, self.frames // 2)
        self._row = 0

    def arrived(self, count: int) -> None:
        """So many frames have arrived."""
        self.payload.arrived(count)
        self._row += count
        if self._row >= self.frames:
            self.frames = min(MOST_FRAMES, self.frames + 1)
            self._row = 0

    def measured(self, seconds: float) -> None:
        """A frame was acknowledged after ``seconds``."""
        if self._mean is None:
            self._mean, self._spread = seconds, seconds / 2
        self._spread += (abs(seconds - self._mean) - self._spread) / 4
        self._mean += (seconds - self._mean) / 8

    def wait(self, tries: int) -> float:
        """Seconds of silence after which something must have been lost; twice as long after each of ``tries`` in vain."""
        wait = _FIRST if self._mean is None else max(_SHORTEST, self._mean + 4 * self._spread)
        return min(_LONGEST, wait * float(1 << min(tries, 10)))
