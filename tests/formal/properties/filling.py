"""Bytes of the link reach their place in the store, or the datapath, each once; words of the store pass between them."""

from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value
from checker import Mutation, Property
from harness import Harness, inside, steady
from small import small_build

from zipsgd.protocol.numbers import BURST_WORDS
from zipsgd_hw.store.sample_source import SampleSource
from zipsgd_hw.store.store_loader import StoreLoader

__all__ = ["PROPERTIES"]

_BYTES = 2


def _moves(stream: Any) -> Value:
    return stream.valid & stream.ready


def _loader() -> Harness:
    """The bytes that have come for a word, the words that are still to be written, and the bursts that are still to come."""
    dut = StoreLoader(small_build(store_words=64, word_bytes=_BYTES))
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut)
    harness.assume("no start while busy", ~dut.start | ~dut.busy)
    harness.assume("no abort with a start", ~dut.start | ~dut.abort)
    harness.assume("a byte waits", steady(harness, dut.bytes))
    command, write = dut.command, dut.write
    left, following = Signal.like(dut.bursts), Signal.like(command.payload.address)
    owed = Signal(range(BURST_WORDS + 1))  # words of the burst at hand
    count, word = Signal(range(_BYTES + 1)), Signal(8 * _BYTES)
    aborted = Signal()
    m.d.sync += owed.eq(owed + Mux(_moves(command), BURST_WORDS, 0) - _moves(write))
    with m.If(_moves(command)):
        m.d.sync += [left.eq(left - 1), following.eq(following + 1)]
    with m.If(_moves(dut.bytes)):
        m.d.sync += [count.eq(count + 1), word.word_select(count[0], 8).eq(dut.bytes.payload)]
    with m.If(_moves(write)):
        m.d.sync += [count.eq(0), word.eq(0)]
    with m.If(dut.start):
        m.d.sync += [left.eq(dut.bursts), following.eq(dut.first), aborted.eq(0)]
    with m.If(dut.abort & dut.busy):
        m.d.sync += [aborted.eq(1), left.eq((left != 0) & ~_moves(command))]
    harness.show("a command waits unchanged", steady(harness, command))
    harness.show("a word waits unchanged", steady(harness, write))
    harness.show("the next burst", ~command.valid | (command.payload.address == following))
    harness.show("to be written", command.payload.write)
    harness.show("as many bursts as were wanted", ~command.valid | (left != 0))
    harness.show("a burst behind another's words", ~command.valid | (owed == 0))
    harness.show(
        "a byte where a word has room", ~dut.bytes.ready | ((owed != 0) & (count < _BYTES) & ~aborted)
    )
    harness.show("no word that nobody asked for", ~write.valid | (owed != 0))
    harness.show("a word of all of its bytes", ~write.valid | aborted | (count == _BYTES))
    harness.show("of these bytes, and of zeros", ~write.valid | (write.payload == word))
    harness.show(
        "it is busy until all is over", dut.busy | ((owed == 0) & (count == 0) & ((left == 0) | aborted))
    )
    harness.show("nothing while it is not", dut.busy | ~(command.valid | write.valid | dut.bytes.ready))
    idles = Signal(range(4 * _BYTES))
    waits = dut.busy & ~(command.valid | write.valid | dut.bytes.ready)
    m.d.sync += idles.eq(Mux(waits, idles + 1, 0))
    harness.show("it waits for others alone", idles <= _BYTES + 1)
    # What makes the proof quick: where the numbers are
    harness.lemma("bursts left", aborted | ~dut.busy | (parts.left == left))
    harness.lemma("place", aborted | (parts.place == ((-owed * _BYTES + count)[: len(parts.place)])))
    return harness


class _Queue:
    """A queue of two words: what is in it, by what came and went."""

    def __init__(
        self, harness: Harness, bits: int, comes: Value, what: Value, goes: Value, clear: Value, name: str
    ):
        m = harness.m
        self.count, self._words = Signal(2, name=f"{name}_count"), Signal(2 * bits, name=f"{name}_words")
        left = Signal(2, name=f"{name}_left")
        m.d.comb += left.eq(self.count - goes)
        kept = Mux(goes, self._words[bits:], self._words)
        m.d.sync += self.count.eq(Mux(clear, 0, left + comes))
        m.d.sync += self._words.eq(Mux(comes, Mux(left == 0, what, Cat(kept[:bits], what)), kept))
        self.oldest = self._words[:bits]
        self.any = self.count != 0


def _contracts(harness: Harness, dut: SampleSource, parts: Any) -> None:
    """Replaces loader and reader by what is proved of them: nothing while they are not busy, and streams that wait."""
    loader, reader = parts.loader, parts.reader
    m = harness.m
    harness.cut(
        loader,
        loader.command.valid,
        loader.command.payload,
        loader.write.valid,
        loader.write.payload,
        loader.bytes.ready,
    )
    harness.cut(
        reader, reader.command.valid, reader.command.payload, reader.read.ready, reader.words.valid, reader.words.payload,
        reader.sends, reader.check,
    )  # fmt: skip
    for name, part in (("loader", loader), ("reader", reader)):
        busy = Signal(name=f"{name}_busy")
        m.d.comb += part.busy.eq(busy)
        m.d.sync += busy.eq((busy & ~harness.free(1, f"{name}_ends")) | part.start)
        harness.assume(f"commands of a {name} that is busy", part.busy | ~part.command.valid)
        harness.assume(f"a {name}'s command waits", steady(harness, part.command))
    harness.assume(
        "bytes and words of a loader that is busy", loader.busy | ~(loader.bytes.ready | loader.write.valid)
    )
    harness.assume("a loader's word waits", steady(harness, loader.write))
    # The reader sends from the cycle behind its start to that behind its end, if at all, and not behind an abort
    dropping, begun = Signal(), harness.past(reader.start)
    with m.If(dut.abort):
        m.d.sync += dropping.eq(1)
    with m.Elif(reader.start | loader.start):
        m.d.sync += dropping.eq(0)
    harness.assume("no words behind an abort", ~reader.sends | ~dropping)
    harness.assume("words of a reader that is busy", ~reader.sends | harness.past(reader.busy))
    harness.assume("and that sends", ~reader.words.valid | (reader.sends & reader.busy & ~begun))
    harness.assume("a reader's word waits", steady(harness, reader.words, unless=dut.abort))
    commands = dut.fill.valid | dut.resident_samples.valid
    waits = parts.waiting
    harness.assume("commands while idle, or behind an abort", ~commands | ~dut.busy | (dropping & ~waits))
    harness.assume("no command with an abort", ~commands | ~dut.abort)


def _source() -> Harness:
    dut: Any = SampleSource(small_build(store_words=64, word_bytes=_BYTES))
    parts = inside(dut)
    loader, reader = parts.loader, parts.reader
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut)
    _contracts(harness, dut, parts)
    harness.assume("a byte waits", steady(harness, dut.bytes))
    # Commands
    fills, reads, checks, bursts = Signal(), Signal(), Signal(), Signal.like(loader.bursts)
    free = ~loader.busy & ~reader.busy & ~dut.abort
    harness.show("a fill begins as soon as it may", loader.start == (fills & free))
    harness.show("an epoch as well, behind it", reader.start == (reads & ~fills & free))
    harness.show("with its bursts", ~loader.start | (loader.bursts == bursts))
    harness.show("or for the check alone", ~reader.start | (reader.discard == checks))
    m.d.sync += [fills.eq(fills & ~free & ~dut.abort), reads.eq(reads & (fills | ~free) & ~dut.abort)]
    with m.If(dut.fill.valid):
        m.d.sync += [fills.eq(1), bursts.eq(dut.fill.payload // (BURST_WORDS * _BYTES))]
    with m.If(dut.resident_samples.valid):
        m.d.sync += [reads.eq(1), checks.eq(dut.resident_samples.payload == 0)]
    waits = fills | reads
    harness.show("busy", dut.busy == (waits | loader.busy | reader.busy))
    harness.show("reading", dut.reads == (waits | reader.busy))
    # The store
    store = dut.store
    harness.show("a command waits unchanged", steady(harness, store.command))
    for part in (loader, reader):
        harness.show(
            f"a command of the {type(part).__name__}",
            ~_moves(part.command)
            | (_moves(store.command) & (store.command.payload.as_value() == part.command.payload.as_value())),
        )
    harness.show("one command at a time", ~(_moves(loader.command) & _moves(reader.command)))
    harness.show("no other", ~_moves(store.command) | _moves(loader.command) | _moves(reader.command))
    harness.show("words to write", _moves(store.write) == _moves(loader.write))
    harness.show("as they are", ~_moves(store.write) | (store.write.payload == loader.write.payload))
    harness.show("words to read", _moves(store.read) == _moves(reader.read))
    harness.show("as they were", ~_moves(store.read) | (store.read.payload == reader.read.payload))
    # Bytes and words
    to_store, of_store = _moves(loader.bytes), _moves(reader.words)
    passes = _moves(parts.byte) & ~to_store
    link = _Queue(harness, 8, _moves(dut.bytes), dut.bytes.payload, to_store | passes, dut.abort, "link")
    shape = len(Value.cast(dut.words.payload))
    came = Mux(of_store, reader.words.payload.as_value(), link.oldest)
    words = _Queue(harness, shape, of_store | passes, came, _moves(dut.words), dut.abort, "words")
    harness.show("bytes and words do not meet", ~(of_store & (passes | to_store)))
    harness.show("a byte's way", ~passes | ~(waits | loader.busy | reader.sends))
    harness.show(
        "no byte waits for nothing",
        ~link.any | waits | loader.busy | reader.sends | (words.count == 2) | passes,
    )
    harness.show("bytes of a fill", loader.bytes.valid == (link.any & (waits | loader.busy)))
    harness.show("the next one", ~loader.bytes.valid | (loader.bytes.payload == link.oldest))
    harness.show(
        "no word of the store waits for nothing", ~reader.words.valid | of_store | (words.count == 2)
    )
    harness.show("a word waits unchanged", steady(harness, dut.words, unless=dut.abort))
    harness.show("each word once", dut.words.valid == words.any)
    harness.show("in order", ~words.any | (dut.words.payload.as_value() == words.oldest))
    harness.show("none behind an abort", ~harness.past(dut.abort) | ~dut.words.valid)
    harness.show("at most two of each", (link.count < 3) & (words.count < 3))
    harness.show("the check", dut.store_check == reader.check)
    return harness


PROPERTIES = [
    Property(
        "filling",
        "bytes are written in order, each once, to the bursts that were asked for, and to no others; an abort completes a burst"
        " with zeros",
        "StoreLoader",
        "8 bursts of words of 2 bytes, any fill, aborts at any time",
        _loader,
        (
            Mutation(
                StoreLoader,
                "a word ends a byte early",
                "place % self._bytes == self._bytes - 1",
                "place % self._bytes == 0",
            ),
            Mutation(
                StoreLoader, "a byte is taken twice", "with m.If(self.bytes.valid | aborted)", "with m.If(1)"
            ),
            Mutation(StoreLoader, "an abort waits for bytes", "valid | aborted)", "valid)"),
            Mutation(
                StoreLoader,
                "a burst is written over",
                "payload.address.eq(self.command.payload.address + 1)",
                "payload.address.eq(self.command.payload.address)",
            ),
        ),
    ),
    Property(
        "source of samples",
        "bytes of a fill go to the store and all others to the datapath, words of the store in between, each once and in order;"
        " no command is lost or comes twice; an abort leaves none of them",
        "SampleSource",
        "words of 2 bytes, any commands; loader and reader may do what is proved of them",
        _source,
        (
            Mutation(
                SampleSource,
                "bytes do not wait with their command",
                "with m.If(loader.busy | waiting):",
                "with m.If(loader.busy):",
            ),
            Mutation(
                SampleSource,
                "a word does not wait",
                "reader.words.ready.eq(reader.sends & word.ready)",
                "reader.words.ready.eq(reader.sends)",
            ),
            Mutation(
                SampleSource,
                "a fill begins while words are dropped",
                "free.eq(~loader.busy & ~reader.busy",
                "free.eq(~loader.busy",
            ),
            Mutation(
                SampleSource,
                "an abort leaves a byte",
                "ResetInserter(self.abort)(byte_register)",
                "byte_register",
            ),
            Mutation(
                SampleSource,
                "an epoch begins with the fill before it",
                "reads & ~fills & free",
                "reads & free",
            ),
        ),
    ),
]
