"""OrangeCrab r0.2, with its USB socket as the link."""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import DirectUSBResource

__all__ = ["OrangeCrabPlatform"]


class OrangeCrabPlatform(LatticeECP5Platform):
    """The board with LFE5U-25F. The platform of amaranth-boards packs bitstreams by one more tool."""

    device = "LFE5U-25F"
    package = "MG285"
    speed = "8"
    default_clk = "clk48"
    resources = (
        Resource("clk48", 0, Pins("A9", dir="i"), Clock(48e6), Attrs(IO_TYPE="LVCMOS33")),
        DirectUSBResource(0, d_p="N1", d_n="M2", pullup="N2", attrs=Attrs(IO_TYPE="LVCMOS33")),
    )
    connectors = ()
