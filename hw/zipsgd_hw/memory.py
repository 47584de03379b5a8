"""Block RAM without a guarantee for reading what is being written."""

from amaranth.hdl import ShapeLike
from amaranth.lib.memory import Memory

__all__ = ["block_ram"]


def block_ram(shape: ShapeLike, depth: int) -> Memory:
    """A memory for one write port and one synchronous read port whose users never use a word read while it is written.

    Told so, synthesis leaves out the registers and multiplexers that would stand in for the block RAM's undefined result:
    as many as the word is wide, twice.
    """
    return Memory(shape=shape, depth=depth, init=[], attrs={"no_rw_check": 1})
