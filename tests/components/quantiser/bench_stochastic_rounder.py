"""cocotb: base and up bits against the golden model, with the draws of its generators."""

import random
from functools import partial

import cocotb
import numpy as np
from builds import run_bits
from component_bench import Case, ComponentBench
from plane_runs import Ports, weighted

from zipsgd.golden.device_quantiser import crossed, quantiser_seeds, round_values
from zipsgd.golden.lfsr import Lfsr
from zipsgd.golden.quantise import Codes
from zipsgd.golden.weave import planes
from zipsgd.protocol.formats import Build
from zipsgd.protocol.raw_words import GENERATORS, value_frac
from zipsgd_hw.quantiser.stochastic_rounder import StochasticRounder
from zipsgd_sim.stream_bench import StreamBench

_CASES = {"raw8-p8": (8, 8), "raw12-p1": (12, 1), "raw16-p4": (16, 4)}
"""Bits of a raw word, and most base planes."""

BENCH = ComponentBench(
    (StochasticRounder,),
    "zipsgd.golden.device_quantiser.round_values",
    tuple(
        Case(name, partial(StochasticRounder, Build(p_max=p_max), raw_bits), {"case": name})
        for name, (raw_bits, p_max) in _CASES.items()
    ),
)


def random_value(frac: int, p: int) -> int:
    """Any value; often an exact level, or one next to it."""
    one = 1 << frac
    if random.random() < 0.5:
        return weighted(-one, one)
    delta = one >> (p - 1)
    value = delta * random.randint(-one // delta, one // delta) + random.randint(-1, 1)
    return min(max(value, -one), one)


@cocotb.test()
async def codes(dut):
    """Values with and without a draw, new seeds, and runs of every p."""
    raw_bits, p_max = _CASES[str(cocotb.plusargs["case"])]
    build, frac = Build(p_max=p_max), value_frac(raw_bits)
    bench = StreamBench(dut)
    outputs = Ports(dut, "code", "seed_next__payload", "seed_next__valid")
    lfsr = Lfsr([1] * GENERATORS)
    bench.pins |= {"seed__valid": 0}
    await bench.reset()
    for number in range(200):
        p = weighted(1, p_max)
        bench.pins |= {"run": run_bits(build, last_base=p - 1), "step": 0, "seed__valid": 0}
        await bench.cycle()
        if random.random() < 0.3:
            seeds = quantiser_seeds(number)
            for seed in reversed(seeds):
                bench.pins |= {"seed__valid": 1, "seed__payload": seed}
                await bench.cycle()
                assert outputs.seed_next__valid
                assert outputs.seed_next__payload == int(lfsr.state[-1])
                lfsr.state = np.array([seed, *lfsr.state[:-1]], dtype=np.uint64)
            bench.pins |= {"seed__valid": 0}
        bench.pins |= {"run": run_bits(build, last_base=p - 1)}
        due: int | None = None
        for _ in range(60):
            value = random_value(frac, p)
            step, draw, one = random.random() < 0.8, random.random() < 0.8, value == 1 << frac
            word = random.getrandbits(frac + 1) if one else value % (2 << frac)
            bench.pins |= {"step": int(step), "draw": int(draw), "value": word, "one": int(one)}
            await bench.cycle()
            if due is not None:
                mask = (1 << (p + GENERATORS)) - 1
                assert outputs.code & mask == due, f"cycle {bench.cycles}: p = {p}"
            if step:
                draws = crossed(lfsr.draw() if draw else lfsr.state.astype(np.int64))
                base, up = round_values(np.array([[value]]), raw_bits, p, GENERATORS, draws[None, None])
                found = planes(
                    Codes(base.astype(np.int8), up.astype(np.uint8), np.zeros(1, np.int16), p, GENERATORS)
                )
                due = sum(int(bit) << plane for plane, bit in enumerate(found[0, :, 0]))
