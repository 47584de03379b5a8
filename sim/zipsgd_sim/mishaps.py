"""Something happens while a host works with a virtual board."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .board import VirtualBoard

__all__ = ["after_bytes"]

_LOOK = 0.005
"""Seconds between two looks at the board."""


@contextmanager
def after_bytes(board: VirtualBoard, count: int, act: Callable[[], None]) -> Iterator[list[float]]:
    """While the body runs, ``act``, in a thread of its own, once the board has received ``count`` bytes.

    Yields a list that gets the times (of :func:`time.monotonic`) before ``act`` and after the body, or only the latter if there
    were fewer bytes. The body must not ask the board for anything else.
    """
    times: list[float] = []
    over = threading.Event()

    def wait() -> None:
        while board.statistics()["received"] < count:
            if over.wait(_LOOK):
                return
        times.append(time.monotonic())
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield times
    finally:
        over.set()
        thread.join()
        times.append(time.monotonic())
