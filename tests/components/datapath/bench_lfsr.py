"""cocotb: the random generator against its golden model, with states kept and gone back to, and seeds shifted in."""

import random

import cocotb
import numpy as np
from component_bench import Case, ComponentBench

from zipsgd.golden.lfsr import advance
from zipsgd.protocol.numbers import LFSR_BITS
from zipsgd_hw.datapath.lfsr import Lfsr
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench((Lfsr,), "zipsgd.golden.lfsr.advance", (Case("alone", Lfsr),))


@cocotb.test()
async def states(dut):
    """Every state from reset on, under random commands; each bit alone, and all of them, as seeds."""
    bench = StreamBench(dut)
    names = ("advance", "mark", "back", "load", "seed")
    bench.pins.update(dict.fromkeys(names, 0))
    await bench.reset()
    state = marked = 1
    seeds = [1 << bit for bit in range(LFSR_BITS)] + [(1 << LFSR_BITS) - 1, 0x2AAAAAAA, 0x55555555]
    for cycle in range(4000):
        load = cycle % 40 == 0 or random.random() < 0.02
        seed = seeds[cycle // 40 % len(seeds)] if load else random.getrandbits(LFSR_BITS)
        # Each in half of the cycles, for some time in none
        quiet = cycle % 400 < 100
        step, mark, back = (random.random() < (0.0 if quiet and i else 0.5) for i in range(3))
        bench.pins.update(zip(names, (int(step), int(mark), int(back), int(load), seed), strict=True))
        await bench.cycle()
        assert int(dut.state.value) == state, f"cycle {cycle}"
        kept = state if mark else marked
        if load:
            state = seed
        elif back:
            state = kept
        elif step:
            state = int(advance(np.array([state], dtype=np.uint64))[0])
        marked = kept
