"""cocotb: each board's clock, by a model of its PLL, and its reset."""

from functools import partial

import cocotb
from amaranth import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from chips import chip_verilog
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer
from cocotb.utils import get_sim_time
from component_bench import Case, ComponentBench

from zipsgd_hw.boards import BOARDS
from zipsgd_hw.boards.clock_generator import ClockGenerator
from zipsgd_hw.boards.families.ecp5 import Ecp5Pll
from zipsgd_hw.boards.families.gowin import GowinPll
from zipsgd_hw.boards.families.ice40 import Ice40Pll

RESET_US = 20


class Watched(Elaboratable):
    """A generator whose domain's signals can be seen."""

    def __init__(self, board):
        self._board = board
        self.clock, self.reset = Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.generator = ClockGenerator(self._board)
        m.d.comb += [self.clock.eq(ClockSignal()), self.reset.eq(ResetSignal())]
        return m


def generator(name):
    watched = Watched(BOARDS[name])
    return chip_verilog(watched, BOARDS[name], {"clock": watched.clock, "reset": watched.reset})


ALIKE = {
    (board.family.name, board.pll, tuple(board.other_clocks.items())): name for name, board in BOARDS.items()
}
"""A board of each kind of clocks: those of the others are the same."""

BENCH = ComponentBench(
    (ClockGenerator,),
    "the board's clock_hz",
    tuple(Case(name, partial(generator, name), {"board": name}) for name in ALIKE.values()),
    parts=(Ice40Pll, Ecp5Pll, GowinPll),
)


def now_us():
    return get_sim_time("ns") / 1000


async def frequency(clock):
    """Of ``clock`` in hertz, over some cycles."""
    await RisingEdge(clock)
    start, cycles = get_sim_time("ps"), 100
    for _ in range(cycles):
        await RisingEdge(clock)
    return cycles * 1e12 / (get_sim_time("ps") - start)


async def released(dut, limit_us):
    """When reset goes low."""
    await First(FallingEdge(dut.reset), Timer(limit_us, unit="us"))
    assert not dut.reset.value, f"still reset after {limit_us} us"
    return now_us()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def clock_and_reset(dut):
    """The board's frequency; reset from power-up to 20 us after lock, and again when lock is lost."""
    board = BOARDS[cocotb.plusargs["board"]]
    dut.unlock.value = 0
    dut.rx.value = 1
    Clock(dut.oscillator, round(1e12 / board.input_hz / 2) * 2, unit="ps").start()
    await Timer(10, unit="ns")
    assert dut.reset.value
    # The model locks 41 periods after power-up.
    done = await released(dut, 2 * RESET_US + 10)
    assert done >= 41e6 / board.input_hz + RESET_US
    assert abs(await frequency(dut.clock) / board.build.clock_hz - 1) < 1e-3
    assert not dut.reset.value
    dut.unlock.value = 1
    await Timer(1, unit="us")
    assert dut.reset.value
    await Timer(50, unit="us")
    assert dut.reset.value
    start = now_us()
    dut.unlock.value = 0
    done = await released(dut, 2 * RESET_US + 5)
    assert done - start >= RESET_US
    await Timer(30, unit="us")
    assert not dut.reset.value
