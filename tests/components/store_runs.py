"""What benches of stores share: random bursts against a plain array, and the share of cycles that carry a word."""

import random
from collections.abc import Iterable
from typing import Any

from zipsgd_sim.stream_bench import StreamBench

__all__ = ["StoreBench"]


class StoreBench(StreamBench):
    """A store and the array that it must behave like.

    Parameters
    ----------
    dut : Any
        cocotb's handle of a module with the ports of stores, of which one is used.
    port : str
        Name of the store's port.
    word_bits, burst_words, bursts : int
        The store's.

    Attributes
    ----------
    array : dict of int to list of int
        The words of each burst that was written.
    """

    def __init__(self, dut: Any, port: str, word_bits: int, burst_words: int, bursts: int) -> None:
        super().__init__(dut)
        self.word_bits, self.burst_words, self.bursts = word_bits, burst_words, bursts
        self.array: dict[int, list[int]] = {}
        self._expected: list[int] = []
        self._commands = self.source(f"{port}__command", junk=True)
        self._write = self.source(f"{port}__write", junk=True)
        self._read = self.sink(f"{port}__read")

    def stall(self, command: float, write: float, read: float) -> None:
        """Set the chance of a stall in each cycle of the three streams."""
        self._commands.stall, self._write.stall, self._read.stall = command, write, read

    def write(self, burst: int, words: list[int] | None = None) -> None:
        """Ask for a burst to be written, by default with random words."""
        if words is None:
            words = [random.getrandbits(self.word_bits) for _ in range(self.burst_words)]
        self.array[burst] = words
        self._commands.queue.append(burst | 1 << (self.bursts - 1).bit_length())
        self._write.queue.extend(words)

    def read(self, burst: int) -> None:
        """Ask for a burst to be read that was written."""
        self._commands.queue.append(burst)
        self._expected += self.array[burst]

    async def finish(self, limit: int) -> int:
        """Run until all bursts are through, and compare what was read. Returns the cycles it took."""
        took = await self.until(lambda: self._is_through(), limit)
        assert self._read.got == self._expected
        self._read.got.clear()
        self._expected.clear()
        return took

    def _is_through(self) -> bool:
        return (
            not self._commands.queue and not self._write.queue and len(self._read.got) >= len(self._expected)
        )

    def random_bursts(self, count: int, among: Iterable[int]) -> None:
        """Ask for random bursts; those that were never written are written first."""
        places = list(among)
        for _ in range(count):
            burst = random.choice(places)
            if burst in self.array and random.random() < 0.6:
                self.read(burst)
            else:
                self.write(burst)

    async def any_stalls(self, count: int) -> None:
        """Random bursts among few places and many, with stalls of every kind, and nothing beyond what was asked for."""
        first, last = 0, self.bursts - 1
        few = [first, last, *random.choices(range(self.bursts), k=6)]
        for stalls in ((0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), (0.9, 0.2, 0.2), (0.3, 0.8, 0.8)):
            self.stall(*stalls)
            for among in (few, range(self.bursts)):
                self.random_bursts(count, among)
                await self.finish(100 + 20 * count * self.burst_words)
        self.stall(0, 0, 0)
        await self.cycle(3 * self.burst_words)
        assert not self._read.got, "words that nobody asked for"
