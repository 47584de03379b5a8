"""cocotb: the accelerator behind its UART, on the pins."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, Timer
from component_bench import Case, ComponentBench
from datapath_stand_in import BUILD, StandIn

from zipsgd.protocol.frames import Frame, Kind, decode, encode
from zipsgd.protocol.registers import identification
from zipsgd_hw.top import UartAccelerator
from zipsgd_sim.link_host import read_payload


def accelerator():
    return UartAccelerator(BUILD, StandIn())


BENCH = ComponentBench((UartAccelerator,), "zipsgd.protocol.frames", (Case("stand-in", accelerator),))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def over_uart(dut):
    """Identification on the pins, in five cycles a bit."""
    bit_ns, period_ns = 5 * 10, 10
    Clock(dut.clk, period_ns, unit="ns").start()
    dut.rx.value = 1
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    line = bytearray()

    async def monitor():
        while True:
            await FallingEdge(dut.tx)
            await Timer(bit_ns // 2, unit="ns")
            byte = 0
            for i in range(8):
                await Timer(bit_ns, unit="ns")
                byte |= int(dut.tx.value) << i
            await Timer(bit_ns, unit="ns")
            assert dut.tx.value
            line.append(byte)

    cocotb.start_soon(monitor())
    count = len(identification(BUILD))
    frames = (Frame(Kind.SYNC, 41), Frame(Kind.READ, 42, read_payload(0, count)))
    for byte in b"\0\0" + b"".join(encode(frame) for frame in frames):
        for bit in (0, *((byte >> i) & 1 for i in range(8)), 1):
            dut.rx.value = bit
            await Timer(bit_ns, unit="ns")
    await Timer(150 * 10 * bit_ns, unit="ns")
    answers = [decode(bytes(part)) for part in bytes(line).split(b"\0") if part]
    assert [frame.sequence for frame in answers if frame.kind == Kind.ACK][-1] == 43
    (answer,) = (frame for frame in answers if frame.kind == Kind.DATA)
    words = [int.from_bytes(answer.payload[i : i + 4], "little") for i in range(0, 4 * count, 4)]
    assert words == list(identification(BUILD).values())
