"""The boards that zipsgd is built for, a row each."""

from collections.abc import Iterable

from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .board import Board
from .families.ecp5 import ECP5
from .families.gowin import GOWIN
from .families.ice40 import ICE40
from .loaders import FUJPROG, ICEPROG, Programming, openfpgaloader
from .memories import Sdram, Spram

__all__ = ["BOARDS", "by_name"]

_ICEBREAKER_PROGRAMMING = Programming(
    (openfpgaloader("ice40_generic"), ICEPROG), usb="0403:6010", memory=False
)
_HX8K_PROGRAMMING = Programming((openfpgaloader("ice40_generic"), ICEPROG), usb="0403:6010")
_ULX3S_PROGRAMMING = Programming((openfpgaloader("ulx3s"), FUJPROG), usb="0403:6015")

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
            hinge=1,
            clock_hz=24_000_000,
        ),
        link=Uart(baud=3_000_000),
        input_hz=12_000_000,
        pll_pad=True,
        block_rams=30,
        synth_opts=("-dsp",),
        programming=_ICEBREAKER_PROGRAMMING,
    ),
    Board(
        name="icebreaker-store",
        title="iCEBreaker, samples in SPRAM",
        device="iCE40UP5K-SG48",
        family=ICE40,
        platform_class="amaranth_boards.icebreaker:ICEBreakerPlatform",
        build=Build(
            lanes=4,
            update_lanes=1,
            max_features=64,
            max_batch=64,
            p_max=4,
            model_bits=18,
            q3_bits=12,
            delta_bits=12,
            gradient_bits=14,
            replay_words=128,
            rx_bytes=1024,
            word_bytes=1,
            store_words=1 << 17,
            diagonal=1,
            clock_hz=24_000_000,
        ),
        link=Uart(baud=3_000_000),
        input_hz=12_000_000,
        pll_pad=True,
        block_rams=30,
        memory=Spram(),
        synth_opts=("-dsp", "-dffe_min_ce_use", "4"),
        logic_script="abc9.script.flow3",
        programming=_ICEBREAKER_PROGRAMMING,
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
            hinge=1,
            clock_hz=60_000_000,
        ),
        link=Uart(baud=12_000_000),
        input_hz=12_000_000,
        block_rams=32,
        programming=_HX8K_PROGRAMMING,
    ),
    Board(
        name="tang-nano-9k",
        title="Tang Nano 9K",
        device="GW1NR-LV9QN88PC6/I5",
        family=GOWIN,
        platform_class="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
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
            hinge=1,
            diagonal=1,
            clock_hz=54_000_000,
        ),
        link=Uart(baud=2_000_000),
        input_hz=27_000_000,
        block_rams=26,
        programming=Programming((openfpgaloader("tangnano9k"),), usb="0403:6010"),
    ),
    Board(
        name="ulx3s-85f",
        title="ULX3S with LFE5U-85F",
        device="LFE5U-85F-6BG381C",
        family=ECP5,
        platform_class="amaranth_boards.ulx3s:ULX3S_85F_Platform",
        build=Build(
            lanes=64,
            update_lanes=8,
            max_features=8192,
            max_batch=256,
            model_bits=24,
            q3_bits=12,
            delta_bits=18,
            gradient_bits=18,
            replay_words=2048,
            rx_bytes=4096,
            hinge=1,
            diagonal=1,
            clock_hz=100_000_000,
        ),
        link=Uart(baud=3_000_000),
        input_hz=25_000_000,
        block_rams=208,
        seed=2,
        nextpnr_opts=("--placer-heap-timingweight", "30"),
        programming=_ULX3S_PROGRAMMING,
    ),
    Board(
        name="ulx3s-85f-store",
        title="ULX3S, samples in SDRAM",
        device="LFE5U-85F-6BG381C",
        family=ECP5,
        platform_class="amaranth_boards.ulx3s:ULX3S_85F_Platform",
        build=Build(
            lanes=64,
            update_lanes=8,
            max_features=16384,
            max_batch=256,
            model_bits=24,
            q3_bits=12,
            delta_bits=18,
            gradient_bits=18,
            replay_words=2048,
            rx_bytes=4096,
            word_bytes=4,
            store_words=1 << 23,
            schedule_words=2048,
            score_words=1024,
            hinge=1,
            diagonal=1,
            heads=10,
            clock_hz=80_000_000,
        ),
        link=Uart(baud=3_000_000),
        input_hz=25_000_000,
        block_rams=208,
        memory=Sdram("16Mx16", clock_hz=112_000_000),
        seed=2,
        nextpnr_opts=("--placer-heap-timingweight", "30"),
        programming=_ULX3S_PROGRAMMING,
    ),
)


def by_name(rows: Iterable[Board]) -> dict[str, Board]:
    """The rows of a catalogue, by name.

    Parameters
    ----------
    rows : iterable of Board
        The rows.

    Returns
    -------
    dict of str to Board
        Each board by its name, in the order of the rows.

    Raises
    ------
    ValueError
        Two rows have the same name.
    """
    boards: dict[str, Board] = {}
    for row in rows:
        if row.name in boards:
            raise ValueError(f"two rows of the boards are named {row.name!r}: give each its own name")
        boards[row.name] = row
    return boards


BOARDS: dict[str, Board] = by_name(_BOARDS)
"""Every board, by name."""
