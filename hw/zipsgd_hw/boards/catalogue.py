"""The boards that zipsgd is built for. Needs neither Amaranth nor tools, so that it can always be listed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from zipsgd.protocol.formats import Build

from .memory_blocks import BlockRam
from .pll import Ecp5Pll, Ice40Pll

__all__ = ["BOARDS", "Board"]


@dataclass(frozen=True)
class Board:
    """A board, and the build chosen for it.

    Parameters
    ----------
    name : as ``zipsgd build --board`` takes it.
    title, device : of board and FPGA.
    family : of FPGA, which decides the tools.
    platform : makes the Amaranth platform; imports ``amaranth_boards``.
    build : parameters of the accelerator.
    input_hz : the board's oscillator.
    pll : how ``build.clock_hz`` comes from it.
    ram : the device's block RAM.
    fast_memory : of :class:`zipsgd_hw.datapath.gradient_unit.GradientUnit`.
    limits : what limits lanes, features and widths, in a sentence or two.
    seed : of the placer, with which the clock was met last.
    in_ci : built in continuous integration, rather than by hand before a release.
    tried : who has tried the build on hardware and when; None if nobody has.
    synth_opts, nextpnr_opts : options of Yosys' synthesis command and of nextpnr.

    Raises
    ------
    ValueError
        The PLL does not make ``build.clock_hz``.
    """

    name: str
    title: str
    device: str
    family: Literal["ice40", "ecp5"]
    platform: Callable[[], Any]
    build: Build
    input_hz: int
    pll: Ice40Pll | Ecp5Pll
    ram: BlockRam
    fast_memory: bool
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


def _icebreaker() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


def _ice40_hx8k_b_evn() -> Any:
    from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

    return ICE40HX8KBEVNPlatform()


def _ulx3s_85f() -> Any:
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


_ICE40_WIDTHS = (16, 8, 4, 2)
_BOARDS = (
    Board(
        name="icebreaker",
        title="iCEBreaker",
        device="iCE40UP5K-SG48",
        family="ice40",
        platform=_icebreaker,
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
            uart_baud=3_000_000,
        ),
        input_hz=12_000_000,
        pll=Ice40Pll(divr=0, divf=63, divq=5, filter_range=1, pad=True),
        ram=BlockRam(4096, _ICE40_WIDTHS, 30),
        fast_memory=True,
        limits=(
            "All 30 block RAMs are in use: a port is 16 bits wide, so that 8 lanes of 28-bit gradient sums take 14, of 12-bit "
            "Q3 6, and two update lanes of a 20-bit model 5, whatever their depth. Hence the narrow delta and model; 93 % of "
            "the cells are in use as well. 1,024 replay words hold 8 planes of 1,024 features, 10 of 816."
        ),
        in_ci=True,
        synth_opts=("-dsp",),
    ),
    Board(
        name="ice40-hx8k-b-evn",
        title="iCE40-HX8K breakout board",
        device="iCE40HX8K-CT256",
        family="ice40",
        platform=_ice40_hx8k_b_evn,
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
            uart_baud=12_000_000,
        ),
        input_hz=12_000_000,
        pll=Ice40Pll(divr=0, divf=79, divq=4, filter_range=1, pad=False),
        ram=BlockRam(4096, _ICE40_WIDTHS, 32),
        fast_memory=True,
        limits=(
            "All 32 block RAMs are in use: a port is 16 bits wide, so that 8 lanes of 30-bit gradient sums take 15, of 12-bit "
            "Q3 6, and two update lanes of a 24-bit model 6, whatever their depth. There are no multipliers, and a fifth of "
            "the cells is free. 1,024 replay words hold 8 planes of 1,024 features, 10 of 816."
        ),
    ),
    Board(
        name="ulx3s-85f",
        title="ULX3S with LFE5U-85F",
        device="LFE5U-85F-6BG381C",
        family="ecp5",
        platform=_ulx3s_85f,
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
            uart_baud=3_000_000,
        ),
        input_hz=25_000_000,
        pll=Ecp5Pll(clki_div=1, clkfb_div=4, clkop_div=6),
        ram=BlockRam(18432, (36, 18, 9), 208),
        fast_memory=False,
        limits=(
            "The clock: a block RAM's word comes out after 5.8 ns and has a long way to its lane. Half of the block RAMs and "
            "three quarters of the cells are free; the serial chip's 3 Mbaud bound every set's epoch."
        ),
        nextpnr_opts=("--placer-heap-timingweight", "30"),
    ),
)

BOARDS: dict[str, Board] = {board.name: board for board in _BOARDS}
"""Every board, by name."""
