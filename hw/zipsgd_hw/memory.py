"""Block RAM without a guarantee for reading what is being written."""

from amaranth.hdl import ShapeLike
from amaranth.lib.memory import Memory

__all__ = ["Memories", "block_ram"]

Memories = dict[str, tuple[int, int]]
"""Block RAMs of a component by name: bits of a word, and number of words.

Queues of a few words whose reads need no clock are not among them: they become logic.
"""


def block_ram(shape: ShapeLike, depth: int) -> Memory:
    """A memory whose users never use a word that is read while it is written.

    Synthesis may then leave out the registers and multiplexers that would replace the block RAM's undefined result: two for
    each bit of the word.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word.
    depth : int
        Number of words.

    Returns
    -------
    Memory
        To be given one write port and one synchronous read port.
    """
    return Memory(shape=shape, depth=depth, init=[], attrs={"no_rw_check": 1})
