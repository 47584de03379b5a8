"""cocotb: a clock, and streams driven and read with random stalls."""

import random
from collections import deque
from collections.abc import Callable
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

__all__ = ["Sink", "Source", "StreamBench"]


class Source:
    """Drives a stream of ``dut``; a word once offered stays until it is taken.

    Parameters
    ----------
    dut : Any
        cocotb's handle of the module.
    name : str
        Name of the stream. Without a ``ready`` port each word is taken at once.
    stall : float
        Probability, in each cycle, that no new word is offered.
    junk : bool
        Whether the payload is random while no word is offered.

    Attributes
    ----------
    queue : deque of int
        Words that are still to be offered or taken.
    """

    def __init__(self, dut: Any, name: str, stall: float = 0.0, junk: bool = False) -> None:
        self.stall = stall
        self.junk = junk
        self.queue: deque[int] = deque()
        self._valid = getattr(dut, f"{name}__valid")
        self._payload = getattr(dut, f"{name}__payload")
        self._ready = getattr(dut, f"{name}__ready", None)
        self._offered = False
        self._held = False

    def drive(self) -> None:
        self._offered = bool(self.queue) and (self._held or random.random() >= self.stall)
        self._valid.value = int(self._offered)
        if self._offered:
            self._payload.value = self.queue[0]
        elif self.junk:
            self._payload.value = random.getrandbits(len(self._payload))

    def sample(self) -> None:
        taken = self._offered and (self._ready is None or bool(self._ready.value))
        if taken:
            self.queue.popleft()
        self._held = self._offered and not taken


class Sink:
    """Reads a stream of ``dut``.

    Parameters
    ----------
    dut : Any
        cocotb's handle of the module.
    name : str
        Name of the stream.
    stall : float
        Probability, in each cycle, of not being ready.
    on_word : callable or None
        Called with each word.

    Attributes
    ----------
    got : list of int
        The words so far.
    """

    def __init__(
        self, dut: Any, name: str, stall: float = 0.0, on_word: Callable[[int], None] | None = None
    ) -> None:
        self.stall = stall
        self.got: list[int] = []
        self._on_word = on_word
        self._valid = getattr(dut, f"{name}__valid")
        self._payload = getattr(dut, f"{name}__payload")
        self._ready = getattr(dut, f"{name}__ready", None)
        self._take = False

    def drive(self) -> None:
        self._take = self._ready is None or random.random() >= self.stall
        if self._ready is not None:
            self._ready.value = int(self._take)

    def sample(self) -> None:
        if self._take and self._valid.value:
            word = int(self._payload.value)
            self.got.append(word)
            if self._on_word is not None:
                self._on_word(word)


class StreamBench:
    """A clock and the streams of ``dut``. Random choices come from :mod:`random`, which cocotb seeds.

    Inputs change at the falling edge. What is sampled after it, once logic has settled, is what the next rising edge sees.

    Parameters
    ----------
    dut : Any
        cocotb's handle of the module.

    Attributes
    ----------
    dut : Any
        The handle.
    cycles : int
        Cycles so far.
    pins : dict of str to int
        Values for other inputs, by name; they are driven at the next falling edge.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.cycles = 0
        self.pins: dict[str, int] = {}
        self._streams: list[Source | Sink] = []
        Clock(dut.clk, 2, unit="ns").start()

    def source(self, name: str, stall: float = 0.0, *, junk: bool = False) -> Source:
        """A :class:`Source` of the stream ``name``, which takes part in each cycle from now on."""
        source = Source(self.dut, name, stall, junk)
        self._streams.append(source)
        return source

    def sink(self, name: str, stall: float = 0.0, on_word: Callable[[int], None] | None = None) -> Sink:
        """A :class:`Sink` of the stream ``name``, which takes part in each cycle from now on."""
        sink = Sink(self.dut, name, stall, on_word)
        self._streams.append(sink)
        return sink

    async def reset(self) -> None:
        """Hold the reset for three cycles, which are not counted."""
        self.dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def cycle(self, count: int = 1) -> None:
        """Run ``count`` cycles; returns in the read-only phase before the last one's rising edge."""
        for _ in range(count):
            await FallingEdge(self.dut.clk)
            for name, value in self.pins.items():
                getattr(self.dut, name).value = value
            self.pins.clear()
            for stream in self._streams:
                stream.drive()
            await ReadOnly()
            for stream in self._streams:
                stream.sample()
            self.cycles += 1

    async def until(self, condition: Callable[[], bool], limit: int) -> int:
        """Run until ``condition`` holds; returns the cycles it took. Raises AssertionError after ``limit`` cycles."""
        start = self.cycles
        while not condition():
            assert self.cycles - start < limit, f"not so within {limit} cycles"
            await self.cycle()
        return self.cycles - start
