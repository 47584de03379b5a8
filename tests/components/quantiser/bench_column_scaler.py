"""cocotb: scaled raw words against the golden table."""

import random
from functools import partial

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import Ports, weighted

from zipsgd.golden.scale_table import ScaleTable
from zipsgd.protocol.raw_words import SCALE_BITS, value_frac
from zipsgd_hw.quantiser.column_scaler import ColumnScaler
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (ColumnScaler,),
    "zipsgd.golden.scale_table.ScaleTable.scaled",
    tuple(Case(f"raw{bits}", partial(ColumnScaler, bits), {"raw_bits": bits}) for bits in (8, 11, 16)),
)
_LATENCY = 3


def any_word(raw_bits: int) -> tuple[int, int, int]:
    """Centre, scale and a signed word; scales of all sizes."""
    half = 1 << (raw_bits - 1)
    scale = random.choice(
        [0, 1, 256, (1 << SCALE_BITS) - 1, random.getrandbits(random.randint(1, SCALE_BITS))]
    )
    return weighted(-half, half - 1), scale, weighted(-half, half - 1)


def near_one(raw_bits: int) -> tuple[int, int, int]:
    """The same, where the value is 1 or -1, or next to it, if the scale has the bits for that."""
    half = 1 << (raw_bits - 1)
    shift = random.randint(max(0, value_frac(raw_bits) - SCALE_BITS + 1), raw_bits - 1)
    distance = random.choice([-1, 1]) << shift
    centre = random.randint(max(-half, -half - distance), min(half - 1, half - 1 - distance))
    word = min(max(centre + distance + random.randint(-1, 1), -half), half - 1)
    return centre, 1 << (value_frac(raw_bits) - shift), word


@cocotb.test()
async def values(dut):
    """Three steps later, with cycles in which none is taken."""
    raw_bits = int(cocotb.plusargs["raw_bits"])
    bench = StreamBench(dut)
    outputs = Ports(dut, "value", "one", "saturated")
    frac, mask = value_frac(raw_bits), (1 << raw_bits) - 1
    due: list[tuple[int, bool] | None] = [None] * _LATENCY
    await bench.reset()
    for _ in range(6000):
        centre, scale, word = random.choice([any_word, near_one])(raw_bits)
        binary = random.random() < 0.5
        raw = word + (1 << (raw_bits - 1)) * binary
        step = random.random() < 0.8
        row = centre & mask | scale << raw_bits | binary << (raw_bits + SCALE_BITS)
        bench.pins |= {"step": int(step), "raw": raw & mask, "scale": row}
        await bench.cycle()
        if due[-1] is not None:
            value, over = due[-1]
            where = f"cycle {bench.cycles}: {value} of 2^{frac}"
            assert outputs.one == (value == 1 << frac), where
            assert outputs.value == min(value, (1 << frac) - 1) % (2 << frac), where
            assert outputs.saturated == over, where
        if step:
            table = ScaleTable(raw_bits, np.array([centre]), np.array([scale]), np.array([binary]))
            found, over = table.scaled(np.array([[raw]]))
            due = [(int(found[0, 0]), bool(over[0, 0])), *due[:-1]]
