"""cocotb: labels against the golden model."""

import random
from functools import partial

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import Ports, weighted

from zipsgd.golden.device_quantiser import label_words
from zipsgd.protocol.raw_words import value_frac
from zipsgd_hw.quantiser.label_rounder import LabelRounder
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (LabelRounder,),
    "zipsgd.golden.device_quantiser.label_words",
    tuple(Case(f"raw{bits}", partial(LabelRounder, bits), {"raw_bits": bits}) for bits in (8, 9, 16)),
)


@cocotb.test()
async def labels(dut):
    """One step later, with cycles in which none is taken; often near the ends, where labels saturate."""
    raw_bits = int(cocotb.plusargs["raw_bits"])
    one = 1 << value_frac(raw_bits)
    bench = StreamBench(dut)
    outputs = Ports(dut, "label", "saturated")
    due: tuple[int, bool] | None = None
    await bench.reset()
    for _ in range(4000):
        value = random.choice(
            [weighted(-one, one), random.randint(-one, -one + 600), random.randint(one - 600, one)]
        )
        step = random.random() < 0.8
        shown = min(value, one - 1)
        bench.pins |= {"step": int(step), "value": shown % (2 * one), "one": int(value == one)}
        await bench.cycle()
        if due is not None:
            assert (outputs.label, outputs.saturated) == due, f"cycle {bench.cycles}"
        if step:
            found, over = label_words(np.array([value]), raw_bits)
            due = int(found[0]) & 0xFFFF, bool(over[0])
