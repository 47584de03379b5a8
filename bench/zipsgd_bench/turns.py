"""Contestants that take turns, so that other load on the machine affects all of them."""

import time
from collections.abc import Callable

__all__ = ["take_turns"]


def take_turns(contestants: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Time contestants in turns. A first turn, which compiles and fills caches, does not count.

    Parameters
    ----------
    contestants : dict[str, Callable[[], None]]
        The contestants by name.
    repeats : int
        Number of timed turns.

    Returns
    -------
    dict[str, list[float]]
        Seconds of each turn, by name.
    """
    turns: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            contestant()
            if turn:
                turns[name].append(time.perf_counter() - start)
    return turns
