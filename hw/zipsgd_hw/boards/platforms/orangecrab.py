"""OrangeCrab r0.2 with a serial adapter of 3.3 V at its header: pin 0 receives, pin 1 sends."""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import UARTResource

__all__ = ["OrangeCrabPlatform"]


class OrangeCrabPlatform(LatticeECP5Platform):
    """The board with LFE5U-25F. The platform of amaranth-boards has no serial port, and packs bitstreams by one more tool."""

    device = "LFE5U-25F"
    package = "MG285"
    speed = "8"
    default_clk = "clk48"
    resources = (
        Resource("clk48", 0, Pins("A9", dir="i"), Clock(48e6), Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="N17", tx="M18", attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    )
    connectors = ()
