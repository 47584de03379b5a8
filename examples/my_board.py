"""A board of your own, for ``zipsgd build --board examples/my_board.py``.

You learn what zipsgd has to know of a board: the pins of its clock and of its serial port, its FPGA, and the build that fits
it. Copy this file, and change what is marked CHANGE. What comes out is a folder build/my-board with the Verilog, the bitstream
and the report of the build. docs/my_board.md leads from here to a board that trains.
"""

from amaranth.build import Attrs, Clock, Pins, Resource, Subsignal
from amaranth.vendor import LatticeICE40Platform

from zipsgd import Build
from zipsgd_hw.boards import ICEPROG, Board, Programming, openfpgaloader
from zipsgd_hw.boards.families.ice40 import ICE40
from zipsgd_hw.link.physical import Uart

IO = Attrs(IO_STANDARD="SB_LVCMOS")  # of an iCE40's pins; those of an ECP5 have IO_TYPE="LVCMOS33"


class MyPlatform(LatticeICE40Platform):
    """The pins, here those of an iCEBreaker. If amaranth-boards has your board, take its class instead of this one."""

    device = "iCE40UP5K"  # CHANGE: the FPGA and its package
    package = "SG48"
    default_clk = "clk12"
    resources = (
        # CHANGE: pin and frequency of the oscillator
        Resource("clk12", 0, Pins("35", dir="i"), Clock(12e6), IO),
        # CHANGE: the pins on which the FPGA receives from the USB chip, and sends to it
        Resource("uart", 0, Subsignal("rx", Pins("6", dir="i")), Subsignal("tx", Pins("9", dir="o")), IO),
    )
    connectors = ()


BOARD = Board(
    name="my-board",  # CHANGE: also the name of the folder
    title="My board",
    device="iCE40UP5K-SG48",  # CHANGE: as above
    family=ICE40,  # CHANGE for an ECP5, which is in zipsgd_hw.boards.families.ecp5
    platform_class=MyPlatform,
    # CHANGE: a larger FPGA has room for more lanes and features; the PLL makes clock_hz from input_hz
    build=Build(
        lanes=8, update_lanes=2, max_features=512, max_batch=64, model_bits=20, q3_bits=12, delta_bits=14,
        gradient_bits=16, replay_words=512, rx_bytes=1024, clock_hz=24_000_000,
    ),
    link=Uart(baud=3_000_000),  # CHANGE: what the USB chip can do, and at most clock_hz / 5
    input_hz=12_000_000,  # CHANGE: the oscillator, in hertz
    pll_pad=True,  # CHANGE: whether the oscillator is on the PLL's own pin (35 of this FPGA); False for an ECP5
    block_rams=30,  # CHANGE: as many as the FPGA has
    synth_opts=("-dsp",),  # CHANGE: () for an FPGA without multipliers
    # CHANGE: the programs that load it, its USB chip, and whether they can load the FPGA's memory, not only the flash
    programming=Programming((openfpgaloader("ice40_generic"), ICEPROG), usb="0403:6010", memory=False),
)  # fmt: skip
