"""Short queues of words."""

from typing import Any

from amaranth import Module
from amaranth.lib.fifo import SyncFIFO

from .stream_register import StreamRegister

__all__ = ["stream_queue"]


def stream_queue(m: Module, name: str, width: int, depth: int) -> tuple[Any, Any]:
    """Add a queue of a few words to a module. Two words take fewer cells as a stream register.

    Latency: one cycle. Throughput: one word in every cycle, if ``depth`` is at least 2.

    Parameters
    ----------
    m : Module
        The module.
    name : str
        Name of the queue in the module.
    width : int
        Bits of a word.
    depth : int
        Words for which there is room.

    Returns
    -------
    input, output : stream interfaces
        Words to keep, and the same words in order.
    """
    if depth == 2:
        m.submodules[name] = register = StreamRegister(width)
        return register.input, register.output
    m.submodules[name] = queue = SyncFIFO(width=width, depth=depth)
    return queue.w_stream, queue.r_stream
