"""Where samples come from: the link, or a store that the link has filled."""

from amaranth import Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import BURST_WORDS
from zipsgd.protocol.registers import REGISTERS
from zipsgd_hw.stream_register import StreamRegister

from .block_order import ORDER
from .block_reader import BlockReader
from .port import store_port
from .sample_word import sample_word
from .store_loader import StoreLoader

__all__ = ["SETTINGS", "SampleSource"]

SETTINGS = ("fill_start", "block_bytes", "last_block_bytes", *ORDER)
"""Registers that tell the source where samples are."""


class SampleSource(wiring.Component):
    """Words of samples for the unpacker.

    Bytes from the link are words of one byte, unless they fill the store. An epoch from the store has words as wide as the
    store's. Commands come one at a time, while it is not busy or behind an ``abort``. One that comes while an earlier one is
    being dropped waits until that is over.

    Latency: two cycles from the link or the store to ``words``. Throughput: that of :class:`.BlockReader` and
    :class:`.StoreLoader`; a byte a cycle from the link.

    Parameters
    ----------
    build : Build
        Build parameters, with a store.

    Members
    -------
    one for each of ``SETTINGS``, by its name
        In(24): the registers.
    fill : In(stream.Signature(32, always_ready=True))
        The next so many bytes go to the store.
    resident_samples : In(stream.Signature(32, always_ready=True))
        Read all blocks; 0 for their check alone.
    store_check : Out(32)
        Check of the blocks read.
    abort : In(1)
        Strobe: drop what is under way. No command in this cycle.
    busy : Out(1)
        A command is under way, or what it left in the store.
    reads : Out(1)
        The same, but for bytes to come from the link.
    bytes : In(stream.Signature(8))
        Bytes from the link.
    words : Out(stream.Signature(sample_word(build.word_bytes)))
        Words of samples; none in the cycle after ``abort``.
    store : Out(store_port(build))
        The store.
    """

    def __init__(self, build: Build):
        self._build = build
        super().__init__(
            {
                **{name: In(REGISTERS[name].width) for name in SETTINGS},
                "fill": In(stream.Signature(32, always_ready=True)),
                "resident_samples": In(stream.Signature(32, always_ready=True)),
                "store_check": Out(32),
                "abort": In(1),
                "busy": Out(1),
                "reads": Out(1),
                "bytes": In(stream.Signature(8)),
                "words": Out(stream.Signature(sample_word(build.word_bytes))),
                "store": Out(store_port(build)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.loader = loader = StoreLoader(self._build)
        m.submodules.reader = reader = BlockReader(self._build)
        m.d.comb += [
            loader.first.eq(self.fill_start),
            loader.abort.eq(self.abort),
            reader.abort.eq(self.abort),
            reader.block_bytes.eq(self.block_bytes),
            reader.last_block_bytes.eq(self.last_block_bytes),
            *(reader.order[name].eq(getattr(self, name)) for name in ORDER),
            self.store_check.eq(reader.check),
        ]
        waiting = self._start(m, loader, reader)
        m.d.comb += [
            self.busy.eq(waiting | loader.busy | reader.busy),
            self.reads.eq(waiting | reader.busy),
        ]
        self._connect_store(m, loader, reader)
        self._choose_words(m, loader, reader, waiting)
        return m

    def _start(self, m: Module, loader: StoreLoader, reader: BlockReader) -> Value:
        """Begin a command once nothing is under way; returns whether one waits."""
        fills, reads = Signal(), Signal()
        bursts = Signal.like(loader.bursts)
        checks = Signal()
        free = Signal()
        m.d.comb += [
            free.eq(~loader.busy & ~reader.busy & ~self.abort),
            loader.start.eq(fills & free),
            loader.bursts.eq(bursts),
            reader.start.eq(reads & ~fills & free),
            reader.discard.eq(checks),
        ]
        with m.If(self.abort | free & fills):
            m.d.sync += fills.eq(0)
        with m.If(self.abort | free & ~fills):
            m.d.sync += reads.eq(0)
        with m.If(self.fill.valid):
            burst_bytes = BURST_WORDS * self._build.word_bytes
            m.d.sync += [fills.eq(1), bursts.eq(self.fill.payload >> exact_log2(burst_bytes))]
        with m.If(self.resident_samples.valid):
            m.d.sync += [reads.eq(1), checks.eq(self.resident_samples.payload == 0)]
        return fills | reads

    def _connect_store(self, m: Module, loader: StoreLoader, reader: BlockReader) -> None:
        """The store belongs to the loader while it is busy."""
        store = self.store
        connect(m, loader.write, flipped(store.write))
        connect(m, flipped(store.read), reader.read)
        m.d.comb += [
            store.command.valid.eq(Mux(loader.busy, loader.command.valid, reader.command.valid)),
            store.command.payload.eq(Mux(loader.busy, loader.command.payload, reader.command.payload)),
            loader.command.ready.eq(store.command.ready),  # of two that are never busy together
            reader.command.ready.eq(store.command.ready),
        ]

    def _choose_words(self, m: Module, loader: StoreLoader, reader: BlockReader, waiting: Value) -> None:
        """Words of the store while it sends; else bytes of the link, behind a register. Bytes wait with their command."""
        byte_register = StreamRegister(8)
        word_register = StreamRegister(sample_word(self._build.word_bytes))
        m.submodules.byte_register = ResetInserter(self.abort)(byte_register)
        m.submodules.word_register = ResetInserter(self.abort)(word_register)
        connect(m, flipped(self.bytes), byte_register.input)
        connect(m, word_register.output, flipped(self.words))
        byte, word = byte_register.output, word_register.input
        of_link = Signal(sample_word(self._build.word_bytes))
        m.d.comb += [
            of_link.data.eq(byte.payload),
            loader.bytes.payload.eq(byte.payload),
            word.payload.eq(Mux(reader.sends, reader.words.payload, of_link)),
            reader.words.ready.eq(reader.sends & word.ready),
        ]
        with m.If(loader.busy | waiting):
            m.d.comb += [loader.bytes.valid.eq(byte.valid), byte.ready.eq(loader.bytes.ready)]
        with m.Else():
            m.d.comb += [
                word.valid.eq(Mux(reader.sends, reader.words.valid, byte.valid)),
                byte.ready.eq(~reader.sends & word.ready),
            ]
