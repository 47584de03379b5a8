"""Boards whose link is USB: the pins, clocks and parts that come out, and what is said of a board that lacks them."""

from dataclasses import replace

import pytest

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards import BOARDS
from zipsgd_hw.boards.board import Board
from zipsgd_hw.boards.board_top import BoardTop
from zipsgd_hw.boards.families.ecp5 import ECP5
from zipsgd_hw.link.physical import Usb

pytestmark = pytest.mark.filterwarnings("ignore:Domain:DeprecationWarning")  # Amaranth's, of its next version

_BUILD = Build(lanes=4, update_lanes=4, max_features=32, max_batch=32, clock_hz=60_000_000)
_ULX3S = replace(BOARDS["ulx3s-85f"], build=_BUILD, link=Usb("full"))
_ORANGECRAB = replace(
    _ULX3S,
    name="orangecrab",
    device="LFE5U-25F-8MG285C",
    platform_class="amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_25FPlatform",
    build=replace(_BUILD, clock_hz=48_000_000),
    input_hz=48_000_000,
)
_ECPIX5 = Board(
    name="ecpix5",
    title="ECPIX-5 with LFE5UM5G-85F",
    device="LFE5UM5G-85F-8BG554I",
    family=ECP5,
    platform_class="amaranth_boards.ecpix5:ECPIX585Platform",
    build=_BUILD,
    link=Usb("high"),
    input_hz=100_000_000,
    block_rams=208,
)


def _files(board: Board) -> tuple[str, str]:
    """The Verilog of a board's design, and its constraints."""
    plan = board.platform().prepare(BoardTop(board), "top", debug_verilog=True)
    verilog, constraints = (
        text.decode() if isinstance(text, bytes) else text
        for text in (plan.files["top.debug.v"], plan.files["top.lpf"])
    )
    return verilog, constraints


@pytest.mark.parametrize("board", [_ULX3S, _ORANGECRAB], ids=lambda board: board.name)
def test_full_speed_from_pins(board: Board) -> None:
    clocks = {name: clock.hz for name, clock in board.other_clocks.items()}
    assert clocks == {"usb": 12_000_000, "usb_io": 48_000_000}
    verilog, constraints = _files(board)
    for pin in ("d_p", "d_n", "pullup"):
        assert f'LOCATE COMP "usb_0__{pin}__io"' in constraints
    assert "uart_0" not in constraints
    assert "module \\top.usb.port.usb.translator.receiver.clock_data_recovery" in verilog
    assert verilog.count("CLKOS2_DIV") == 1, "both clocks of the bus come from the PLL"


def test_high_speed_by_ulpi() -> None:
    assert not _ECPIX5.other_clocks, "the transceiver makes the clock"
    verilog, constraints = _files(_ECPIX5)
    assert all(f'LOCATE COMP "ulpi_0__data__io[{bit}]"' in constraints for bit in range(8))
    (line,) = (line for line in constraints.splitlines() if "60000000" in line)
    assert "ulpi_0__clk" in line
    assert "module \\top.usb.port.usb.translator.register_window" in verilog


@pytest.mark.parametrize(
    ("board", "says"),
    [
        (
            replace(_ULX3S, link=Usb("high")),
            "has no resource 'ulpi' with data and clk, on which the link runs",
        ),
        (
            replace(_ECPIX5, link=Usb("full")),
            "has no resource 'usb' with d_p and d_n, on which the link runs",
        ),
    ],
)
def test_a_platform_without_the_pins_is_refused(board: Board, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        board.platform()


def test_a_clock_beside_which_the_pll_cannot_make_those_of_the_bus() -> None:
    with pytest.raises(ValueError, match=r"the PLL cannot make 100000000 Hz .* such as"):
        replace(_ULX3S, build=replace(_BUILD, clock_hz=100_000_000))
