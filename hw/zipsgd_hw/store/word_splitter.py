"""Words of a store in several words each of a narrower memory."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .port import store_signature

__all__ = ["WordSplitter"]


class WordSplitter(wiring.Component):
    """A store whose words are several of another store's, the lowest bits first; a burst is as many bursts.

    Latency: a cycle for a command, and none for words. Throughput: a word of the other store in every cycle.

    Parameters
    ----------
    parts : int
        Words of the other store in a word, a power of two.
    word_bits : int
        Bits of a word of the other store.
    address_bits : int
        Bits of a burst's number in the other store.

    Members
    -------
    port : In(store_signature(parts * word_bits, address_bits - log2(parts)))
        The store.
    memory : Out(store_signature(word_bits, address_bits))
        The other store.
    """

    def __init__(self, parts: int, word_bits: int, address_bits: int):
        self._parts = parts
        super().__init__(
            {
                "port": In(store_signature(parts * word_bits, address_bits - exact_log2(parts))),
                "memory": Out(store_signature(word_bits, address_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        port, memory = self.port, self.memory
        width = len(memory.read.payload)

        def part_of(name: str, moves) -> tuple[Signal, Signal]:
            """Which part moves next, and whether it is the last one."""
            place, last = Signal(exact_log2(self._parts), name=f"{name}_place"), Signal(name=f"{name}_last")
            m.d.comb += last.eq(place == self._parts - 1)
            with m.If(moves):
                m.d.sync += place.eq(place + 1)
            return place, last

        # A command is taken at once: its words may come behind it, and its later parts may have to wait for them
        moves = memory.command.valid & memory.command.ready
        place, last = part_of("command", moves)
        command = Signal.like(port.command.payload)
        m.d.comb += [
            memory.command.payload.address.eq(Cat(place, command.address)),
            memory.command.payload.write.eq(command.write),
            port.command.ready.eq(~memory.command.valid | (moves & last)),
        ]
        with m.If(port.command.ready):
            m.d.sync += [command.eq(port.command.payload), memory.command.valid.eq(port.command.valid)]

        place, last = part_of("write", memory.write.valid & memory.write.ready)
        m.d.comb += [
            memory.write.valid.eq(port.write.valid),
            memory.write.payload.eq(port.write.payload.word_select(place, width)),
            port.write.ready.eq(memory.write.ready & last),
        ]

        came = memory.read.valid & memory.read.ready
        place, last = part_of("read", came)
        kept = Signal((self._parts - 1) * width)
        with m.If(came & ~last):
            m.d.sync += kept.word_select(place, width).eq(memory.read.payload)
        m.d.comb += [
            port.read.valid.eq(memory.read.valid & last),
            port.read.payload.eq(Cat(kept, memory.read.payload)),
            memory.read.ready.eq(port.read.ready | ~last),
        ]
        return m
