"""Boards with a Lattice ECP5."""

from dataclasses import replace

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.board import Board
from zipsgd_hw.boards.families.ecp5 import ECP5
from zipsgd_hw.boards.loaders import ECPDAP, FUJPROG, ICESPROG, Programming, openfpgaloader
from zipsgd_hw.boards.memories import Sdram
from zipsgd_hw.link.physical import Uart, Usb

__all__ = ["ROWS"]

_ULX3S_PROGRAMMING = Programming((openfpgaloader("ulx3s"), FUJPROG), usb="0403:6015")
_PLACER = ("--placer-heap-timingweight", "30")
_FTDI_UART = Uart(baud=3_000_000)
_PROBE_UART = Uart(baud=115_200)
"""A rate that the microcontroller of every probe can do."""
_SDRAM_16 = Sdram("16Mx16", clock_hz=112_000_000)
"""32 MB, by words of two of the chip's."""
_SDRAM_32 = Sdram("M12L64322A-7")
"""8 MB in the datapath's clock."""

# Builds by the FPGA: as many lanes as its block RAMs have room for

_BUILD_12F = Build(
    lanes=16,
    update_lanes=2,
    max_features=1024,
    max_batch=64,
    model_bits=24,
    q3_bits=12,
    delta_bits=16,
    gradient_bits=18,
    replay_words=1024,
    rx_bytes=2048,
    word_bytes=4,
    store_words=1 << 23,
    schedule_words=256,
    hinge=1,
    diagonal=1,
    clock_hz=80_000_000,
)
_BUILD_25F = replace(_BUILD_12F, lanes=32, update_lanes=4, max_features=2048, heads=4, score_words=512)
_BUILD_45F = replace(
    _BUILD_25F, lanes=64, update_lanes=8, max_features=4096, rx_bytes=4096, schedule_words=1024
)

ROWS = (
    Board(
        name="ulx3s-12f",
        title="ULX3S with LFE5U-12F, samples in SDRAM",
        device="LFE5U-12F-6BG381C",
        family=ECP5,
        platform_class="amaranth_boards.ulx3s:ULX3S_12F_Platform",
        build=_BUILD_12F,
        link=_FTDI_UART,
        input_hz=25_000_000,
        block_rams=32,
        memory=_SDRAM_16,
        nextpnr_opts=_PLACER,
        programming=_ULX3S_PROGRAMMING,
    ),
    Board(
        name="ulx3s-25f",
        title="ULX3S with LFE5U-25F, samples in SDRAM",
        device="LFE5U-25F-6BG381C",
        family=ECP5,
        platform_class="amaranth_boards.ulx3s:ULX3S_25F_Platform",
        build=_BUILD_25F,
        link=_FTDI_UART,
        input_hz=25_000_000,
        block_rams=56,
        memory=_SDRAM_16,
        nextpnr_opts=_PLACER,
        programming=_ULX3S_PROGRAMMING,
    ),
    Board(
        name="ulx3s-45f",
        title="ULX3S with LFE5U-45F, samples in SDRAM",
        device="LFE5U-45F-6BG381C",
        family=ECP5,
        platform_class="amaranth_boards.ulx3s:ULX3S_45F_Platform",
        build=_BUILD_45F,
        link=_FTDI_UART,
        input_hz=25_000_000,
        block_rams=108,
        memory=_SDRAM_16,
        nextpnr_opts=_PLACER,
        programming=_ULX3S_PROGRAMMING,
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
        link=_FTDI_UART,
        input_hz=25_000_000,
        block_rams=208,
        nextpnr_opts=_PLACER,
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
        link=_FTDI_UART,
        input_hz=25_000_000,
        block_rams=208,
        memory=_SDRAM_16,
        seed=2,
        nextpnr_opts=_PLACER,
        programming=_ULX3S_PROGRAMMING,
    ),
    Board(
        name="icepi-zero",
        title="Icepi Zero, samples in SDRAM",
        device="LFE5U-25F-6BG256C",
        family=ECP5,
        platform_class="amaranth_boards.icepi_zero:IcepiZero1_3Platform",
        build=_BUILD_25F,
        link=_FTDI_UART,
        input_hz=50_000_000,
        block_rams=56,
        memory=_SDRAM_16,
        nextpnr_opts=_PLACER,
        programming=Programming((openfpgaloader("icepi-zero"),), usb="0403:6015"),
    ),
    Board(
        name="icesugar-pro",
        title="iCESugar-pro, samples in SDRAM",
        device="LFE5U-25F-6BG256C",
        family=ECP5,
        platform_class="amaranth_boards.icesugar_pro:ICESugarProPlatform",
        build=_BUILD_25F,
        link=_PROBE_UART,
        input_hz=25_000_000,
        block_rams=56,
        memory=_SDRAM_16,
        nextpnr_opts=_PLACER,
        programming=Programming((ICESPROG,), usb="1d50:602b", memory=False),
    ),
    Board(
        name="colorlight-i5",
        title="Colorlight i5 on its extension board, samples in SDRAM",
        device="LFE5U-25F-6BG381C",
        family=ECP5,
        platform_class="zipsgd_hw.boards.platforms.colorlight:ColorlightI5Platform",
        build=replace(_BUILD_25F, store_words=1 << 21),
        link=_PROBE_UART,
        input_hz=25_000_000,
        block_rams=56,
        memory=_SDRAM_32,
        nextpnr_opts=_PLACER,
        programming=Programming((openfpgaloader("colorlight-i5"), ECPDAP), usb="0d28:0204"),
    ),
    Board(
        name="colorlight-i9",
        title="Colorlight i9 on its extension board, samples in SDRAM",
        device="LFE5U-45F-6BG381C",
        family=ECP5,
        platform_class="zipsgd_hw.boards.platforms.colorlight:ColorlightI9Platform",
        build=replace(_BUILD_45F, store_words=1 << 21),
        link=_PROBE_UART,
        input_hz=25_000_000,
        block_rams=108,
        memory=_SDRAM_32,
        nextpnr_opts=_PLACER,
        programming=Programming((openfpgaloader("colorlight-i9"), ECPDAP), usb="0d28:0204"),
    ),
    Board(
        name="orangecrab",
        title="OrangeCrab r0.2, samples in block RAM",
        device="LFE5U-25F-8MG285C",
        family=ECP5,
        platform_class="zipsgd_hw.boards.platforms.orangecrab:OrangeCrabPlatform",
        build=replace(_BUILD_12F, store_words=8192),
        link=Usb("full"),
        input_hz=48_000_000,
        block_rams=56,
        nextpnr_opts=_PLACER,
        programming=Programming((openfpgaloader("orangeCrab"),), usb="1209:5af0", memory=False),
    ),
    Board(
        name="ecpix-5",
        title="ECPIX-5 with LFE5UM5G-85F, samples in block RAM",
        device="LFE5UM5G-85F-8BG554C",
        family=ECP5,
        platform_class="amaranth_boards.ecpix5:ECPIX585Platform",
        build=replace(_BUILD_45F, store_words=1 << 15, heads=10, max_features=8192, clock_hz=100_000_000),
        link=_FTDI_UART,
        input_hz=100_000_000,
        block_rams=208,
        nextpnr_opts=_PLACER,
        programming=Programming((openfpgaloader("ecpix5"),), usb="0403:6010"),
    ),
)
"""The boards."""
