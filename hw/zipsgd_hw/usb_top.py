"""The accelerator behind USB."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, Out, connect

from zipsgd.protocol.formats import Build

from .link.physical import Usb
from .link.usb import UsbPipe, Utmi, connect_utmi
from .top import Accelerator

__all__ = ["UtmiAccelerator"]


class UtmiAccelerator(wiring.Component):
    """The accelerator behind a USB transceiver with UTMI, for simulation. Boards have ULPI or pins.

    Parameters
    ----------
    build : Build
        The parameters.
    usb : Usb
        Speed and numbers.
    datapath : Component or None
        As for :class:`.Accelerator`.

    Members
    -------
    utmi : Out(Utmi)
        The transceiver, in the domain ``usb`` with a clock of ``usb.clock_hz``.
    unattended : Out(1)
        As of :class:`.Accelerator`.
    """

    utmi: Out(Utmi)
    unattended: Out(1)

    def __init__(self, build: Build, usb: Usb, datapath: Component | None = None):
        self._usb = usb
        self._accelerator = Accelerator(build, datapath)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        m.submodules.usb = pipe = UsbPipe(self._usb, connect_utmi(m, self.utmi))
        connect(m, pipe.rx, accelerator.rx)
        connect(m, accelerator.tx, pipe.tx)
        m.d.comb += self.unattended.eq(accelerator.unattended)
        return m
