"""cocotb: sums of the adder tree, a new one in each cycle, against sums of integers."""

import random
from collections import deque
from functools import partial

import cocotb
from component_bench import Case, ComponentBench

from zipsgd_hw.datapath.adder_tree import AdderTree
from zipsgd_sim.stream_bench import StreamBench

_SHAPES = ((2, 6, 1), (8, 6, 2), (16, 9, 2))
"""Terms, their bits, and the latency with two levels of adders between registers."""

BENCH = ComponentBench(
    (AdderTree,),
    "sum of integers",
    tuple(
        Case(
            f"{count}x{width}",
            partial(AdderTree, count, width),
            {"count": count, "width": width, "latency": latency},
        )
        for count, width, latency in _SHAPES
    ),
)


@cocotb.test()
async def sums(dut):
    """Terms at the ends of their range, all alike, alternating and random."""
    count, width, latency = (int(cocotb.plusargs[name]) for name in ("count", "width", "latency"))
    bench = StreamBench(dut)
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    mask = (1 << width) - 1
    total_bits = width + count.bit_length() - 1
    expected = deque()
    directed = [[low] * count, [high] * count, [-1] * count, [0] * count, [low, high] * count]
    for number in range(400):
        terms = (
            directed[number]
            if number < len(directed)
            else random.choices(
                [low, high, 0, -1, random.randint(low, high), random.randint(low, high)], k=count
            )
        )
        bench.pins["terms"] = sum((term & mask) << (lane * width) for lane, term in enumerate(terms[:count]))
        await bench.cycle()
        expected.append(sum(terms[:count]) & ((1 << total_bits) - 1))
        if len(expected) > latency:
            assert int(dut.total.value) == expected.popleft(), f"cycle {number}"
