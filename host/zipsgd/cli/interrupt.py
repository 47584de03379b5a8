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

__all__ = ["ended_with_its_tools", "interruptible", "raise_if_interrupted"]

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


def _on_end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def ended_with_its_tools() -> Iterator[None]:
    """Clean up as after Ctrl-C, too, when the command is asked to end or its terminal is closed, until the block ends.

    Yields
    ------
    None
        Nothing. Outside the main thread, and where another handler is installed, nothing is changed.
    """
    ours = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL
    ]
    try:
        for number in ours:
            signal.signal(number, _on_end)
    except ValueError:  # in another thread, signals do not arrive
        ours = []
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
