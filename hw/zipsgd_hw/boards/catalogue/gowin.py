"""Boards with a Gowin."""

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.board import Board
from zipsgd_hw.boards.families.gowin import GOWIN
from zipsgd_hw.boards.loaders import Programming, openfpgaloader
from zipsgd_hw.link.physical import Uart

__all__ = ["ROWS"]

ROWS = (
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
        name="tang-nano-20k",
        title="Tang Nano 20K, samples in block RAM",
        device="GW2AR-LV18QN88C8/I7",
        family=GOWIN,
        platform_class="zipsgd_hw.boards.platforms.tang_nano_20k:TangNano20kPlatform",
        build=Build(
            lanes=16,
            update_lanes=2,
            max_features=1024,
            max_batch=64,
            model_bits=24,
            q3_bits=12,
            delta_bits=16,
            gradient_bits=18,
            replay_words=1024,
            rx_bytes=1024,
            word_bytes=2,
            store_words=8192,
            schedule_words=256,
            hinge=1,
            diagonal=1,
            clock_hz=54_000_000,
        ),
        link=Uart(baud=2_000_000),
        input_hz=27_000_000,
        block_rams=46,
        programming=Programming((openfpgaloader("tangnano20k"),), usb="0403:6010"),
    ),
)
"""The boards."""
