"""The accelerator: link, registers and datapath."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from zipsgd.protocol.formats import Build
from zipsgd.protocol.identification import identification
from zipsgd.protocol.registers import Status, registers_of, windows_of

from .link.link import Link
from .link.physical import Uart, uart_divisor
from .link.register_bank import RegisterBank
from .link.uart import UartReceiver, UartTransmitter

__all__ = ["Accelerator", "UartAccelerator"]

_OF_LINK = ("frames_bad", "frames_skipped")
"""Registers that the link drives."""
_OF_HOST = ("session",)
"""Registers that are kept for the host and have no effect."""


class Accelerator(wiring.Component):
    """The accelerator behind a byte-stream port.

    Parameters
    ----------
    build : Build
        The parameters.
    datapath : Component or None
        The datapath, with the ports of ``Datapath(build)``, which is the default.

    Members
    -------
    rx : In(stream.Signature(8, always_ready=True))
        Bytes from the host, at most one per cycle.
    tx : Out(stream.Signature(8))
        Bytes to the host, at most one per cycle.
    """

    rx: In(stream.Signature(8, always_ready=True))
    tx: Out(stream.Signature(8))

    def __init__(self, build: Build, datapath: Component | None = None):
        self._build = build
        if datapath is None:
            from .datapath.datapath import Datapath

            datapath = Datapath(build)
        self._datapath = datapath
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        m.submodules.link = link = Link(self._build)
        m.submodules.bank = bank = RegisterBank(self._build)
        m.submodules.datapath = datapath = self._datapath

        connect(m, flipped(self.rx), link.rx)
        connect(m, link.tx, flipped(self.tx))
        connect(m, link.write, bank.write)
        connect(m, link.read, bank.read)
        connect(m, bank.read_data, link.read_data)
        connect(m, link.bytes, datapath.bytes)
        for name in windows_of(self._build):
            connect(m, getattr(bank, name), getattr(datapath, name))
        m.d.comb += datapath.bytes_reset.eq(link.bytes_reset)
        m.d.sync += link.idle.eq((datapath.status & Status.BUSY) == 0)

        constants = identification(self._build)
        for name, register in registers_of(self._build).items():
            if name in constants or name in _OF_HOST:
                continue
            port = getattr(bank, name)
            if register.access == "r":
                m.d.comb += port.eq(getattr(link if name in _OF_LINK else datapath, name))
            elif register.access == "rw":
                m.d.comb += getattr(datapath, name).eq(port)
            else:
                connect(m, port, getattr(datapath, name))

        return m


class UartAccelerator(wiring.Component):
    """The accelerator behind a UART, 8N1.

    Parameters
    ----------
    build : Build
        The parameters.
    uart : Uart
        The line; ``build.clock_hz`` must be able to make its rate.
    datapath : Component or None
        As for :class:`Accelerator`.

    Members
    -------
    rx : In(1)
        The pin from the host, asynchronous.
    tx : Out(1)
        The pin to the host.

    Raises
    ------
    ValueError
        The clock cannot make the line's rate, see :func:`.uart_divisor`.
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)

    def __init__(self, build: Build, uart: Uart, datapath: Component | None = None):
        self._divisor = uart_divisor(build.clock_hz, uart.baud)
        self._accelerator = Accelerator(build, datapath)
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        m.submodules.accelerator = accelerator = self._accelerator
        m.submodules.receiver = receiver = UartReceiver(self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self._divisor)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        connect(m, receiver.data, accelerator.rx)
        connect(m, accelerator.tx, transmitter.data)

        return m
