"""A controller of SDR SDRAM that keeps the bus busy."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from zipsgd_hw.store.pace import StorePace
from zipsgd_hw.store.port import store_signature

from .bus import BURST, DataBus
from .geometry import SdramCycles, SdramGeometry, SdramTiming
from .pins import sdram_pins
from .refresh_clock import RefreshClock
from .words import READ_BURSTS, WordQueues

__all__ = ["SdramController"]

_NAMES = ("activate", "read", "write", "precharge", "precharge_all", "refresh", "set_mode")
_COMMANDS = data.StructLayout(dict.fromkeys(_NAMES, 1))
"""The chip's commands, each in the cycle before it is on the pins; at most one at a time."""
_PRECHARGE_ALL = 1 << 10
"""The address of a precharge of all banks."""


def _lateness(cycles: SdramCycles) -> int:
    """Most cycles that a refresh waits: for the bus to turn before the last burst, for this burst, and for an activation to
    have its tRAS."""
    return (BURST + cycles.cas + 2) + (BURST + cycles.wr) + cycles.ras + cycles.rp


def _refresh_interval(cycles: SdramCycles, clock_hz: float) -> int:
    """Cycles from one refresh to the next."""
    late = _lateness(cycles)
    interval = (cycles.window - late) // cycles.refreshes
    if interval < 2 * (late + cycles.rfc):
        raise ValueError(
            f"a clock of {clock_hz} Hz is too slow: a refresh every {interval} cycles leaves no time for bursts"
        )
    return interval


class SdramController(wiring.Component):
    """A store in SDR SDRAM: a plain array of words, unknown until they are written.

    Rows stay open. While one burst of eight words is on the bus and a second one waits for it, the row of the third one is
    opened. So bursts follow each other without a gap, unless two neighbours need different rows of one bank. Consecutive bursts
    fill a row, and go on in the same row number of the next bank.

    A burst begins only when its words to write are here, or when there is room for its words to read. So neither data nor
    refreshes wait for the other end of the port. A refresh waits for one burst at most, and later ones are not late for that.
    After a reset, the chip is initialised; commands wait until that is done.

    Two reads of closed banks, with the timing of ``CHIPS["16Mx16"]`` at 133 MHz and without IO registers::

        cycle         0   1   2   3   4   5   6   7   8   9  10  11  12  13  14  15  16  17  18  19  20  21
        port.command  A       B
        pins                         ACT         RD  ACT                         RD
                                      A           A   B                           B
        pins.dq                                              A0  A1  A2  A3  A4  A5  A6  A7  B0  B1  B2  B3
        port.read                                                    A0  A1  A2  A3  A4  A5  A6  A7  B0  B1

    Latency: from a read's command to its first word 7 + cas + io_cycles cycles if its row is open; rcd - 1 more if its bank is
    closed, as above; and rp more than that if another row is open. A burst or a refresh that is under way comes on top.
    Throughput: a word a cycle, but for a refresh, which takes rp + rfc + rcd cycles of some 1,000, for a second row of the same
    bank, and for cas + 1 cycles between a read and a write.

    Parameters
    ----------
    geometry : SdramGeometry
        The chip's size. A word of the store is one of the chip.
    timing : SdramTiming
        The chip's timing.
    clock_hz : float
        Frequency of the clock, which is the chip's as well, in hertz.
    io_cycles : int
        Cycles that registers between ``pins`` and the chip take, to it and back in all: 0 for none, 2 for one each way.

    Attributes
    ----------
    word_bits, burst_words, bursts : int
        Bits of a word, words of a burst (8), and number of bursts.

    Members
    -------
    port : In(store_signature(word_bits, log2(bursts)))
        The store.
    pins : Out(sdram_pins(geometry))
        The chip. All outputs come from flip-flops.

    Raises
    ------
    ValueError
        ``io_cycles`` is negative; or the clock is too slow, so that refreshes leave no time for bursts, or too fast.
    """

    burst_words = BURST

    @staticmethod
    def pace(geometry: SdramGeometry, timing: SdramTiming, clock_hz: float) -> StorePace:
        """How fast a chip is read: what refreshes leave, and another row of an open bank after one jump of as many as banks.

        Parameters
        ----------
        geometry, timing, clock_hz
            As of the controller.

        Returns
        -------
        StorePace
            The pace.

        Raises
        ------
        ValueError
            The clock is too slow, so that refreshes leave no time for bursts.
        """
        cycles = timing.cycles(clock_hz)
        refresh = (cycles.rp + cycles.rfc + cycles.rcd) / _refresh_interval(cycles, clock_hz)
        another_row = (cycles.rp + cycles.rcd) / (1 << geometry.bank_bits)
        return StorePace(1 - refresh, another_row, READ_BURSTS * BURST + 1)

    def __init__(self, geometry: SdramGeometry, timing: SdramTiming, clock_hz: float, *, io_cycles: int = 0):
        if io_cycles < 0:
            raise ValueError(f"io_cycles must not be negative, but is {io_cycles}")
        self._geometry, self._io_cycles = geometry, io_cycles
        self._cycles = cycles = timing.cycles(clock_hz)
        # Only where a refresh closes a row that was not used is tRAS waited for; all other rows have had their burst
        if max(cycles.ras, cycles.rc - cycles.rp) > cycles.rcd + BURST:
            raise ValueError(
                f"a clock of {clock_hz} Hz is too fast: tRAS and tRC - tRP must not be longer than tRCD and a burst"
            )
        self._late = _lateness(cycles)
        self._interval = _refresh_interval(cycles, clock_hz)
        self.word_bits, self.bursts = geometry.data_bits, geometry.words // BURST
        place = {
            "column": geometry.column_bits - 3,
            "bank": geometry.bank_bits,
            "row": geometry.row_bits,
        }
        self._burst = data.StructLayout({"place": data.StructLayout(place), "write": 1, "valid": 1})
        super().__init__(
            {
                "port": In(store_signature(geometry.data_bits, sum(place.values()))),
                "pins": Out(sdram_pins(geometry)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bus = bus = DataBus(self._cycles, self._io_cycles)
        m.submodules.words = words = WordQueues(self._geometry.data_bits)
        # Three bursts are under way: the later one waits, the coming one gets its row, the current one waits for the bus
        later, coming, current = (Signal(self._burst, name=name) for name in ("later", "coming", "current"))
        goes, column = Signal(), Signal()  # the coming burst becomes the current one; this one leaves
        commands = Signal(_COMMANDS)
        port, pins = self.port, self.pins
        connect(m, flipped(port.write), words.write)
        connect(m, words.read, flipped(port.read))
        m.d.comb += [
            port.command.ready.eq(~later.valid),
            commands.read.eq(current.valid & ~current.write & bus.may_read),
            commands.write.eq(current.valid & current.write & bus.may_write),
            column.eq(commands.read | commands.write),
            bus.read.eq(commands.read),
            bus.write.eq(commands.write),
            words.sends.eq(bus.sends),
            words.arrives.eq(bus.arrives),
            words.is_write.eq(coming.write),
            words.promise.eq(goes),
            words.incoming.eq(pins.dq.i),
            pins.dq.o.eq(words.outgoing),
            pins.dq.oe.eq(words.drive),
        ]
        with m.If(port.command.ready):
            m.d.sync += [
                later.place.eq(port.command.payload.address),
                later.write.eq(port.command.payload.write),
                later.valid.eq(port.command.valid),
            ]
        with m.If(column):
            m.d.sync += current.valid.eq(0)
        may_precharge = self._precharge(m, bus, coming, current, column)
        self._rows(
            m, commands, (later, coming, current), (goes, column), words.fits, may_precharge, bus.settled
        )
        self._drive(m, commands, coming, current)
        return m

    def _precharge(self, m: Module, bus: DataBus, coming: Value, current: Value, column: Signal) -> Signal:
        """Whether the coming burst's bank may be precharged. An activation that was used is old enough by then."""
        may = Signal()
        last_bank = Signal.like(current.place.bank)
        with m.If(column):
            m.d.sync += last_bank.eq(current.place.bank)
        m.d.comb += may.eq(
            Mux(coming.place.bank == last_bank, bus.settled, bus.others_settled)
            & ~(current.valid & (current.place.bank == coming.place.bank))
            & ~column
        )
        return may

    def _rows(
        self,
        m: Module,
        commands: Value,
        bursts: tuple[Value, Value, Value],
        moves: tuple[Signal, Signal],
        fits: Signal,
        may_precharge: Signal,
        settled: Signal,
    ) -> None:
        """Opens the row of the coming burst while the current one waits for the bus; refreshes, and sets the mode."""
        cycles, geometry = self._cycles, self._geometry
        (later, coming, current), (goes, column) = bursts, moves
        m.submodules.clock = clock = RefreshClock(self._interval, cycles.init)
        rows: Memory = Memory(shape=geometry.row_bits, depth=1 << geometry.bank_bits, init=[])
        m.submodules.rows = rows
        opened, known = rows.write_port(), rows.read_port(domain="comb")
        is_open = Signal(1 << geometry.bank_bits)
        row = Signal(geometry.row_bits)  # of the coming burst's bank, as it came
        activated = Signal(cycles.ras - 1)  # bit i: i + 1 cycles ago
        ready, elapsed = Signal(), Signal()
        timer = Signal(range(max(cycles.rfc, cycles.rp, cycles.rcd, cycles.rrd, cycles.mrd)))
        m.d.comb += [
            known.addr.eq(later.place.bank),
            opened.addr.eq(coming.place.bank),
            opened.data.eq(coming.place.row),
            opened.en.eq(commands.activate),
            elapsed.eq(timer == 0),
            clock.done.eq(commands.refresh),
        ]
        m.d.sync += activated.eq(Cat(commands.activate, activated))
        with m.If(~elapsed):
            m.d.sync += timer.eq(timer - 1)

        def take() -> None:
            m.d.sync += [coming.eq(later), later.valid.eq(0), row.eq(known.data)]
            m.next = "look"

        with m.FSM(name="rows"):
            with m.State("idle"):
                with m.If(clock.due):
                    m.next = "close"
                with m.Elif(ready & later.valid):
                    take()
                with m.Elif(~ready & clock.complete & elapsed):
                    m.d.comb += commands.set_mode.eq(1)
                    m.d.sync += [ready.eq(1), timer.eq(cycles.mrd - 1)]
            with m.State("look"):
                m.next = "activate"
                with m.If(is_open.bit_select(coming.place.bank, 1)):
                    m.next = "precharge"
                    with m.If(row == coming.place.row):
                        m.next = "open"
            with m.State("precharge"):
                with m.If(clock.due):
                    m.next = "close"
                with m.Elif(may_precharge):
                    m.d.comb += commands.precharge.eq(1)
                    m.d.sync += timer.eq(cycles.rp - 1)
                    m.next = "activate"
            with m.State("activate"):
                with m.If(clock.due):
                    m.next = "close"
                with m.Elif(elapsed & ~column):
                    m.d.comb += commands.activate.eq(1)
                    m.d.sync += [
                        is_open.bit_select(coming.place.bank, 1).eq(1),
                        # The burst can be read a cycle after it goes, and another row be activated two cycles after that
                        timer.eq(max(cycles.rcd - 2, cycles.rrd - 3, 0)),
                    ]
                    m.next = "open"
            with m.State("open"):
                with m.If(clock.due):
                    m.next = "close"
                with m.Elif(elapsed & fits & (~current.valid | column)):
                    m.d.comb += goes.eq(1)
                    m.d.sync += [current.eq(coming), coming.valid.eq(0)]
                    m.next = "idle"
                    with m.If(later.valid):
                        take()
            with m.State("close"), m.If(~current.valid & settled & ~activated.any() & elapsed):
                m.d.comb += commands.precharge_all.eq(1)
                m.d.sync += [is_open.eq(0), timer.eq(cycles.rp - 1)]
                m.next = "refresh"
            with m.State("refresh"), m.If(elapsed):
                m.d.comb += commands.refresh.eq(1)
                m.d.sync += timer.eq(cycles.rfc - 1)
                m.next = "idle"
                with m.If(coming.valid):
                    m.next = "activate"

    def _drive(self, m: Module, commands: Value, coming: Value, current: Value) -> None:
        """The pins of commands, from flip-flops."""
        pins, column = self.pins, current.place.column << 3
        mode = self._cycles.cas << 4 | BURST.bit_length() - 1
        m.d.sync += [
            pins.clk_en.eq(1),
            pins.cs.eq(commands.as_value().any()),
            pins.ras.eq(~(commands.read | commands.write) & commands.as_value().any()),
            pins.cas.eq(commands.read | commands.write | commands.refresh | commands.set_mode),
            pins.we.eq(commands.write | commands.precharge | commands.precharge_all | commands.set_mode),
            pins.ba.eq(coming.place.bank),  # zero when the mode is set
            pins.a.eq(Mux(commands.activate, coming.place.row, 0)),
        ]
        with m.If(commands.set_mode):
            m.d.sync += [pins.a.eq(mode), pins.dqm.eq(0)]
        with m.Elif(commands.read | commands.write):
            m.d.sync += [
                pins.ba.eq(current.place.bank),
                pins.a.eq(Cat(column[:10], Const(0, 1), column[10:])),
            ]
        with m.Elif(commands.precharge_all):
            m.d.sync += pins.a.eq(_PRECHARGE_ALL)
