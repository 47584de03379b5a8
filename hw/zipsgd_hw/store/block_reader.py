"""Reads the blocks of an epoch from a store."""

from dataclasses import dataclass

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import BURST_WORDS
from zipsgd_hw.stream_register import StreamRegister

from .block_order import BlockOrder, order_layout, placed
from .port import burst_command
from .sample_word import sample_word

__all__ = ["BlockReader"]

_BURST_LOG = exact_log2(BURST_WORDS)
_OUTSTANDING = 256
"""Words that may be on their way from the store before the next burst is asked for."""


@dataclass
class _Sizes:
    """Sizes of a block: index of its last ``burst``, of its last ``word``, and of that word's last byte, ``tail``."""

    burst: Value
    word: Value
    tail: Value


class BlockReader(wiring.Component):
    """The samples of all blocks, in the order of the epoch, and the check of what was read (golden model:
    :func:`zipsgd.golden.order.row_order`, :meth:`zipsgd.protocol.store.StoreLayout.check`).

    Bursts are asked for ahead of the words that come. What ``abort`` finds under way in the store is taken and dropped;
    ``busy`` says when that is over.

    Throughput: a word a cycle, except for 1 + ceil(4 / word_bytes) cycles before each block, in which the check takes in the
    block's place.

    Parameters
    ----------
    build : Build
        Build parameters, with a store.

    Members
    -------
    order : In(order_layout(build))
        The order.
    block_bytes : In(...), last_block_bytes : In(...)
        Bytes of a block's samples, 1 or more; those of the last block. As ``order`` constant while blocks are read, and for two
        cycles before.
    start : In(1)
        Strobe: read all blocks. Not while ``busy``.
    discard : In(1)
        With ``start``: the words matter for the check alone.
    abort : In(1)
        Strobe: stop. Not with ``start``.
    busy : Out(1)
        Blocks are still to be read, or words to be dropped.
    sends : Out(1)
        ``words`` has or will have words, or had one in the cycle before.
    words : Out(stream.Signature(sample_word(build.word_bytes)))
        The samples. ``abort`` may take back a word that is offered.
    check : Out(32)
        Check of the blocks since the last ``start``; final when ``busy`` is 0.
    command : Out(stream.Signature(burst_command(...))), read : In(stream.Signature(8 * word_bytes))
        Of :func:`.store_signature`.
    """

    @staticmethod
    def cycles(build: Build, bursts: int) -> int:
        """Fewest cycles of a block of so many bursts."""
        return bursts * BURST_WORDS + 1 + _head_words(build.word_bytes)

    def __init__(self, build: Build):
        self._build, self._bytes = build, build.word_bytes
        self._size_bits = build.burst_bits + _BURST_LOG + exact_log2(build.word_bytes)
        self._address_bits = exact_log2(build.store_bursts)
        super().__init__(
            {
                "order": In(order_layout(build)),
                "block_bytes": In(self._size_bits),
                "last_block_bytes": In(self._size_bits),
                "start": In(1),
                "discard": In(1),
                "abort": In(1),
                "busy": Out(1),
                "sends": Out(1),
                "words": Out(stream.Signature(sample_word(self._bytes))),
                "check": Out(32),
                "command": Out(stream.Signature(burst_command(self._address_bits))),
                "read": In(stream.Signature(8 * self._bytes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.order = order = BlockOrder(self._build)
        drains = Signal()
        discards = Signal()
        queue = StreamRegister(placed(self._build))
        m.submodules.queue = ResetInserter(drains)(queue)
        m.d.comb += [order.order.eq(self.order), order.start.eq(self.start), order.stop.eq(self.abort)]
        fetching = self._fetch(m, order, queue, drains)
        receiving = self._receive(m, queue, drains, discards)
        reads = Signal()
        m.d.comb += [reads.eq(order.busy | fetching | receiving), self.busy.eq(reads | drains)]
        m.d.sync += self.sends.eq(reads & ~drains & ~discards & ~self.abort)
        with m.If(self.start):
            m.d.sync += discards.eq(self.discard)
        return m

    def _fetch(self, m: Module, order: BlockOrder, queue: StreamRegister, drains: Signal) -> Signal:
        """Ask for the bursts of one block after another; returns whether a block is under way."""
        fetching = Signal()
        left = Signal(self._build.burst_bits)  # bursts of the block behind this one
        outstanding = Signal(range(_OUTSTANDING + BURST_WORDS + 1))
        asked, came = Signal(), Signal()
        sizes = self._sizes(m, order.blocks.payload.last)
        takes = Signal()
        m.d.comb += [
            takes.eq(order.blocks.valid & ~fetching & queue.input.ready & ~self.abort & ~drains),
            order.blocks.ready.eq(takes),
            queue.input.valid.eq(takes),
            queue.input.payload.eq(order.blocks.payload),
            self.command.valid.eq(fetching & (outstanding < _OUTSTANDING)),
            asked.eq(self.command.valid & self.command.ready),
            came.eq(self.read.valid & self.read.ready),
        ]
        with m.If(asked):
            m.d.sync += [
                self.command.payload.address.eq(self.command.payload.address + 1),
                left.eq(left - 1),
                fetching.eq((left != 0) & ~drains & ~self.abort),
            ]
        with m.Elif(takes):
            m.d.sync += [
                self.command.payload.address.eq(order.blocks.payload.address),
                left.eq(sizes.burst),
                fetching.eq(1),
            ]
        m.d.sync += outstanding.eq(outstanding + Mux(asked, BURST_WORDS, 0) - came)
        # A command that is offered stays: its burst is among those that are dropped
        with m.If(self.abort):
            m.d.sync += drains.eq(1)
        with m.Elif(drains & ~fetching & (outstanding == 0)):
            m.d.sync += drains.eq(0)
        return fetching

    def _sizes(self, m: Module, last: Value) -> _Sizes:
        """Sizes of a block."""
        byte_log = exact_log2(self._bytes)
        ends = []
        for name in ("block_bytes", "last_block_bytes"):
            end = Signal(self._size_bits, name=f"{name}_end")
            m.d.sync += end.eq(getattr(self, name) - 1)
            ends.append(end)
        chosen: Value = Mux(last, ends[1], ends[0])
        return _Sizes(chosen[byte_log + _BURST_LOG :], chosen[byte_log:], chosen[:byte_log])

    def _receive(self, m: Module, queue: StreamRegister, drains: Signal, discards: Signal) -> Value:
        """Pass the words of a block on, without those behind its samples; returns whether a block is under way."""
        block = queue.output
        sizes = self._sizes(m, block.payload.last)
        tail = Signal.like(sizes.tail)
        left = Signal.like(sizes.word)  # words of the samples behind this one
        final = Signal()  # there are none
        counts = Signal()  # this word is of the samples
        position = Signal(_BURST_LOG)  # of this word in its burst
        head = _head(block.payload.address, self._bytes)
        place = Signal(range(len(head) + 1))  # of the head's words; behind them, the block's words come
        in_body, ends, moves = Signal(), Signal(), Signal()
        folds = Signal()  # the last block's check is there

        m.submodules.crc = crc = catalog.CRC32_ISO_HDLC(data_width=8 * self._bytes).create()
        m.d.sync += tail.eq(sizes.tail)
        m.d.comb += [
            in_body.eq(block.valid & (place == len(head))),
            ends.eq((position == BURST_WORDS - 1) & (final | ~counts)),
            self.words.valid.eq(self.read.valid & in_body & counts & ~discards & ~drains),
            self.words.payload.data.eq(self.read.payload),
            self.words.payload.last.eq(Mux(final, tail, self._bytes - 1)),
            self.read.ready.eq(drains | in_body & (self.words.ready | ~counts | discards)),
            moves.eq(self.read.valid & self.read.ready),
            block.ready.eq(in_body & moves & ends),
            crc.data.eq(self.read.payload),
            crc.valid.eq(in_body & moves & counts),
            crc.start.eq(folds),
        ]
        with m.If(moves):
            m.d.sync += position.eq(position + 1)
        with m.If(~in_body):
            m.d.sync += [left.eq(sizes.word), final.eq(sizes.word == 0), counts.eq(1)]
        with m.Elif(moves):
            m.d.sync += [left.eq(left - 1), final.eq((left == 1) & counts), counts.eq(counts & ~final)]
        m.d.sync += folds.eq(block.ready)
        with m.If(folds):
            m.d.sync += self.check.eq(self.check ^ crc.crc)
        with m.If(block.ready):
            m.d.sync += place.eq(0)
        with m.Elif(block.valid & ~folds & ~in_body):
            m.d.comb += [crc.valid.eq(1), crc.data.eq(Cat(head).word_select(place, 8 * self._bytes))]
            m.d.sync += place.eq(place + 1)
        with m.If(self.start):
            m.d.sync += self.check.eq(0)
        with m.If(drains):
            m.d.sync += [position.eq(0), place.eq(0), folds.eq(0)]
            m.d.comb += crc.start.eq(1)
        return block.valid | folds


def _head_words(word_bytes: int) -> int:
    """Words of :func:`_head`."""
    return max(4, word_bytes) // word_bytes


def _head(address: Value, word_bytes: int) -> list[Value]:
    """The words by which the check takes in a block's place: the address in four bytes, or a word if that is longer."""
    count = _head_words(word_bytes)
    wide = Cat(address, Signal(8 * word_bytes * count - len(address)))
    return [wide.word_select(i, 8 * word_bytes) for i in range(count)]
