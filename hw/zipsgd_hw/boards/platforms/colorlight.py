"""Colorlight i5 v7.0 and i9 v7.2 on the extension board, whose probe has the serial port.

The pins are those that https://github.com/wuxx/Colorlight-FPGA-Projects has found.
"""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import SDRAMResource, UARTResource

__all__ = ["ColorlightI5Platform", "ColorlightI9Platform"]


class _ColorlightPlatform(LatticeECP5Platform):
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources = (
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="H18", tx="J17", attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
        # Clock enable, chip select and masks are wired on the board
        SDRAMResource(
            0,
            clk="B9",
            we_n="A10",
            ras_n="B10",
            cas_n="A9",
            ba="B11 C8",
            a="B13 C14 A16 A17 B16 B15 A14 A13 A12 A11 B12",
            dq="D15 E14 E13 D12 E12 D11 C10 B17 B8 A8 C7 A7 A6 B6 A5 B5 "
            "D5 C5 D6 C6 E7 D7 E8 D8 E9 D9 E11 C11 C12 D13 D14 C15",
            attrs=Attrs(IO_TYPE="LVCMOS33", SLEWRATE="FAST"),
        ),
    )
    connectors = ()


class ColorlightI5Platform(_ColorlightPlatform):
    """Colorlight i5."""

    device = "LFE5U-25F"


class ColorlightI9Platform(_ColorlightPlatform):
    """Colorlight i9."""

    device = "LFE5U-45F"
