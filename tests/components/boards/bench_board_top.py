"""cocotb: boards, and in them the accelerator behind a UART, from their oscillators and serial pins.

Models stand for the vendors' cells, and a stand-in for the datapath."""

from functools import partial
from unittest.mock import patch

import cocotb
from chips import chip_verilog
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer
from component_bench import Case, ComponentBench
from datapath_stand_in import StandIn

from zipsgd.driver.coding import decode, encode
from zipsgd.protocol.frames import Frame, Kind
from zipsgd.protocol.identification import identification, parse_identification
from zipsgd.protocol.registers import WINDOWS
from zipsgd_hw.boards import BOARDS, board_top
from zipsgd_hw.boards.board_top import BoardTop
from zipsgd_hw.top import UartAccelerator
from zipsgd_sim.link_host import read_payload, words_payload

NAMES = ("icebreaker", "ulx3s-85f")
"""A board of each family, one of which has a fast memory."""
MODEL_WINDOW = WINDOWS["model_window"].address


def top(name):
    """Verilog of the board; its datapath, which would take long to compile, must be the one of its build and memory."""
    board = BOARDS[name]

    def datapath(build, *, fast_memory=None):
        assert (build, fast_memory) == (board.build, board.family.fast_memory)
        return StandIn(build)

    with patch.object(board_top, "Datapath", datapath):
        return chip_verilog(BoardTop(board), board, {})


BENCH = ComponentBench(
    (BoardTop, UartAccelerator),
    "zipsgd.protocol.frames",
    tuple(Case(name, partial(top, name), {"board": name}) for name in NAMES),
)


async def listen(dut, bit_ps, line):
    """Bytes that the board sends, into ``line``."""
    while True:
        await FallingEdge(dut.tx)
        await Timer(bit_ps // 2, unit="ps")
        byte = 0
        for place in range(8):
            await Timer(bit_ps, unit="ps")
            byte |= int(dut.tx.value) << place
        await Timer(bit_ps, unit="ps")
        assert dut.tx.value, "no stop bit"
        line.append(byte)


async def say(dut, bit_ps, data):
    for byte in data:
        for bit in (0, *(byte >> place & 1 for place in range(8)), 1):
            dut.rx.value = bit
            await Timer(bit_ps, unit="ps")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def answers(dut):
    """At the board's rate: SYNC, its identification, and a window that keeps what is written."""
    board = BOARDS[cocotb.plusargs["board"]]
    bit_ps = round(1e12 / board.link.baud)
    dut.rx.value = 1
    dut.unlock.value = 0
    Clock(dut.oscillator, round(1e12 / board.input_hz / 2) * 2, unit="ps").start()
    # The PLL locks, and the reset ends.
    await Timer(60, unit="us")
    line = bytearray()
    cocotb.start_soon(listen(dut, bit_ps, line))
    names = list(identification(board.build))
    model = [3, 0xFFFF_FFFE, 5, 7]
    frames = [
        Frame(Kind.SYNC, 41),
        Frame(Kind.READ, 42, read_payload(0, len(names))),
        Frame(Kind.WRITE, 43, words_payload(MODEL_WINDOW + 4, model)),
        Frame(Kind.FENCE, 44, read_payload(MODEL_WINDOW + 4, len(model))),
    ]
    await say(dut, bit_ps, b"\0\0" + b"".join(map(encode, frames)))
    got = {}
    for _ in range(2 * 150):
        await Timer(10 * bit_ps, unit="ps")
        got = [decode(bytes(part)) for part in bytes(line).split(b"\0")[:-1] if part]
        if sum(frame.kind == Kind.DATA for frame in got) == 2 and got[-1].sequence == 45:
            break
    data = {frame.sequence: frame.payload for frame in got if frame.kind == Kind.DATA}
    words = {
        number: [int.from_bytes(text[i : i + 4], "little") for i in range(0, len(text), 4)]
        for number, text in data.items()
    }
    assert parse_identification(dict(zip(names, words[42], strict=True))) == board.build
    assert words[44] == model
    assert [frame.sequence for frame in got if frame.kind == Kind.ACK][-1] == 45
