"""cocotb: reset after power-up and after a loss of lock, in each cycle."""

import random

import cocotb
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, Timer
from component_bench import Case, ComponentBench

from zipsgd_hw.boards.power_on_reset import PowerOnReset

CYCLES = (1, 5, 16, 31)
PERIOD_PS = 1000
SYNCHRONISER = 2


class Resets(wiring.Component):
    """One of each length: one simulator is quicker made than four."""

    def __init__(self):
        members = {"locked": In(1)}
        members |= {f"reset{cycles}": Out(1) for cycles in CYCLES}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for cycles in CYCLES:
            m.submodules[f"of{cycles}"] = part = PowerOnReset(cycles)
            m.d.comb += [part.locked.eq(self.locked), getattr(self, f"reset{cycles}").eq(part.reset)]
        return m


BENCH = ComponentBench(
    (PowerOnReset,), "a reset until lock has been steady for as many cycles", (Case("resets", Resets),)
)


def held_for(cycles):
    """Cycles of lock until a reset ends: the timer runs to all ones."""
    ones = (1 << cycles.bit_length()) - 1
    assert cycles <= ones <= 2 * cycles
    return SYNCHRONISER + ones + 1


@cocotb.test(timeout_time=100, timeout_unit="us")
async def holds(dut):
    """Lock comes and goes at any time: resets move with the clock alone, and for just as long as they should."""
    pins = {cycles: getattr(dut, f"reset{cycles}") for cycles in CYCLES}
    due = dict.fromkeys(CYCLES, 1)
    dut.rst.value = 0
    dut.locked.value = 0
    await ReadOnly()
    assert all(pin.value for pin in pins.values()), "high before the first edge"
    await Timer(1, unit="ps")
    Clock(dut.clk, PERIOD_PS, unit="ps").start(start_high=False)
    locked, locks, left = 0, 0, 30
    synchronised = [0] * SYNCHRONISER
    timers = dict.fromkeys(CYCLES, 0)
    releases = 0
    for _ in range(5000):
        if not left:
            locked = 1 - locked
            left = random.choice([1, 2, 3, 15, 17, 30, 34, 35, 60] if locked else [1, 1, 2, 5])
        left -= 1
        # It changes at any time between two edges.
        wait = random.randrange(1, PERIOD_PS - 10)
        await Timer(wait, unit="ps")
        dut.locked.value = locked
        await ReadOnly()
        assert {cycles: int(pin.value) for cycles, pin in pins.items()} == due
        await RisingEdge(dut.clk)
        await ReadOnly()
        steady = synchronised.pop()
        synchronised.insert(0, locked)
        for cycles in CYCLES:
            timers[cycles] = timers[cycles] + 1 if steady else 0
            was = due[cycles]
            due[cycles] = int(timers[cycles] < held_for(cycles) - SYNCHRONISER)
            releases += was and not due[cycles]
        assert {cycles: int(pin.value) for cycles, pin in pins.items()} == due
        locks += locked
    assert releases > 100
    assert locks
