"""cocotb: the stream register, in each cycle, against a queue of two words."""

import random
from collections import deque
from functools import partial

import cocotb
from component_bench import Case, ComponentBench

from zipsgd_hw.stream_register import StreamRegister
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (StreamRegister,),
    "a queue of two words",
    tuple(Case(f"{width}-bits", partial(StreamRegister, width), {"width": width}) for width in (1, 9)),
)


@cocotb.test()
async def passes_words(dut):
    """Any stalls of either end, none at all, and resets in mid-work."""
    width = int(cocotb.plusargs["width"])
    bench = StreamBench(dut)
    held = deque()
    taken = 0
    offered = None  # a word that is offered stays until it is taken
    for chance_in, chance_out, cycles in (
        (1.0, 1.0, 300),
        (0.5, 1.0, 300),
        (1.0, 0.5, 600),
        (0.5, 0.5, 600),
        (1.0, 0.1, 300),
        (0.9, 0.9, 900),
    ):
        before = taken
        for cycle in range(cycles):
            reset = random.random() < 0.01 and chance_in + chance_out < 2
            if offered is None and random.random() < chance_in:
                offered = random.choice([0, (1 << width) - 1, random.getrandbits(width)])
            takes = random.random() < chance_out
            bench.pins |= {
                "rst": int(reset),
                "input__valid": int(offered is not None),
                "input__payload": random.getrandbits(width) if offered is None else offered,
                "output__ready": int(takes),
            }
            await bench.cycle()
            assert int(dut.input__ready.value) == (len(held) < 2), f"cycle {cycle}"
            assert int(dut.output__valid.value) == bool(held), f"cycle {cycle}"
            if held:
                assert int(dut.output__payload.value) == held[0], f"cycle {cycle}"
            ready = len(held) < 2
            if takes and held:
                held.popleft()
                taken += 1
            if ready and offered is not None:
                held.append(offered)
                offered = None
            if reset:
                held.clear()
        if chance_in == chance_out == 1:
            assert taken - before >= cycles - 1, "a word in every cycle"
