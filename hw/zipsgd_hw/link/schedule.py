"""Runs epochs on its own: plays register writes onto the word bus, and keeps each epoch's results."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import REGISTERS, RESULT_WORDS
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import ReadWindow, WriteWindow

from .word_bus import ADDRESS_BITS, ReadRequest, Word, WriteRequest

__all__ = ["Schedule"]

_REGISTER_BITS = (len(REGISTERS) - 1).bit_length()
_FIRST_RESULT = REGISTERS["status"].address
_RESULTS = REGISTERS["store_check"].address - _FIRST_RESULT + 1
assert _RESULTS <= RESULT_WORDS
_SETTLING = 8
"""Cycles after a write until ``idle`` shows that an epoch is under way."""

_Write = data.StructLayout({"word": 32, "address": _REGISTER_BITS, "starts": 1})
"""A write of the schedule; ``starts``: it starts an epoch."""


@dataclass
class _Entry:
    """``place`` of a write in the schedule, and the ``write`` there, two cycles later."""

    place: Signal
    write: Any


@dataclass
class _Bus:
    """The schedule's part of the word bus.

    ``writes``: the entry at hand is written, and ``written``: it is taken; ``reads``: a register is read, at ``address``, and
    ``came``: its word is there.
    """

    writes: Signal
    reads: Signal
    address: Signal
    written: Signal
    came: Signal


class Schedule(wiring.Component):
    """A schedule of register writes, between the link and the register bank.

    After a write that starts an epoch it waits until the datapath is idle. Then it copies the registers from ``status`` to
    ``store_check`` to the epoch's place among the results. While it plays, its writes come before those of the link, and its
    reads wait for the link's.

    Latency: a write in three cycles; between two epochs, 8 cycles and two for each result, besides the writes.

    Parameters
    ----------
    build : Build
        Build parameters, with a schedule.

    Members
    -------
    schedule_window : In(WriteWindow)
        The schedule, see :data:`zipsgd.protocol.registers.WINDOWS`. Not while ``busy``.
    result_window : In(ReadWindow)
        Results. Not while ``busy``.
    play : In(stream.Signature(8, always_ready=True))
        Play from the first write on, until so many epochs are over.
    stop : In(1)
        Strobe: end now. A write that goes out in its cycle is the last one.
    idle : In(1)
        The datapath is idle.
    busy : Out(1)
        A schedule is being played.
    epochs_done : Out(8)
        Epochs that are over since ``play``.
    link_write : In(WriteRequest), link_read : In(ReadRequest), link_data : Out(Word)
        The word bus of the link.
    write : Out(WriteRequest), read : Out(ReadRequest), read_data : In(Word)
        The word bus of the register bank. A word must come within 8 cycles of its request, so that one that a ``stop`` leaves
        under way is not taken for a result of the next schedule.
    """

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {
            "writes": (_Write.size, build.schedule_words),
            "results": (32, build.schedule_epochs * RESULT_WORDS),
        }

    def __init__(self, build: Build):
        self._build, self._words = build, build.schedule_words
        super().__init__(
            {
                "schedule_window": In(WriteWindow),
                "result_window": In(ReadWindow),
                "play": In(stream.Signature(8, always_ready=True)),
                "stop": In(1),
                "idle": In(1),
                "busy": Out(1),
                "epochs_done": Out(8),
                "link_write": In(WriteRequest),
                "link_read": In(ReadRequest),
                "link_data": Out(Word),
                "write": Out(WriteRequest),
                "read": Out(ReadRequest),
                "read_data": In(Word),
            }
        )

    def elaborate(self, platform):
        m = Module()
        entry = self._fetch(m)
        bus = self._share_bus(m, entry)
        index = self._play(m, entry, bus)
        m.d.comb += bus.address.eq(_FIRST_RESULT + index)
        self._keep_results(m, bus, index)
        return m

    def _fetch(self, m: Module) -> _Entry:
        """The memory of writes."""
        m.submodules.writes = memory = block_ram(_Write, self._words)
        port, read = memory.write_port(), memory.read_port()
        window = self.schedule_window
        address = Signal(32)
        offset = window.payload.offset
        with m.If(window.valid & ~offset[0]):
            m.d.sync += address.eq(window.payload.data)
        m.d.comb += [
            port.addr.eq(offset[1:]),
            port.data.word.eq(window.payload.data),
            port.data.address.eq(address),
            port.data.starts.eq(address[31]),
            port.en.eq(window.valid & offset[0] & (offset[1:] < self._words)),
            read.en.eq(1),
        ]
        write = Signal(_Write)  # a block RAM's word comes out late, and the bus is wide
        m.d.sync += write.eq(read.data)
        return _Entry(read.addr, write)

    def _share_bus(self, m: Module, entry: _Entry) -> _Bus:
        """Of two writes the schedule's comes first, of two reads the link's. A read ends when its word has come."""
        bus = _Bus(Signal(), Signal(), Signal(ADDRESS_BITS), Signal(), Signal())
        reading, own = Signal(), Signal()  # a read is under way; it is the schedule's
        m.d.comb += [
            self.write.valid.eq(bus.writes | self.link_write.valid),
            self.write.payload.eq(self.link_write.payload),
            self.link_write.ready.eq(~bus.writes & self.write.ready),
            bus.written.eq(bus.writes & self.write.ready),
            self.read.valid.eq(~reading & (self.link_read.valid | bus.reads)),
            self.read.payload.eq(Mux(self.link_read.valid, self.link_read.payload, bus.address)),
            self.link_read.ready.eq(~reading & self.read.ready),
            self.link_data.valid.eq(self.read_data.valid & reading & ~own),
            self.link_data.payload.eq(self.read_data.payload),
            self.read_data.ready.eq(own | self.link_data.ready),
            bus.came.eq(self.read_data.valid & reading & own),
        ]
        with m.If(bus.writes):
            m.d.comb += [
                self.write.payload.address.eq(entry.write.address),
                self.write.payload.data.eq(entry.write.word),
            ]
        with m.If(self.read.valid & self.read.ready):
            m.d.sync += [reading.eq(1), own.eq(~self.link_read.valid)]
        with m.Elif(self.read_data.valid & self.read_data.ready):
            m.d.sync += reading.eq(0)
        return bus

    def _play(self, m: Module, entry: _Entry, bus: _Bus) -> Signal:
        """The states of a schedule; returns the index of the result that is copied."""
        place = Signal(range(self._words))
        epochs = Signal(8)
        index = Signal(range(RESULT_WORDS))
        settling = Signal(range(_SETTLING + 1))
        m.d.comb += entry.place.eq(place)

        def stops() -> None:
            with m.If(self.stop):
                m.next = "idle"

        with m.If(settling != 0):
            m.d.sync += settling.eq(settling - 1)
        with m.FSM() as states:
            m.d.comb += self.busy.eq(~states.ongoing("idle"))
            with m.State("idle"):
                m.d.sync += place.eq(0)
                with m.If(self.play.valid):
                    m.d.sync += [epochs.eq(self.play.payload), self.epochs_done.eq(0)]
                    with m.If(self.play.payload != 0):
                        m.next = "fetch"
            with m.State("fetch"):
                m.next = "keep"
                stops()
            with m.State("keep"):
                m.next = "write"
                stops()
            with m.State("write"):
                m.d.comb += bus.writes.eq(1)  # also in the cycle of a stop, which comes late
                m.d.sync += settling.eq(_SETTLING)
                with m.If(bus.written):
                    m.d.sync += place.eq(place + 1)
                    m.next = "fetch"
                    with m.If(entry.write.starts):
                        m.next = "epoch"
                stops()
            with m.State("epoch"):
                m.d.sync += index.eq(0)
                with m.If((settling == 0) & self.idle):
                    m.next = "result"
                stops()
            with m.State("result"):
                m.d.comb += bus.reads.eq(1)
                with m.If(bus.came):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == _RESULTS - 1):
                        m.d.sync += self.epochs_done.eq(self.epochs_done + 1)
                        m.next = "fetch"
                        with m.If(self.epochs_done + 1 == epochs):
                            m.next = "idle"
                stops()  # the word under way still comes, and is dropped
        return index

    def _keep_results(self, m: Module, bus: _Bus, index: Signal) -> None:
        """A row of the memory for each epoch."""
        width, depth = self.memories(self._build)["results"]
        m.submodules.results = memory = block_ram(width, depth)
        port, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            port.addr.eq(Cat(index, self.epochs_done[: exact_log2(self._build.schedule_epochs)])),
            port.data.eq(self.read_data.payload),
            port.en.eq(bus.came),
            read.addr.eq(self.result_window.offset),
            read.en.eq(1),
        ]
        m.d.sync += self.result_window.word.eq(read.data)
