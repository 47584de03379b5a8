"""A store at the port of a component under test: an array that answers when it likes."""

from collections import deque

from zipsgd.protocol.numbers import BURST_WORDS
from zipsgd_hw.store.port import burst_command
from zipsgd_sim.stream_bench import StreamBench

__all__ = ["MemoryModel"]


class MemoryModel:
    """Bursts in an array of words, behind the streams of :func:`zipsgd_hw.store.port.store_signature`.

    Parameters
    ----------
    bench : StreamBench
        The bench, whose streams the model joins.
    prefix : str
        Name of the port.
    bursts : int
        Bursts of the store, a power of two.
    stall : float
        Probability, in each cycle, that a stream of the port waits.

    Attributes
    ----------
    words : list of int
        The content.
    """

    def __init__(self, bench: StreamBench, prefix: str, bursts: int, stall: float) -> None:
        self.words = [0] * (bursts * BURST_WORDS)
        self._layout = burst_command(bursts.bit_length() - 1)
        self._writing: deque[int] = deque()  # places of words that have still to come
        self._commands: deque[int] = deque()
        bench.sink(f"{prefix}__command", stall, self._commands.append)
        self._write = bench.sink(f"{prefix}__write", stall)
        self._read = bench.source(f"{prefix}__read", stall, junk=True)

    def set_stall(self, stall: float) -> None:
        """Another probability to wait."""
        self._write.stall = self._read.stall = stall

    def carry_out(self) -> None:
        """Carry out what has come, in order; once a cycle."""
        while self._writing and self._write.got:
            self.words[self._writing.popleft()] = self._write.got.pop(0)
        while self._commands and not self._writing:
            command = self._layout.from_bits(self._commands.popleft())
            first = int(command.address) * BURST_WORDS
            places = range(first, first + BURST_WORDS)
            if command.write:
                self._writing.extend(places)
                return
            self._read.queue.extend(self.words[place] for place in places)
