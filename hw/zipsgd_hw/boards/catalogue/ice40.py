"""Boards with a Lattice iCE40."""

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.board import Board
from zipsgd_hw.boards.families.ice40 import ICE40
from zipsgd_hw.boards.loaders import ICEPROG, ICESPROG, Programming, openfpgaloader
from zipsgd_hw.boards.memories import Spram
from zipsgd_hw.link.physical import Uart

__all__ = ["ROWS"]

_ICEBREAKER_PROGRAMMING = Programming(
    (openfpgaloader("ice40_generic"), ICEPROG), usb="0403:6010", memory=False
)
_HX8K_PROGRAMMING = Programming((openfpgaloader("ice40_generic"), ICEPROG), usb="0403:6010")

_UP5K_STORE = Build(
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
    hinge=1,
    diagonal=1,
    clock_hz=24_000_000,
)
"""What an iCE40UP5K has cells for beside a store in SPRAM."""

ROWS = (
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
        build=_UP5K_STORE,
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
        name="icesugar",
        title="iCESugar, samples in SPRAM",
        device="iCE40UP5K-SG48",
        family=ICE40,
        platform_class="amaranth_boards.icesugar:ICESugarPlatform",
        build=_UP5K_STORE,
        link=Uart(baud=115_200),
        input_hz=12_000_000,
        pll_pad=True,
        block_rams=30,
        memory=Spram(),
        synth_opts=("-dsp", "-dffe_min_ce_use", "4"),
        logic_script="abc9.script.flow3",
        programming=Programming((ICESPROG,), usb="1d50:602b", memory=False),
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
)
"""The boards."""
