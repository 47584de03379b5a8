"""Ctrl-C, which always ends a command.

Python drops an exception that is raised within a callback of compiled code or within the garbage collector. Numba's compiler
makes many such callbacks, so that a ``KeyboardInterrupt`` can be lost.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["interruptible", "raise_if_interrupted"]

_interrupted = False


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True
    raise KeyboardInterrupt


def _on_lost(lost: Any) -> None:
    if not isinstance(lost.exc_value, KeyboardInterrupt):  # that one is raised again
        sys.__unraisablehook__(lost)


@contextmanager
def interruptible() -> Iterator[None]:
    """Note interrupts, as well as raising them, until the block ends.

    Yields
    ------
    None
        Nothing. Outside the main thread, and where another handler is installed, nothing is changed.
    """
    global _interrupted
    try:
        ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if ours:
            signal.signal(signal.SIGINT, _on_interrupt)
    except ValueError:  # in another thread, signals do not arrive
        ours = False
    _interrupted = False
    hook = sys.unraisablehook
    if ours:
        sys.unraisablehook = _on_lost
    try:
        yield
    finally:
        if ours:
            sys.unraisablehook = hook
            signal.signal(signal.SIGINT, signal.default_int_handler)


def raise_if_interrupted() -> None:
    """Raise an interrupt again that was lost. Call it often in long work, but not while cleaning up.

    Raises
    ------
    KeyboardInterrupt
        There was an interrupt since the command began.
    """
    if _interrupted:
        raise KeyboardInterrupt
