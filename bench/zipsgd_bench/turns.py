"""Contestants that take turns, so that a burst of other load hits all alike."""

import time
from collections.abc import Callable

__all__ = ["take_turns"]


def take_turns(contestants: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each of ``repeats`` turns, after one that compiles and fills caches."""
    turns: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            contestant()
            if turn:
                turns[name].append(time.perf_counter() - start)
    return turns
