"""cocotb: the tiny component against a sum."""

import random

import cocotb
from tiny import LIMIT

from zipsgd_sim.stream_bench import StreamBench


@cocotb.test()
async def counts(dut):
    bench = StreamBench(dut)
    dut.up.value = 1
    dut.clear.value = 0
    await bench.reset()
    count = 0
    for cycle in range(200):
        up, clear = random.random() < 0.8, random.random() < 0.05
        bench.pins.update(up=up, clear=clear)
        await bench.cycle()
        assert int(dut.count.value) == count, f"cycle {cycle}: count"
        assert int(dut.full.value) == (count == LIMIT), f"cycle {cycle}: full"
        count = 0 if clear else min(LIMIT, count + up)
