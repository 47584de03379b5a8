"""Walks through the bursts of a memory that has one port."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2, exact_log2

from .pace import StorePace
from .port import store_signature

__all__ = ["BurstWalk", "memory_signature"]


def memory_signature(word_bits: int, address_bits: int) -> Signature:
    """Port of a memory, from its user's side.

    Parameters
    ----------
    word_bits : int
        Bits of a word.
    address_bits : int
        Bits of a word's address.

    Returns
    -------
    Signature
        ``address``; ``write`` and ``read``, of which one at most is high; ``written``, the word to write; ``word``, the word
        that was read, from the next cycle on until the next access.
    """
    return Signature(
        {
            "address": Out(address_bits),
            "write": Out(1),
            "written": Out(word_bits),
            "read": Out(1),
            "word": In(word_bits),
        }
    )


class BurstWalk(wiring.Component):
    """Makes a store of a memory that reads or writes one word a cycle.

    The word that was read waits in the memory's own output, so that no register is needed for it. While it waits, nothing else
    is read or written.

    Latency: a burst's first word is read one cycle after its command is taken, and comes out in the cycle after that.
    Throughput: a word a cycle, also from one burst to the next, and from writing to reading.

    Parameters
    ----------
    word_bits : int
        Bits of a word.
    words : int
        Words of the memory, a multiple of ``burst_words``.
    burst_words : int
        Words of a burst, a power of two.

    Attributes
    ----------
    pace : StorePace
        How fast the store is read.

    Members
    -------
    port : In(store_signature(word_bits, address_bits))
        The store. A burst's number must be below ``words / burst_words``.
    memory : Out(memory_signature(word_bits, ceil_log2(words)))
        The memory.

    Raises
    ------
    ValueError
        ``burst_words`` is not a power of two, or ``words`` not a multiple of it.
    """

    pace = StorePace(words_per_cycle=1.0, jump_cycles=0.0, ahead_words=1)

    def __init__(self, word_bits: int, words: int, burst_words: int):
        if burst_words < 1 or burst_words & (burst_words - 1):
            raise ValueError(f"burst_words must be a power of two, not {burst_words}")
        if words < burst_words or words % burst_words:
            raise ValueError(f"words must be a multiple of burst_words ({burst_words}), not {words}")
        self._place_bits = exact_log2(burst_words)
        super().__init__(
            {
                "port": In(store_signature(word_bits, ceil_log2(words // burst_words))),
                "memory": Out(memory_signature(word_bits, ceil_log2(words))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        port, memory = self.port, self.memory
        active, write = Signal(), Signal()
        address = Signal.like(memory.address)
        free, moves = Signal(), Signal()  # the memory's output; a word of the burst
        m.d.comb += [
            free.eq(~port.read.valid | port.read.ready),
            port.write.ready.eq(active & write & free),
            memory.write.eq(port.write.ready & port.write.valid),
            memory.read.eq(active & ~write & free),
            memory.address.eq(address),
            memory.written.eq(port.write.payload),
            port.read.payload.eq(memory.word),
            moves.eq(memory.write | memory.read),
            port.command.ready.eq(~active | (moves & address[: self._place_bits].all())),
        ]
        with m.If(free):
            m.d.sync += port.read.valid.eq(memory.read)
        with m.If(port.command.ready):
            m.d.sync += [
                active.eq(port.command.valid),
                write.eq(port.command.payload.write),
                address.eq(port.command.payload.address << self._place_bits),
            ]
        with m.Elif(moves):
            m.d.sync += address.eq(address + 1)
        return m
