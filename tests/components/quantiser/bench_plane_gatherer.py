"""cocotb: gathered planes against the golden model's plane words, and the cycles that they take."""

import random
from functools import partial

import cocotb
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, random_codes, weighted

from zipsgd.golden.quantise import Codes
from zipsgd.golden.weave import plane_words, planes
from zipsgd.protocol.formats import Build
from zipsgd.protocol.raw_words import GENERATORS
from zipsgd_hw.quantiser.plane_gatherer import PlaneGatherer
from zipsgd_sim.stream_bench import StreamBench

_BUILDS = {
    "L4-p8": Build(lanes=4, update_lanes=4, max_features=32, p_max=8),
    "L8-p2": Build(lanes=8, update_lanes=4, max_features=32, p_max=2),
    "L32-p4": Build(lanes=32, update_lanes=4, max_features=64, p_max=4),
}

BENCH = ComponentBench(
    (PlaneGatherer,),
    "zipsgd.golden.weave.plane_words",
    tuple(Case(name, partial(PlaneGatherer, build), {"case": name}) for name, build in _BUILDS.items()),
)


def values(codes: Codes, build: Build) -> list[int]:
    """Words of the input; planes behind p + m are random."""
    room, used = build.p_max + GENERATORS, codes.p + codes.m
    words = []
    for sample in planes(codes):
        for place, bits in enumerate(sample.T):
            code = sum(int(bit) << plane for plane, bit in enumerate(bits))
            code |= random.getrandbits(room) >> used << used
            words.append(code | (place == sample.shape[1] - 1) << room)
    return words


def cycles(features: int, count: int, build: Build, used: int) -> int:
    """Cycles of so many samples without stalls, from the first word to the last plane."""
    chunks = [min(build.lanes, features - start) for start in range(0, features, build.lanes)] * count
    moved = 0
    for values in chunks:
        moved = max(moved + values, moved + used) if moved else values + 1
    return moved + used


@cocotb.test()
async def chunks(dut):
    """Runs behind each other, with and without stalls, and some cut short by a reset."""
    build = _BUILDS[str(cocotb.plusargs["case"])]
    bench = StreamBench(dut)
    source, sink = bench.source("input", junk=True), bench.sink("planes")
    await bench.reset()
    for number in range(120):
        p, m = weighted(1, build.p_max), random.randint(0, GENERATORS)
        features = weighted(1, build.max_features)
        codes = random_codes(features, p, m, random.randint(1, 12))
        bench.pins["run"] = PlaneRun(build, features, p, m).word()
        stalls = random.random() < 0.7
        for stream in (source, sink):
            stream.stall = random.choice([0, 0.3, 0.8]) if stalls else 0
        source.queue += values(codes, build)
        expected = [word for sample in plane_words(codes, build.lanes) for word in sample]
        where = f"run {number}: {features} features, p = {p}, m = {m}"
        if random.random() < 0.2:
            await bench.cycle(random.randint(1, len(expected)))
            assert sink.got == expected[: len(sink.got)], where
            source.queue.clear()
            bench.pins["rst"] = 1
            await bench.cycle()
            bench.pins["rst"] = 0
            sink.got.clear()
            continue
        begun = bench.cycles
        while len(sink.got) < len(expected):
            assert bench.cycles - begun < 200 * len(expected) + 200, where
            await bench.cycle()
        assert stalls or bench.cycles - begun == cycles(features, len(codes.labels), build, p + m), where
        source.stall = sink.stall = 0
        await bench.cycle(3)
        assert sink.got == expected, where
        sink.got.clear()
