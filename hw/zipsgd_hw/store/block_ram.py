"""A store in block RAM."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped
from amaranth.utils import ceil_log2

from zipsgd_hw.memory import Memories, block_ram

from .burst_walk import BurstWalk
from .port import store_signature

__all__ = ["BlockRamStore"]


class BlockRamStore(wiring.Component):
    """Words in block RAM, unknown until they are written. The store is a plain array of words.

    Latency: a burst's first word comes out two cycles after its command is taken. Throughput: a word a cycle, also from one
    burst to the next. ``port.read`` comes straight from the block RAM, late in its cycle.

    Parameters
    ----------
    word_bits : int
        Bits of a word.
    words : int
        Number of words, a multiple of ``burst_words``.
    burst_words : int
        Words of a burst, a power of two.

    Attributes
    ----------
    word_bits, burst_words, bursts : int
        Bits of a word, words of a burst, and number of bursts.
    pace : StorePace
        How fast the store is read.

    Members
    -------
    port : In(store_signature(word_bits, ceil_log2(bursts)))
        The store. A burst's number must be below ``bursts``.

    Raises
    ------
    ValueError
        ``burst_words`` is not a power of two, or ``words`` not a multiple of it.
    """

    pace = BurstWalk.pace

    @staticmethod
    def memories(word_bits: int, words: int) -> Memories:
        """Block RAMs of the component."""
        return {"words": (word_bits, words)}

    def __init__(self, word_bits: int, words: int, burst_words: int = 8):
        self._walk = BurstWalk(word_bits, words, burst_words)
        self._words = words
        self.word_bits, self.burst_words, self.bursts = word_bits, burst_words, words // burst_words
        super().__init__({"port": In(store_signature(word_bits, ceil_log2(self.bursts)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = self._walk
        word_bits, words = self.memories(self.word_bits, self._words)["words"]
        m.submodules.words = memory = block_ram(word_bits, words)
        write, read = memory.write_port(), memory.read_port()
        connect(m, flipped(self.port), walk.port)
        m.d.comb += [
            write.addr.eq(walk.memory.address),
            write.data.eq(walk.memory.written),
            write.en.eq(walk.memory.write),
            read.addr.eq(walk.memory.address),
            read.en.eq(walk.memory.read),
            walk.memory.word.eq(read.data),
        ]
        return m
