"""A schedule's writes are played in order, each once, and an epoch's results are kept before the next one begins."""

from typing import Any

from amaranth.hdl import Array, Cat, Mux, Signal, Value
from checker import Method, Mutation, Property
from harness import Harness, inside, state, steady
from small import small_build

from zipsgd.protocol.registers import REGISTERS, RESULT_WORDS
from zipsgd_hw.link.schedule import Schedule

__all__ = ["PROPERTIES"]

_WORDS = 16
_EPOCHS = 2
_FIRST = REGISTERS["status"].address
_RESULTS = 2
_ANSWER = 8
"""Cycles within which the register bank answers."""


def _moves(stream: Any) -> Value:
    return stream.valid & stream.ready


def _entries(harness: Harness, fetch: Any, results: Any) -> tuple[Signal, Any, Array[Signal], Signal]:
    """Replaces the memories. Of the writes, which ones start an epoch is known, and all of one marked one. Returns the latter,
    its entry, the former, and the place whose write is there."""
    harness.cut(results.memory)
    harness.cut(fetch.memory, fetch.read.data)
    read = fetch.read
    marked = harness.constant(range(_WORDS), "marked")
    entry = harness.constant(len(Value.cast(read.data)), "entry")
    starts = Array(harness.constant(1, f"starts{place}") for place in range(_WORDS))
    at = harness.past(read.addr)
    harness.assume("what the memory holds", (at != marked) | (Value.cast(read.data) == entry))
    harness.assume("what starts an epoch", read.data.starts == starts[at])
    return marked, type(read.data)(fetch.write.shape(), entry), starts, at


def _link(harness: Harness, dut: Schedule, own: Signal) -> Signal:
    """Accesses of the link pass, each once. Returns whether one of its reads waits for its word."""
    m = harness.m
    waits = Signal()
    with m.If(_moves(dut.link_read)):
        m.d.sync += waits.eq(1)
    with m.Elif(_moves(dut.link_data)):
        m.d.sync += waits.eq(0)
    harness.show(
        "a write of the link",
        ~_moves(dut.link_write)
        | (_moves(dut.write) & (dut.write.payload.as_value() == dut.link_write.payload.as_value())),
    )
    harness.show("no other write", ~_moves(dut.write) | ~dut.link_write.ready | dut.link_write.valid)
    harness.show(
        "a read of the link",
        ~_moves(dut.link_read) | (_moves(dut.read) & (dut.read.payload == dut.link_read.payload)),
    )
    harness.show("one read at a time", ~_moves(dut.read) | ~(waits | own))
    harness.show("its word", ~dut.link_data.valid | (waits & dut.read_data.valid))
    harness.show("unchanged", ~dut.link_data.valid | (dut.link_data.payload == dut.read_data.payload))
    harness.show("no word is lost", ~_moves(dut.read_data) | own | _moves(dut.link_data))
    harness.show("it waits for the link alone", ~dut.read_data.valid | own | dut.link_data.valid)
    return waits


def _window(harness: Harness, dut: Any, fetch: Any) -> None:
    """Two words of the window are an entry of the memory."""
    m = harness.m
    window, entered = dut.schedule_window, fetch.port
    offset, word = window.payload.offset, window.payload.data
    address = Signal(32)
    with m.If(window.valid & ~offset[0]):
        m.d.sync += address.eq(word)
    within = window.valid & offset[0] & (offset < 2 * _WORDS)
    harness.show("an entry for its two words", entered.en == within)
    held = entered.data
    sound = (
        (held.word == word) & (held.address == address[: len(held.address)]) & (held.starts == address[31])
    )
    harness.show("with both of them", ~within | ((entered.addr == offset >> 1) & sound))
    harness.lemma("an entry's first word", fetch.address == address)


def _schedule() -> Harness:
    """The writes played, the phase of the epoch, and the results that have come."""
    build = small_build(store_words=64)
    object.__setattr__(build, "schedule_words", _WORDS)  # fewer than an epoch's settings
    dut: Any = Schedule(build)
    parts = inside(dut, _RESULTS=_RESULTS)
    fetch, results = parts.in_method("_fetch"), parts.in_method("_keep_results")
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut)
    for name in ("link_write", "link_read", "read_data"):
        harness.assume(f"{name} waits", steady(harness, getattr(dut, name)))
    marked, entry, starts, at = _entries(harness, fetch, results)
    own = Signal()  # a read of the schedule waits for its word
    link = _link(harness, dut, own)
    harness.assume("words that were asked for", ~dut.read_data.valid | own | link)
    late = Signal(range(_ANSWER + 1))
    m.d.sync += late.eq(Mux(own & ~dut.read_data.valid, late + 1, 0))
    harness.assume("the bank answers in time", late < _ANSWER)

    playing, wanted, done = Signal(), Signal(8), Signal(8)
    place, index = Signal(range(_WORDS)), Signal(range(RESULT_WORDS))
    runs, reads = Signal(), Signal()  # an epoch runs, or its results are read
    since, step = Signal(range(_ANSWER + 1)), Signal(2)
    writes = _moves(dut.write) & ~dut.link_write.ready
    asks = _moves(dut.read) & ~_moves(dut.link_read)
    came = _moves(dut.read_data) & own & reads
    due = playing & ~runs & ~reads
    m.d.sync += [
        since.eq(Mux(since == _ANSWER, since, since + 1)),
        step.eq(Mux(due & ~writes, Mux(step == 2, step, step + 1), 0)),
    ]
    with m.If(asks):
        m.d.sync += own.eq(1)
    with m.Elif(_moves(dut.read_data)):
        m.d.sync += own.eq(0)
    with m.If(dut.play.valid & ~playing):
        m.d.sync += [playing.eq(dut.play.payload != 0), wanted.eq(dut.play.payload), done.eq(0)]
        m.d.sync += [place.eq(0), runs.eq(0), reads.eq(0)]
    with m.If(writes):
        m.d.sync += [place.eq(place + 1), runs.eq(starts[place]), since.eq(0)]
    with m.If(runs & (since == _ANSWER) & dut.idle):
        m.d.sync += [runs.eq(0), reads.eq(1), index.eq(0)]
    with m.If(came):
        m.d.sync += index.eq(index + 1)
        with m.If(index == _RESULTS - 1):
            m.d.sync += [reads.eq(0), done.eq(done + 1), playing.eq(done + 1 != wanted)]
    with m.If(dut.stop & playing):
        m.d.sync += [playing.eq(0), runs.eq(0), reads.eq(0)]

    harness.show("it is busy while it plays", dut.busy == playing)
    harness.show("epochs done", dut.epochs_done == done)
    harness.show("writes at their time, none after a stop", ~writes | due)
    write = dut.write.payload
    right = (write.address == entry.address) & (write.data == entry.word)
    harness.show("the write at its place", ~writes | (place != marked) | right)
    harness.show("and no later than promised", writes | ~(due & (step == 2) & dut.write.ready))
    harness.show("reads at their time", ~asks | (playing & reads & ~own))
    harness.show("the next result", ~asks | (dut.read.payload == _FIRST + index))
    harness.show(
        "as soon as the link leaves it the bus",
        ~(reads & ~own & ~link & dut.read.ready) | asks | dut.link_read.valid,
    )
    port = results.port
    row = done[: (_EPOCHS - 1).bit_length()]
    harness.show("each result is kept", ~came | port.en)
    harness.show(
        "in its place", ~came | ((port.addr == Cat(index, row)) & (port.data == dut.read_data.payload))
    )
    harness.show("none of an epoch that is over", ~port.en | (port.addr[len(index) :] == row))
    _window(harness, dut, fetch)
    # What makes the proof quick: where the numbers are in the component
    play, bus, held = parts.in_method("_play"), parts.in_method("_share_bus"), fetch.write
    harness.lemma("place", ~playing | (play.place == place))
    harness.lemma("epochs", ~playing | (play.epochs == wanted))
    harness.lemma("index", ~(playing & reads) | (play.index == index))
    harness.lemma("phases", ~(runs & reads) & (playing | ~(runs | reads)))
    harness.lemma("steps", step < 3)
    harness.lemma("settling", ~runs | (play.settling == _ANSWER - since))
    harness.lemma("a read", (bus.reading == (own | link)) & ~(own & link) & (~bus.reading | (bus.own == own)))
    for name, here in (
        ("idle", ~playing),
        *((name, due & (step == number)) for number, name in enumerate(("fetch", "keep", "write"))),
        ("epoch", runs),
        ("result", reads),
    ):
        harness.lemma(f"state {name}", state(play.states, name) == here)
    harness.lemma("the place that is read", ~due | (step == 0) | (at == place))
    is_it = (held.starts == starts[place]) & ((place != marked) | (held.as_value() == Value.cast(entry)))
    harness.lemma("the write that is there", ~due | (step != 2) | is_it)
    harness.lemma("an old read before a write", ~(own & due) | (late > step))
    harness.lemma("an old read", ~(own & runs) | (late >= since + 4))
    return harness


PROPERTIES = [
    Property(
        "schedule",
        "writes are played in order, each once, none during an epoch and none after a stop; an epoch's results are kept in"
        " their place before the next one; it ends with the last epoch that was asked for; the link's accesses pass in between",
        "Schedule",
        "16 writes of any content, two rows of two results, a register bank that answers a read within 8 cycles",
        _schedule,
        (
            Mutation(
                Schedule,
                "a write comes again",
                "m.d.sync += place.eq(place + 1)",
                "m.d.sync += place.eq(place + ~entry.write.starts)",
            ),
            Mutation(
                Schedule, "an epoch is not waited for", "(settling == 0) & self.idle", "(settling == 0)"
            ),
            Mutation(Schedule, "idle is believed at once", "(settling == 0) & self.idle", "self.idle"),
            Mutation(
                Schedule,
                "a stop is missed",
                'm.next = "keep"\n                stops()',
                'm.next = "keep"',
            ),
            Mutation(
                Schedule,
                "an epoch too many",
                "with m.If(self.epochs_done + 1 == epochs)",
                "with m.If(self.epochs_done == epochs)",
            ),
            Mutation(
                Schedule,
                "a word of the link is kept as a result",
                "bus.came.eq(self.read_data.valid & reading & own)",
                "bus.came.eq(self.read_data.valid & reading)",
            ),
        ),
        method=Method.INDUCTION,
        mutant_depth=50,
    ),
]
