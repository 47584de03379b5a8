"""The SDRAM controller keeps all rules of its chip, and the store that it makes of the chip is a plain array."""

from typing import Any

from amaranth.hdl import Array, Cat, Mux, Signal, Value
from checker import Mutation, Property
from harness import Harness, inside, steady

from zipsgd_hw.store.sdram import SdramController, SdramGeometry, SdramTiming
from zipsgd_hw.store.sdram.bus import DataBus
from zipsgd_hw.store.sdram.words import WordQueues

__all__ = ["PROPERTIES"]

# Nanoseconds are cycles. All times but tRCD are kept to the cycle: tRRD takes longer.
_TIMING = SdramTiming(
    rcd_ns=4, rp_ns=3, ras_ns=7, rc_ns=15, rrd_ns=6, rfc_ns=9, wr_ns=3, mrd_cycles=6, cas_cycles=2,
    refreshes=64, window_ns=64 * 200, init_ns=1,
)  # fmt: skip
_BURST = 8


def _small(**bits: int) -> SdramGeometry:
    """A chip that is small enough for a proof."""
    geometry = SdramGeometry(data_bits=4, bank_bits=1, row_bits=11, column_bits=8)
    for name, value in bits.items():
        object.__setattr__(geometry, name, value)
    return geometry


def _controller(**bits: int) -> tuple[Any, Any, Harness]:
    """A controller that may be asked for any refresh at any time, once its mode is set."""
    dut = SdramController(_small(**bits), _TIMING, 1e9)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut, but=("pins",))
    harness.cut(parts.clock)
    due = Signal()
    m.d.comb += [parts.clock.complete.eq(1), parts.clock.due.eq(due)]
    m.d.sync += due.eq((due & ~parts.clock.done) | (harness.free(1, "tick") & ~parts.clock.done))
    harness.assume("an offered word waits", steady(harness, dut.port.write))
    harness.assume("an offered command waits", steady(harness, dut.port.command))
    return dut, parts, harness


def _decode(pins: Any) -> dict[str, Value]:
    code = Cat(pins.we, pins.cas, pins.ras, pins.cs)
    bits = {"activate": 4, "read": 2, "write": 3, "precharge": 5, "refresh": 6, "mode": 7}
    return {name: code == 0b1000 | value for name, value in bits.items()}


def _rules() -> Harness:
    """Each rule of the data sheet, with the ages of all commands on the pins."""
    dut, parts, harness = _controller(data_bits=1, row_bits=1, column_bits=4)
    m, pins, cycles = harness.m, dut.pins, _TIMING.cycles(1e9)
    words = parts.words
    harness.cut(words, words.fits)  # bursts may find their words, or room for them, at any time
    m.d.sync += words.drive.eq(words.sends)
    is_command = _decode(pins)
    column = is_command["read"] | is_command["write"]

    def age(name: str, least: int, among: Value | int = 1) -> Value:
        """Whether the last such command, before this cycle, was ``least`` cycles ago or earlier."""
        event = column if name == "column" else is_command[name]
        recent = Signal(least - 1, name=f"recent_{name}")
        m.d.sync += recent.eq(Cat(event & among, recent))
        return ~recent.any()

    opens = []
    for bank in range(2):
        here = pins.ba == bank
        closes = is_command["precharge"] & (here | pins.a[10])
        opened = Signal(name=f"open{bank}")
        m.d.sync += opened.eq((opened | (is_command["activate"] & here)) & ~closes)
        opens.append(opened)
        idle = is_command["refresh"] | is_command["mode"]
        for rule, condition, kept in (
            ("no open bank is activated", (is_command["activate"] & here), ~opened),
            ("no closed bank is accessed", column & here, opened),
            ("tRCD", column & here, age("activate", cycles.rcd, here)),
            ("tRC", (is_command["activate"] & here), age("activate", cycles.rc, here)),
            ("tRP", (is_command["activate"] & here) | idle, age("precharge", cycles.rp, closes & opened)),
            ("tRAS", closes & opened, age("activate", cycles.ras, here)),
            ("no read is cut off", closes & opened, age("read", _BURST, here)),
            ("tWR", closes & opened, age("write", _BURST - 1 + cycles.wr, here)),
            ("no refresh and no mode with an open bank", idle, ~opened),
        ):
            harness.show(f"{rule}, bank {bank}", ~condition | kept)
    anything = pins.cs & (pins.ras | pins.cas | pins.we)
    for rule, condition, kept in (
        ("tRRD", is_command["activate"], age("activate", cycles.rrd)),
        ("tRFC", anything, age("refresh", cycles.rfc)),
        ("tMRD", anything, age("mode", cycles.mrd)),
        ("no burst is cut off", column, age("column", _BURST)),
        ("a bus that nobody drives", is_command["write"], age("read", _BURST + cycles.cas + 1)),
    ):
        harness.show(rule, ~condition | kept)
    writing = is_command["write"] | ~age("write", _BURST)
    harness.show("the bus is driven for the words of writes alone", pins.dq.oe == writing)
    return harness


_RULE_MUTATIONS = (
    Mutation(SdramController, "tRCD is not waited for", "elapsed & fits", "fits"),
    Mutation(SdramController, "tRRD is a cycle short", "cycles.rrd - 3, 0", "cycles.rrd - 4, 0"),
    Mutation(
        SdramController,
        "tRP is a cycle short",
        "commands.precharge.eq(1)\n                    m.d.sync += timer.eq(cycles.rp - 1)",
        "commands.precharge.eq(1)\n                    m.d.sync += timer.eq(cycles.rp - 2)",
    ),
    Mutation(
        SdramController,
        "tRP before a refresh is a cycle short",
        "is_open.eq(0), timer.eq(cycles.rp - 1)",
        "is_open.eq(0), timer.eq(cycles.rp - 2)",
    ),
    Mutation(SdramController, "tRFC is a cycle short", "cycles.rfc - 1", "cycles.rfc - 2"),
    Mutation(SdramController, "tMRD is a cycle short", "cycles.mrd - 1", "cycles.mrd - 2"),
    Mutation(SdramController, "tRAS is a cycle short", "Signal(cycles.ras - 1)", "Signal(cycles.ras - 2)"),
    Mutation(DataBus, "tWR is a cycle short", "BURST + recovery - 3]", "BURST + recovery - 4]"),
    Mutation(DataBus, "the bus turns a cycle early", "BURST - 1 + cas]", "BURST - 2 + cas]"),
    Mutation(DataBus, "bursts are a cycle short", "both[: BURST - 1]", "both[: BURST - 2]"),
    Mutation(
        SdramController,
        "a row is closed under a burst that waits",
        "& ~(current.valid & (current.place.bank == coming.place.bank))",
        "",
    ),
    Mutation(SdramController, "a refresh leaves rows marked as open", "is_open.eq(0), ", ""),
)


def _bursts() -> Harness:
    """A marked burst is read or written when it is its turn, where its command says."""
    dut, parts, harness = _controller(data_bits=1, row_bits=1, column_bits=4)
    m, pins, port, words = harness.m, dut.pins, dut.port.command, parts.words
    harness.cut(words, words.fits)
    is_command = _decode(pins)
    column = is_command["read"] | is_command["write"]
    taken = port.valid & port.ready
    due, ahead, waits = Signal(range(8)), Signal(range(8)), Signal()
    place, write = Signal.like(port.payload.address), Signal()
    rows = Array(Signal(name=f"row{bank}") for bank in range(2))
    leaves = parts.column  # a cycle before it is on the pins
    m.d.sync += due.eq(due + taken - leaves)
    with m.If(is_command["activate"]):
        m.d.sync += rows[pins.ba].eq(pins.a[0])
    with m.If(taken & ~waits & harness.free(1, "marks")):
        m.d.sync += [waits.eq(1), ahead.eq(due - leaves), place.eq(port.payload.address)]
        m.d.sync += write.eq(port.payload.write)
    with m.Elif(waits & leaves):
        m.d.sync += [ahead.eq(ahead - 1), waits.eq(ahead != 0)]
    harness.show("no burst that nobody asked for", ~leaves | (due != 0))
    # What makes the proof quick: where the bursts are
    held: Any = 0
    for name in ("current", "coming", "later"):
        burst = getattr(parts, name)
        right = (burst.place.as_value() == place) & (burst.write == write)
        harness.show(f"the marked burst as the {name} one", ~(waits & burst.valid & (ahead == held)) | right)
        held += burst.valid
    harness.show("bursts that are here", due == held)
    now = harness.past(waits & leaves & (ahead == 0))
    place, write = harness.past(place), harness.past(write)
    harness.show("a burst that leaves is on the pins", column == harness.past(leaves))
    harness.show("read or written", ~now | (is_command["write"] == write))
    harness.show("column", ~now | (pins.a == Cat(0, 0, 0, place[0])))
    harness.show("bank", ~now | (pins.ba == place[1]))
    harness.show("row", ~now | (rows[pins.ba] == place[2]))
    for kind, is_write in (("read", 0), ("write", 1)):
        promised = Signal(range(4), name=f"{kind}_promised")
        promise = words.promise & (words.is_write == is_write)
        m.d.sync += promised.eq(promised + promise - is_command[kind])
        harness.show(f"a promise for each {kind}", ~is_command[kind] | (promised != 0))
        harness.show(f"a {kind} for each promise", promised <= 2)
    return harness


def _late() -> Harness:
    """Cycles that a refresh waits, whatever happens at the port."""
    dut, parts, harness = _controller(data_bits=1, row_bits=1, column_bits=4)
    words, clock = parts.words, parts.clock
    harness.cut(words, words.fits)
    waited = Signal(range(64))
    harness.m.d.sync += waited.eq(Mux(clock.due & ~clock.done, waited + 1, 0))
    harness.show("a refresh is in time", waited <= dut._late)
    return harness


def _words() -> Harness:
    """The queues, with as many words as were promised, at any time. In between, they keep the order as Amaranth's queues do."""
    dut = WordQueues(1)
    parts = inside(dut)
    harness = Harness()
    m = harness.m
    m.submodules.dut = dut
    harness.drive(dut)
    harness.assume("promises that fit", ~dut.promise | dut.fits)
    owed = {}
    for kind, moves in (("write", dut.sends), ("read", dut.arrives)):
        owed[kind] = count = Signal(range(64), name=f"{kind}_owed")
        promise = dut.promise & (dut.is_write == (kind == "write"))
        m.d.sync += count.eq(count + Mux(promise, _BURST, 0) - moves)
        harness.assume(f"{kind} words that were promised", ~moves | (count != 0))
    harness.show("a read word waits unchanged", steady(harness, dut.read))
    harness.show("there is room for a word that was read", ~dut.arrives | parts.was_read.w_rdy)
    harness.show("there is a word to write", ~dut.sends | parts.to_write.r_rdy)
    harness.show(
        "what is here was promised or waits",
        parts.to_write.level == (parts.filled << 3) + parts.came + owed["write"],
    )
    harness.show(
        "room that is promised", (parts.promised << 3) == owed["read"] + parts.was_read.level + parts.left
    )
    return harness


PROPERTIES = [
    Property(
        "bursts of the SDRAM",
        "each command is one burst, in order, at its row, bank and column, with one promise of words",
        "SdramController",
        "two banks of two rows of two bursts, refreshes at any time",
        _bursts,
        (
            Mutation(
                SdramController,
                "any open row will do",
                "with m.If(row == coming.place.row):",
                "with m.If(1):",
            ),
            Mutation(
                SdramController,
                "the next burst's bank",
                "pins.ba.eq(current.place.bank)",
                "pins.ba.eq(coming.place.bank)",
            ),
            Mutation(
                SdramController,
                "a command is taken over one that waits",
                "port.command.ready.eq(~later.valid)",
                "port.command.ready.eq(1)",
            ),
            Mutation(SdramController, "a burst comes again", "later.valid.eq(0), row.eq", "row.eq"),
            Mutation(
                SdramController,
                "a refresh forgets the burst that waits",
                'm.next = "idle"\n                with m.If(coming.valid):',
                'm.next = "idle"\n                with m.If(0):',
            ),
            Mutation(SdramController, "a burst goes while one waits", "(~current.valid | column)", "1"),
        ),
        slow=True,
    ),
    Property(
        "refreshes in time",
        "a refresh waits for no longer than its interval leaves room for, whatever stalls",
        "SdramController, DataBus",
        "two banks of two rows of two bursts, refreshes at any time",
        _late,
        (
            Mutation(
                SdramController,
                "bursts go on while a refresh is due",
                'with m.State("open"):\n                with m.If(clock.due):',
                'with m.State("open"):\n                with m.If(0):',
            ),
        ),
        mutant_depth=70,
    ),
    Property(
        "words of the SDRAM",
        "no queue runs over or dry, whatever stalls",
        "WordQueues",
        "words of a bit",
        _words,
        (
            Mutation(WordQueues, "reads need no room", "promised != READ_BURSTS", "1"),
            Mutation(WordQueues, "writes need no words", "filled != 0", "1"),
            Mutation(WordQueues, "a burst to write is complete too early", "came.all()", "came[1:].all()"),
            Mutation(WordQueues, "a promise is given back too early", "left.all()", "(left == 0)"),
        ),
        slow=True,
    ),
    Property(
        "rules of the SDRAM",
        "all times of the data sheet are kept, and the bus is never driven by two, with refreshes at any time",
        "SdramController, DataBus",
        "two banks of two rows of two bursts, refreshes at any time",
        _rules,
        _RULE_MUTATIONS,
        slow=True,
    ),
]
