"""Something that happens to a virtual board while a host uses it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .board import VirtualBoard

__all__ = ["after_bytes"]

_LOOK = 0.005
"""Seconds between two questions to the board."""


@contextmanager
def after_bytes(board: VirtualBoard, count: int, act: Callable[[], None]) -> Iterator[list[float]]:
    """Call a function once the board has received so many bytes, while the body runs. A context manager.

    The body must not ask the board for anything else.

    Parameters
    ----------
    board : VirtualBoard
        The board.
    count : int
        Bytes received.
    act : callable
        Called once, in a thread of its own; not at all if the board receives fewer bytes.

    Yields
    ------
    list of float
        Gets times of :func:`time.monotonic` in seconds: the one before ``act``, if it was called, and the one after the body.
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
