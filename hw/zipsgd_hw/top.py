"""The accelerator: link, registers and datapath."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import Status, identification, registers_of, windows_of

from .link.link import Link
from .link.register_bank import RegisterBank
from .link.uart import UartReceiver, UartTransmitter, uart_divisor

__all__ = ["Accelerator", "UartAccelerator"]

_OF_LINK = ("frames_bad", "frames_skipped")
_OF_HOST = ("session",)
"""Kept for the host, and for nothing in here."""


class Accelerator(wiring.Component):
    """The accelerator behind a byte-stream port.

    Parameters
    ----------
    build : the parameters.
    datapath : stands in for ``Datapath(build)``, with the same ports.

    Members
    -------
    rx : In(stream.Signature(8, always_ready=True)), bytes from the host.
    tx : Out(stream.Signature(8)), bytes to the host.
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
    build : ``uart_baud`` must be a rate that ``clock_hz`` can make, see :func:`.uart_divisor`.
    datapath : as of :class:`Accelerator`.

    Members
    -------
    rx : In(1); tx : Out(1): the pins.
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)

    def __init__(self, build: Build, datapath: Component | None = None):
        self._divisor = uart_divisor(build.clock_hz, build.uart_baud)
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
