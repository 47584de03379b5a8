"""A store in the single-port RAM (SPRAM) of an iCE40 UltraPlus."""

from collections.abc import Callable

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped
from amaranth.utils import ceil_log2, exact_log2

from zipsgd_hw.memory import block_ram

from .burst_walk import BurstWalk, memory_signature
from .port import store_signature

__all__ = ["SPRAM_BYTES", "SpramCell", "SpramModel", "SpramStore"]

_CELLS, _CELL_BITS, _CELL_WORDS = 4, 16, 1 << 14
_CELL_BYTES = _CELL_BITS // 8
_ADDRESS_BITS = exact_log2(_CELL_WORDS)
SPRAM_BYTES = _CELLS * _CELL_WORDS * _CELL_BITS // 8
"""Bytes of all SPRAMs of a chip."""


class SpramCell(wiring.Component):
    """One SB_SPRAM256KA: 16 K words of 16 bits.

    Latency: a word is there in the cycle after its read, until the next access. Throughput: an access a cycle.

    Members
    -------
    port : In(memory_signature(16, 14))
        The memory.
    mask : In(2)
        The bytes that a write changes.
    """

    port: In(memory_signature(_CELL_BITS, _ADDRESS_BITS))
    mask: In(_CELL_BYTES)

    def elaborate(self, platform):
        m = Module()
        port = self.port
        m.submodules.cell = Instance(
            "SB_SPRAM256KA",
            i_ADDRESS=port.address,
            i_DATAIN=port.written,
            i_MASKWREN=Cat(bit.replicate(2) for bit in self.mask),  # a bit for each nibble
            i_WREN=port.write,
            i_CHIPSELECT=port.write | port.read,
            i_CLOCK=ClockSignal(),
            i_STANDBY=Const(0),
            i_SLEEP=Const(0),
            i_POWEROFF=Const(1),  # active low
            o_DATAOUT=port.word,
        )
        return m


class SpramModel(wiring.Component):
    """What simulation has in place of :class:`SpramCell`.

    Latency: a word is there in the cycle after its read, until the next access. Throughput: an access a cycle.

    Members
    -------
    port : In(memory_signature(16, 14))
        The memory.
    mask : In(2)
        The bytes that a write changes.
    """

    port: In(memory_signature(_CELL_BITS, _ADDRESS_BITS))
    mask: In(_CELL_BYTES)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = block_ram(_CELL_BITS, _CELL_WORDS)
        write, read = memory.write_port(granularity=8), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.port.address),
            write.data.eq(self.port.written),
            write.en.eq(self.mask & self.port.write.replicate(_CELL_BYTES)),
            read.addr.eq(self.port.address),
            read.en.eq(self.port.read),
            self.port.word.eq(read.data),
        ]
        return m


class SpramStore(wiring.Component):
    """The four SPRAMs of an iCE40 UltraPlus, 128 KiB, unknown until they are written. The store is a plain array of words.

    Latency: a burst's first word comes out two cycles after its command is taken. Throughput: a word a cycle, also from one
    burst to the next. ``port.read`` comes straight from the memory, late in its cycle.

    Parameters
    ----------
    cell : callable
        Makes one SPRAM: :class:`SpramCell` for a chip, :class:`SpramModel` for simulation.
    word_bits : int
        Bits of a word: 16, 32 or 64, for as many cells side by side; or 8, for two words in a cell's word.
    burst_words : int
        Words of a burst, a power of two.

    Attributes
    ----------
    word_bits, burst_words, bursts : int
        Bits of a word, words of a burst, and number of bursts: 128 KiB in all.
    pace : StorePace
        How fast the store is read.

    Members
    -------
    port : In(store_signature(word_bits, log2(bursts)))
        The store.

    Raises
    ------
    ValueError
        ``word_bits`` is another number, or ``burst_words`` is not a power of two.
    """

    pace = BurstWalk.pace

    def __init__(self, cell: Callable[[], wiring.Component], word_bits: int = 16, burst_words: int = 8):
        if word_bits not in (8, 16, 32, 64):
            raise ValueError(f"word_bits must be 8, 16, 32 or 64, not {word_bits}")
        words = _CELLS * _CELL_WORDS * _CELL_BITS // word_bits
        self._cell = cell
        self._walk = BurstWalk(word_bits, words, burst_words)
        self.word_bits, self.burst_words, self.bursts = word_bits, burst_words, words // burst_words
        super().__init__({"port": In(store_signature(word_bits, ceil_log2(self.bursts)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = self._walk
        connect(m, flipped(self.port), walk.port)
        memory = walk.memory
        columns = max(1, self.word_bits // _CELL_BITS)
        parts = max(1, _CELL_BITS // self.word_bits)  # words of a cell's word
        rows = _CELLS // columns
        part_bits = exact_log2(parts)
        part, row = memory.address[:part_bits], memory.address[part_bits + _ADDRESS_BITS :]
        shown = Signal(range(rows * parts))
        with m.If(memory.read):
            m.d.sync += shown.eq(Cat(part, row))
        words = Array(Signal(self.word_bits, name=f"word{place}") for place in range(rows * parts))
        m.d.comb += memory.word.eq(words[shown])
        width = self.word_bits // columns
        for place in range(rows):
            for column in range(columns):
                m.submodules[f"cell{place * columns + column}"] = cell = self._cell()
                m.d.comb += [
                    cell.port.address.eq(memory.address[part_bits:]),
                    cell.port.write.eq(memory.write & (row == place)),
                    cell.port.read.eq(memory.read & (row == place)),
                    cell.port.written.eq(memory.written[column * width :][:width].replicate(parts)),
                    cell.mask.eq(~0 if parts == 1 else 1 << part),
                ]
                for index in range(parts):
                    m.d.comb += words[place * parts + index][column * width :][:width].eq(
                        cell.port.word[index * width :][:width]
                    )
        return m
