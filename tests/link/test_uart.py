"""The UART against bits made and read in Python, at both clock tolerances and without gaps."""

import itertools
import random

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly, RisingEdge, Timer

from zipsgd_hw.link.uart import UartReceiver, UartTransmitter, uart_divisor
from zipsgd_sim.cocotb_runner import run_cocotb

PERIOD_NS = 10


async def start(dut):
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


async def drive_byte(pin, byte, bit_ns, stop=1):
    for bit in [0, *((byte >> i) & 1 for i in range(8)), stop]:
        pin.value = bit
        await Timer(round(bit_ns * 1000), unit="ps")


async def received(dut, out):
    while True:
        await RisingEdge(dut.clk)
        if dut.data__valid.value:
            out.append(int(dut.data__payload.value))


@cocotb.test()
async def receives(dut):
    """Bytes without gaps from a host whose clock is off, glitches, and a byte without stop bit."""
    divisor = int(cocotb.plusargs["divisor"])
    dut.rx.value = 1
    await start(dut)
    out: list[int] = []
    cocotb.start_soon(received(dut, out))
    expected = []
    for error in (0.97, 1.0, 1.03):
        await Timer(random.randrange(1000, 3000), unit="ns")
        for byte in [0, 255, *random.randbytes(60)]:
            await drive_byte(dut.rx, byte, divisor * PERIOD_NS * error)
            expected.append(byte)
    await ClockCycles(dut.clk, 5)
    assert out == expected
    # A glitch shorter than half a bit, then a break, leave nothing behind.
    dut.rx.value = 0
    await Timer(divisor * PERIOD_NS // 4, unit="ns")
    dut.rx.value = 1
    await ClockCycles(dut.clk, 12 * divisor)
    await drive_byte(dut.rx, 0x00, divisor * PERIOD_NS, stop=0)
    await ClockCycles(dut.clk, 25 * divisor)
    dut.rx.value = 1
    await ClockCycles(dut.clk, 2 * divisor)
    assert out == expected
    await drive_byte(dut.rx, 0xA5, divisor * PERIOD_NS)
    await ClockCycles(dut.clk, 5)
    assert out == [*expected, 0xA5]


async def line_monitor(dut, divisor, out):
    while True:
        await FallingEdge(dut.tx)
        await Timer(divisor * PERIOD_NS // 2, unit="ns")
        assert not dut.tx.value
        byte = 0
        for i in range(8):
            await Timer(divisor * PERIOD_NS, unit="ns")
            byte |= int(dut.tx.value) << i
        await Timer(divisor * PERIOD_NS, unit="ns")
        assert dut.tx.value
        out.append(byte)


@cocotb.test()
async def transmits(dut):
    """Every byte in exactly ten bits while the stream has one; idle high between."""
    divisor = int(cocotb.plusargs["divisor"])
    dut.data__valid.value = 0
    await start(dut)
    out: list[int] = []
    cocotb.start_soon(line_monitor(dut, divisor, out))
    sent = [0, 255, *random.randbytes(100)]
    taken_at = []
    cycle = 0
    for i, byte in enumerate(sent):
        dut.data__payload.value = byte
        dut.data__valid.value = 1
        while True:
            await ReadOnly()
            ready = dut.data__ready.value
            await RisingEdge(dut.clk)
            cycle += 1
            if ready:
                break
        taken_at.append(cycle)
        if i >= 60:
            dut.data__valid.value = 0
            pause = random.randrange(20 * divisor)
            await ClockCycles(dut.clk, pause + 1)
            cycle += pause + 1
    await ClockCycles(dut.clk, 12 * divisor)
    assert out == sent
    assert {b - a for a, b in itertools.pairwise(taken_at[:60])} == {10 * divisor}
    assert dut.tx.value


@pytest.mark.parametrize("divisor", [8, 13])
def test_receiver(divisor, tmp_path):
    run_cocotb(UartReceiver(divisor), __file__, tmp_path, {"divisor": divisor}, testcase="receives")


@pytest.mark.parametrize("divisor", [4, 8])
def test_transmitter(divisor, tmp_path):
    run_cocotb(UartTransmitter(divisor), __file__, tmp_path, {"divisor": divisor}, testcase="transmits")


def test_divisor():
    assert uart_divisor(24_000_000, 3_000_000) == 8
    assert uart_divisor(12_000_000, 115_200) == 104
    with pytest.raises(ValueError, match="at most"):
        uart_divisor(12_000_000, 12_000_000)
    with pytest.raises(ValueError, match="nearest rate"):
        uart_divisor(24_000_000, 5_300_000)
    with pytest.raises(ValueError, match="positive"):
        uart_divisor(12_000_000, 0)


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_divisor_too_small():
    with pytest.raises(ValueError, match="divisor must be at least 4, not 3"):
        UartTransmitter(3)
