"""The accelerator: link, registers and datapath."""

from amaranth import C, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Component, In, Member, Out, connect, flipped

from zipsgd.protocol.formats import Build
from zipsgd.protocol.identification import identification
from zipsgd.protocol.registers import Control, Status, registers_of

from .datapath.datapath import Datapath, datapath_windows
from .link.link import Link
from .link.physical import Uart, uart_divisor
from .link.register_bank import RegisterBank
from .link.schedule import Schedule
from .link.uart import UartReceiver, UartTransmitter
from .store.block_ram import BlockRamStore

__all__ = ["Accelerator", "UartAccelerator"]

_OF_LINK = ("frames_bad", "frames_skipped")
"""Registers that the link drives."""
_OF_SCHEDULE = ("epochs_done", "play")
"""Registers of the schedule."""
_OF_HOST = ("run_tag", "session")
"""Registers that are kept for the host and have no effect."""


def _pins(store: Component | None) -> dict[str, Member]:
    """The pins of a store outside the FPGA."""
    if store is None or "pins" not in store.signature.members:
        return {}
    return {"pins": Out(store.signature.members["pins"].signature)}


class Accelerator(wiring.Component):
    """The accelerator behind a byte-stream port.

    Parameters
    ----------
    build : Build
        The parameters.
    datapath : Component or None
        The datapath, with the ports of ``Datapath(build)``, which is the default.
    store : Component or None
        The store of a build with one: its member ``port`` is In(store_port(build)). Block RAM is the default.

    Members
    -------
    rx : In(stream.Signature(8, always_ready=True))
        Bytes from the host, at most one per cycle.
    tx : Out(stream.Signature(8))
        Bytes to the host, at most one per cycle.
    unattended : Out(1)
        The device has work for which it needs no host: samples of its store, or epochs of its schedule.
    pins : Out(...)
        The pins of ``store``, if it has any.
    """

    def __init__(self, build: Build, datapath: Component | None = None, store: Component | None = None):
        self._build = build
        if datapath is None:
            datapath = Datapath(build)
        if store is None and build.store_words:
            store = BlockRamStore(8 * build.word_bytes, build.store_words)
        self._datapath, self._store = datapath, store
        super().__init__(
            {
                "rx": In(stream.Signature(8, always_ready=True)),
                "tx": Out(stream.Signature(8)),
                "unattended": Out(1),
                **_pins(store),
            }
        )

    def elaborate(self, platform):
        m = Module()

        m.submodules.link = link = Link(self._build)
        m.submodules.bank = bank = RegisterBank(self._build)
        m.submodules.datapath = datapath = self._datapath

        connect(m, flipped(self.rx), link.rx)
        connect(m, link.tx, flipped(self.tx))
        connect(m, link.bytes, datapath.bytes)
        idle = Signal()
        m.d.comb += idle.eq((datapath.status & Status.BUSY) == 0)
        plays: Value = C(0)
        if self._build.schedule_words:
            plays = self._connect_schedule(m, link, bank, idle)
        else:
            connect(m, link.write, bank.write)
            connect(m, link.read, bank.read)
            connect(m, bank.read_data, link.read_data)
            m.d.comb += datapath.bytes_reset.eq(link.bytes_reset)
            m.d.sync += link.idle.eq(idle)
        if self._store is not None:
            m.submodules.store = store = self._store
            connect(m, datapath.store, store.port)
            if hasattr(store, "pins"):
                connect(m, store.pins, flipped(self.pins))
            m.d.sync += self.unattended.eq(datapath.store_reads | plays)
        for name in datapath_windows(self._build):
            connect(m, getattr(bank, name), getattr(datapath, name))
        self._connect_registers(m, link, bank)
        return m

    def _connect_schedule(self, m: Module, link: Link, bank: RegisterBank, idle: Signal) -> Signal:
        """The schedule between link and register bank; returns whether it plays. SYNC leaves it alone, ABORT ends it."""
        m.submodules.schedule = schedule = Schedule(self._build)
        connect(m, link.write, schedule.link_write)
        connect(m, link.read, schedule.link_read)
        connect(m, schedule.link_data, link.read_data)
        connect(m, schedule.write, bank.write)
        connect(m, schedule.read, bank.read)
        connect(m, bank.read_data, schedule.read_data)
        connect(m, bank.schedule_window, schedule.schedule_window)
        connect(m, bank.result_window, schedule.result_window)
        connect(m, bank.play, schedule.play)
        m.d.comb += [
            schedule.idle.eq(idle),
            schedule.stop.eq(bank.control.valid & ((bank.control.payload & Control.ABORT) != 0)),
            bank.epochs_done.eq(schedule.epochs_done),
            self._datapath.bytes_reset.eq(link.bytes_reset & ~schedule.busy),
        ]
        m.d.sync += link.idle.eq(idle & ~schedule.busy)
        return schedule.busy

    def _connect_registers(self, m: Module, link: Link, bank: RegisterBank) -> None:
        """Registers to link and datapath, by their access."""
        datapath = self._datapath
        constants = identification(self._build)
        for name, register in registers_of(self._build).items():
            if name in constants or name in _OF_HOST or name in _OF_SCHEDULE:
                continue
            port = getattr(bank, name)
            if register.access == "r":
                m.d.comb += port.eq(getattr(link if name in _OF_LINK else datapath, name))
            elif register.access == "s":
                m.d.comb += getattr(datapath, name).eq(port)
            else:
                connect(m, port, getattr(datapath, name))


class UartAccelerator(wiring.Component):
    """The accelerator behind a UART, 8N1.

    Parameters
    ----------
    build : Build
        The parameters.
    uart : Uart
        The line; ``build.clock_hz`` must be able to make its rate.
    datapath, store : Component or None
        As for :class:`Accelerator`.

    Members
    -------
    rx : In(1)
        The pin from the host, asynchronous.
    tx : Out(1)
        The pin to the host.
    unattended : Out(1), pins : Out(...)
        As of :class:`Accelerator`.

    Raises
    ------
    ValueError
        The clock cannot make the line's rate, see :func:`.uart_divisor`.
    """

    def __init__(
        self, build: Build, uart: Uart, datapath: Component | None = None, store: Component | None = None
    ):
        self._divisor = uart_divisor(build.clock_hz, uart.baud)
        self._accelerator = Accelerator(build, datapath, store)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "unattended": Out(1), **_pins(store)})

    def elaborate(self, platform):
        m = Module()

        m.submodules.accelerator = accelerator = self._accelerator
        m.submodules.receiver = receiver = UartReceiver(self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self._divisor)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.unattended.eq(accelerator.unattended),
        ]
        connect(m, receiver.data, accelerator.rx)
        connect(m, accelerator.tx, transmitter.data)
        if hasattr(self, "pins"):
            connect(m, accelerator.pins, flipped(self.pins))

        return m
