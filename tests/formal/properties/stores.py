"""Every store is a plain array: what is read is what was last written there, in the order of the commands."""

from typing import Any

from amaranth.hdl import DomainRenamer, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped
from checker import Method, Mutation, Property
from harness import Harness, steady

from zipsgd_hw.store.block_ram import BlockRamStore
from zipsgd_hw.store.burst_walk import BurstWalk, memory_signature
from zipsgd_hw.store.clock_crossing import ClockCrossing
from zipsgd_hw.store.spram import SpramStore
from zipsgd_hw.store.word_splitter import WordSplitter

__all__ = ["PROPERTIES", "show_array"]


def _moves(stream: Any) -> Value:
    return stream.valid & stream.ready


def show_array(harness: Harness, port: Any, burst_words: int, most: int, *, early: bool = False) -> None:
    """States that the store behind ``port`` is a plain array.

    Words are numbered by counting: of each kind, the words that are due are those that commands have asked for and that have
    not moved yet. One burst that is written is marked, with one of its words, and one later burst that is read from the same
    place with no other write to it in between. Its word must be the marked one. As any write, word and read may be the marked
    ones, no word is lost, repeated, changed or out of its place.

    Parameters
    ----------
    harness : Harness
        Its component has the port, whose inputs are free.
    port : store_signature
        The store, from its user's side or its own.
    burst_words : int
        Words of a burst.
    most : int
        Words of a kind that the store may owe; more are an error.
    early : bool
        Whether the store takes words to write before their command; it is then assumed that they do not come so early.
    """
    m = harness.m
    command = port.command.payload
    taken = Signal()
    place = harness.constant(range(burst_words), "place")
    m.d.comb += taken.eq(_moves(port.command))
    due: dict[str, Signal] = {}
    for name, stream, kind in (("write", port.write, command.write), ("read", port.read, ~command.write)):
        due[name] = count = Signal(range(most + 2 * burst_words), name=f"{name}_due")
        asked = Mux(taken & kind, burst_words, 0)
        m.d.sync += count.eq(count + asked - _moves(stream))
        if early and name == "write":
            harness.assume("words to write come behind their command", ~stream.valid | (count != 0))
        else:
            harness.show(f"no {name} word that nobody asked for", ~_moves(stream) | (count != 0))
        harness.show(f"{name} commands are taken only as far as promised", count <= most)
    harness.show("a read word waits unchanged", steady(harness, port.read))

    written, read = Signal(), Signal()  # the marked bursts have been asked for
    lost = Signal()  # another write to the place
    ahead = {name: Signal.like(due[name], name=f"{name}_ahead") for name in due}
    known, word = Signal(), Signal.like(port.write.payload)
    address = Signal.like(command.address)
    marks = harness.free(1, "marks")
    here = taken & (command.address == address)
    with m.If(~written & taken & command.write & marks):
        m.d.sync += [written.eq(1), address.eq(command.address)]
        m.d.sync += ahead["write"].eq(due["write"] - _moves(port.write) + place)
    with m.Elif(written):
        with m.If(here & command.write):
            m.d.sync += lost.eq(1)
        with m.If(here & ~command.write & marks & ~lost & ~read):
            m.d.sync += [read.eq(1), ahead["read"].eq(due["read"] - _moves(port.read) + place)]
        with m.If(_moves(port.write) & ~known):
            m.d.sync += ahead["write"].eq(ahead["write"] - 1)
            with m.If(ahead["write"] == 0):
                m.d.sync += [known.eq(1), word.eq(port.write.payload)]
    done = Signal()
    with m.If(read & _moves(port.read)):
        m.d.sync += [ahead["read"].eq(ahead["read"] - 1), done.eq(done | (ahead["read"] == 0))]
    now = read & ~done & (ahead["read"] == 0) & port.read.valid
    harness.show("the word that was written", ~now | (known & (port.read.payload == word)))


class _TinyCell(wiring.Component):
    """An SPRAM with one of its words, whose output is lost by a write."""

    port: In(memory_signature(16, 14))
    mask: In(2)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        port = self.port
        word, shown = Signal(16), Signal(16)
        m.d.comb += port.word.eq(shown)
        with m.If(port.write):
            m.d.sync += shown.eq(~shown)
            for byte, written in enumerate(self.mask):
                with m.If(written):
                    m.d.sync += word.word_select(byte, 8).eq(port.written.word_select(byte, 8))
        with m.Elif(port.read):
            m.d.sync += shown.eq(word)
        return m


def _memory_store(store: Any, bursts: int = 2, *, early: bool = False) -> Harness:
    harness = Harness()
    harness.m.submodules.dut = store
    harness.drive(store)
    harness.assume("an offered word waits", steady(harness, store.port.write))
    harness.assume("an offered command waits", steady(harness, store.port.command))
    show_array(harness, store.port, store.burst_words, bursts * store.burst_words, early=early)
    return harness


def _block_ram() -> Harness:
    return _memory_store(BlockRamStore(2, 8, 2))


def _spram() -> Harness:
    store = SpramStore(_TinyCell, 16, 1)
    harness = _memory_store(store)
    harness.assume("the word of each cell", store.port.command.payload.address[:-2] == 0)
    return harness


def _spram_bytes() -> Harness:
    """Two words in a cell's word, and two cells."""
    store = SpramStore(_TinyCell, 8, 1)
    harness = _memory_store(store)
    harness.assume("the word of two cells", store.port.command.payload.address[1:-1] == 0)
    return harness


class _SplitStore(wiring.Component):
    """A block RAM in words of two of its own."""

    burst_words = 2

    def __init__(self) -> None:
        self._store = BlockRamStore(1, 8, 2)
        self._splitter = WordSplitter(2, 1, 2)
        super().__init__({"port": self._splitter.signature.members["port"]})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.splitter, m.submodules.store = self._splitter, self._store
        connect(m, flipped(self.port), self._splitter.port)
        connect(m, self._splitter.memory, self._store.port)
        return m


def _split() -> Harness:
    return _memory_store(_SplitStore(), 4)


class _CrossedStore(wiring.Component):
    """A block RAM behind a crossing, both in one clock."""

    burst_words = 2

    def __init__(self) -> None:
        self._store = BlockRamStore(1, 8, 2)
        self._crossing = ClockCrossing(1, 2)
        super().__init__({"port": self._crossing.signature.members["port"]})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.crossing = DomainRenamer({"memory": "sync"})(self._crossing)
        m.submodules.store = self._store
        connect(m, flipped(self.port), self._crossing.port)
        connect(m, self._crossing.memory, self._store.port)
        return m


def _crossed() -> Harness:
    return _memory_store(_CrossedStore(), 12, early=True)


_WALK_MUTATIONS = (
    Mutation(
        BurstWalk,
        "a word is read over the one that waits",
        "memory.read.eq(active & ~write & free)",
        "memory.read.eq(active & ~write)",
    ),
    Mutation(BurstWalk, "a burst ends a word early", "address[: self._place_bits].all()", "address[0] == 0"),
    Mutation(
        BurstWalk,
        "a write goes on without its word",
        "memory.write.eq(port.write.ready & port.write.valid)",
        "memory.write.eq(port.write.ready)",
    ),
)

PROPERTIES = [
    Property(
        "block RAM store",
        "it is a plain array: no word is lost, repeated, changed or out of its place, whatever stalls",
        "BlockRamStore, BurstWalk",
        "4 bursts of 2 words of 2 bits",
        _block_ram,
        _WALK_MUTATIONS,
    ),
    Property(
        "store behind a crossing",
        "it is a plain array, whatever stalls; both clocks are one here",
        "ClockCrossing",
        "4 bursts of 2 words of a bit",
        _crossed,
        (
            Mutation(
                ClockCrossing,
                "words that were read go back without a queue's leave",
                "queue.w_en.eq(source.valid)",
                "queue.w_en.eq(1)",
            ),
            Mutation(
                ClockCrossing,
                "a word is taken that there is no room for",
                "source.ready.eq(queue.w_rdy)",
                "source.ready.eq(1)",
            ),
            Mutation(
                ClockCrossing,
                "a word comes out again and again",
                "queue.r_en.eq(target.ready)",
                "queue.r_en.eq(0)",
            ),
        ),
        method=Method.BMC,
        depth=16,
    ),
    Property(
        "split store",
        "a store in words of two of another one's is a plain array, whatever stalls",
        "WordSplitter",
        "2 bursts of 2 words of 2 bits",
        _split,
        (
            Mutation(
                WordSplitter,
                "a command is carried out in part",
                "port.command.ready.eq(~memory.command.valid | (moves & last))",
                "port.command.ready.eq(~memory.command.valid | moves)",
            ),
            Mutation(
                WordSplitter,
                "the parts of a word to write are swapped",
                "port.write.payload.word_select(place, width)",
                "port.write.payload.word_select(~place, width)",
            ),
            Mutation(
                WordSplitter,
                "the last part is taken while the word waits",
                "memory.read.ready.eq(port.read.ready | ~last)",
                "memory.read.ready.eq(1)",
            ),
        ),
    ),
    Property(
        "SPRAM store",
        "it is a plain array, also where a write loses a cell's output",
        "SpramStore, BurstWalk",
        "bursts of a word of 16 bits, cells with one of their words",
        _spram,
        (
            Mutation(
                BurstWalk,
                "a word is written while one waits",
                "port.write.ready.eq(active & write & free)",
                "port.write.ready.eq(active & write)",
            ),
            Mutation(
                SpramStore,
                "the next word's cell is shown",
                "with m.If(memory.read):",
                "with m.If(1):",
            ),
        ),
    ),
    Property(
        "SPRAM store of bytes",
        "it is a plain array, also where a cell's word has two of its words",
        "SpramStore, BurstWalk",
        "bursts of a byte, two cells with one of their words",
        _spram_bytes,
        (
            Mutation(
                SpramStore,
                "a byte is written into both halves",
                "cell.mask.eq(~0 if parts == 1 else 1 << part)",
                "cell.mask.eq(~0)",
            ),
        ),
    ),
]
