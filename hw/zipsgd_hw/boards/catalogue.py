"""The boards that zipsgd is built for, an entry each."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart, uart_divisor

from .families.ecp5 import ECP5, Ecp5Pll
from .families.family import Family, Pll
from .families.ice40 import ICE40, Ice40Pll
from .memory_blocks import BlockRam

__all__ = ["BOARDS", "Board"]


@dataclass(frozen=True)
class Board:
    """A board, and the build chosen for it.

    Parameters
    ----------
    name : str
        The name that ``zipsgd build`` takes.
    title, device : str
        Names of the board and of its FPGA.
    family : Family
        The FPGA's family, which determines the tools.
    platform_class : str
        The Amaranth platform, as ``MODULE:CLASS``; it must have a ``uart`` resource.
    build : Build
        Parameters of the accelerator.
    link : Uart
        What carries the link's bytes.
    input_hz : int
        Frequency of the board's oscillator in hertz.
    pll : Pll
        Settings by which the PLL makes ``build.clock_hz`` of it.
    block_rams : int
        Block RAMs of the device.
    limits : str
        What limits lanes, features and widths, in a sentence or two.
    seed : int
        Seed of the placer with which the clock was met last.
    in_ci : bool
        Whether the board is built in continuous integration, rather than by hand before a release.
    tried : str or None
        Who has tried the build on hardware, and when; None if nobody has.
    synth_opts, nextpnr_opts : tuple of str
        Options of Yosys' synthesis command and of nextpnr.

    Raises
    ------
    ValueError
        The PLL does not make ``build.clock_hz``, or that clock cannot make the link's rate.
    """

    name: str
    title: str
    device: str
    family: Family
    platform_class: str
    build: Build
    link: Uart
    input_hz: int
    pll: Pll
    block_rams: int
    limits: str
    seed: int = 1
    in_ci: bool = False
    tried: str | None = None
    synth_opts: tuple[str, ...] = ()
    nextpnr_opts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        made = self.pll.output_hz(self.input_hz)
        if made != self.build.clock_hz:
            raise ValueError(f"{self.name}: the PLL makes {made} Hz, the build wants {self.build.clock_hz}")
        uart_divisor(self.build.clock_hz, self.link.baud)

    @property
    def ram(self) -> BlockRam:
        """Geometry and number of the device's block RAMs."""
        return self.family.block_ram(self.block_rams)

    def platform(self) -> Any:
        """A new Amaranth platform of the board. Raises ImportError without ``amaranth_boards``."""
        module, _, name = self.platform_class.partition(":")
        return getattr(import_module(module), name)()


_BOARDS = (
    Board(
        name="icebreaker",
        title="iCEBreaker",
        device="iCE40UP5K-SG48",
        family=ICE40,
        platform_class="amaranth_boards.icebreaker:ICEBreakerPlatform",
        build=Build(
            lanes=8,
            update_lanes=2,
            max_features=1024,
            max_batch=64,
            model_bits=20,
            q3_bits=12,
            delta_bits=14,
            gradient_bits=16,
            replay_words=1024,
            rx_bytes=1024,
            clock_hz=24_000_000,
        ),
        link=Uart(baud=3_000_000),
        input_hz=12_000_000,
        pll=Ice40Pll(divr=0, divf=63, divq=5, filter_range=1, pad=True),
        block_rams=30,
        limits=(
            "All 30 block RAMs are in use. A port is 16 bits wide: the 28-bit gradient sums of 8 lanes take 14, their 12-bit "
            "Q3 takes 6, and the 20-bit model of two update lanes takes 5, whatever the depth. This is why delta and model are "
            "narrow. Almost all cells are in use as well. 1,024 replay words hold 8 planes of 1,024 features or 10 of 816."
        ),
        in_ci=True,
        synth_opts=("-dsp",),
    ),
    Board(
        name="ice40-hx8k-b-evn",
        title="iCE40-HX8K breakout board",
        device="iCE40HX8K-CT256",
        family=ICE40,
        platform_class="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
        build=Build(
            lanes=8,
            update_lanes=2,
            max_features=1024,
            max_batch=64,
            model_bits=24,
            q3_bits=12,
            delta_bits=16,
            gradient_bits=18,
            replay_words=1024,
            rx_bytes=1024,
            clock_hz=60_000_000,
        ),
        link=Uart(baud=12_000_000),
        input_hz=12_000_000,
        pll=Ice40Pll(divr=0, divf=79, divq=4, filter_range=1, pad=False),
        block_rams=32,
        limits=(
            "All 32 block RAMs are in use. A port is 16 bits wide: the 30-bit gradient sums of 8 lanes take 15, their 12-bit "
            "Q3 takes 6, and the 24-bit model of two update lanes takes 6, whatever the depth. There are no multipliers. "
            "Almost a fifth of the cells is free. 1,024 replay words hold 8 planes of 1,024 features or 10 of 816."
        ),
    ),
    Board(
        name="ulx3s-85f",
        title="ULX3S with LFE5U-85F",
        device="LFE5U-85F-6BG381C",
        family=ECP5,
        platform_class="amaranth_boards.ulx3s:ULX3S_85F_Platform",
        build=Build(
            lanes=64,
            update_lanes=16,
            max_features=8192,
            max_batch=256,
            model_bits=24,
            q3_bits=12,
            delta_bits=18,
            gradient_bits=18,
            replay_words=2048,
            rx_bytes=4096,
            clock_hz=100_000_000,
        ),
        link=Uart(baud=3_000_000),
        input_hz=25_000_000,
        pll=Ecp5Pll(clki_div=1, clkfb_div=4, clkop_div=6),
        block_rams=208,
        limits=(
            "The clock: a block RAM's word comes out after 5.8 ns and has a long way to its lane. About half of the block RAMs "
            "and more than three quarters of the cells are free. The serial chip's 3 Mbaud bound the epoch of every set."
        ),
        seed=2,
        nextpnr_opts=("--placer-heap-timingweight", "30"),
    ),
)

BOARDS: dict[str, Board] = {board.name: board for board in _BOARDS}
"""Every board, by name."""
