"""The inputs of a component and the outputs expected of it, cycle by cycle."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from zipsgd_sim.stream_bench import StreamBench

__all__ = ["Timeline"]


class Timeline:
    """A schedule of inputs and expected outputs. It is filled first, and then applied and checked while the cycles run.

    Parameters
    ----------
    bench : StreamBench
        Runs the cycles.
    pulses : iterable of str
        Inputs that are 0 in cycles without an entry. All other inputs keep their value.
    noise : iterable of str
        Inputs that are random in cycles without an entry: their values must not matter there.
    strobes : iterable of str
        Outputs that must be 0 in cycles without an entry.
    levels : iterable of str
        Outputs that change only where the schedule says so. They are 0 at first and after a reset.
    """

    def __init__(
        self,
        bench: StreamBench,
        *,
        pulses: Iterable[str] = (),
        noise: Iterable[str] = (),
        strobes: Iterable[str] = (),
        levels: Iterable[str] = (),
    ) -> None:
        self.now = 0
        """The next cycle to run."""
        self._bench = bench
        self._signals: dict[str, Any] = {}
        self._masks: dict[str, int] = {}
        self._pulses = dict.fromkeys(["rst", *pulses], 0)
        self._noise = [(name, len(getattr(bench.dut, name))) for name in noise]
        self._strobes = dict.fromkeys(strobes, 0)
        self._levels = dict.fromkeys(levels, 0)
        self._driven: dict[str, int] = {}
        self._drives: dict[int, dict[str, int]] = defaultdict(dict)
        self._dues: dict[int, dict[str, int]] = defaultdict(dict)
        self._changes: dict[int, list[tuple[str, Callable[[int], int]]]] = defaultdict(list)
        self._clears: dict[int, list[str]] = defaultdict(list)

    def drive(self, cycle: int, **values: int) -> None:
        self._drives[cycle].update(values)

    def due(self, cycle: int, **values: int) -> None:
        """Sets the outputs expected in that cycle."""
        self._dues[cycle].update(values)

    def change(self, cycle: int, name: str, change: Callable[[int], int]) -> None:
        """Applies ``change`` to the expected value of a level, from that cycle on."""
        self._changes[cycle].append((name, change))

    def clear(self, cycle: int, *names: str) -> None:
        """Sets levels to 0 from that cycle on, whatever other changes that cycle has."""
        self._clears[cycle].extend(names)

    async def run(self, until: int, each: Callable[[], None] = lambda: None) -> None:
        """Runs the cycles before ``until``; ``each`` is called at the end of each one, and may set the bench's pins."""
        while self.now < until:
            noise = {name: random.getrandbits(bits) for name, bits in self._noise}
            pins = self._pulses | noise | self._drives.pop(self.now, {})
            for name, value in pins.items():
                if self._driven.get(name) != value:
                    self._driven[name] = value
                    self._bench.pins[name] = value & self._mask(name)
            for name, change in self._changes.pop(self.now, []):
                self._levels[name] = change(self._levels[name])
            self._levels.update(dict.fromkeys(self._clears.pop(self.now, []), 0))
            await self._bench.cycle()
            due = self._strobes | self._levels | self._dues.pop(self.now, {})
            for name, value in due.items():
                wanted = value & self._mask(name)
                got = int(self._signals[name].value)
                assert got == wanted, f"cycle {self.now}: {name} is {got:#x} and not {wanted:#x}"
            each()
            self.now += 1

    def _mask(self, name: str) -> int:
        if name not in self._masks:
            self._signals[name] = getattr(self._bench.dut, name)
            self._masks[name] = (1 << len(self._signals[name])) - 1
        return self._masks[name]

    async def reset(self) -> None:
        """Resets the component in one cycle. The schedule of the later cycles is dropped."""
        self.drive(self.now, rst=1)
        await self.run(self.now + 1)
        for forgotten in (self._drives, self._dues, self._changes, self._clears):
            forgotten.clear()
        self._levels = dict.fromkeys(self._levels, 0)
