"""OrangeCrab r0.2 with a serial adapter of 3.3 V at its header: pin 0 receives, pin 1 sends."""

from amaranth.build import Attrs
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
from amaranth_boards.resources import UARTResource

__all__ = ["OrangeCrabPlatform"]


class OrangeCrabPlatform(OrangeCrabR0_2_25FPlatform):
    """The board with LFE5U-25F."""

    resources = (
        *OrangeCrabR0_2_25FPlatform.resources,
        UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    )
