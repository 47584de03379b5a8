"""cocotb: raw words of whole samples, quantised on the device, against the golden model."""

import random
from functools import partial
from itertools import pairwise

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, weighted

from zipsgd.golden.device_quantiser import DeviceQuantiser, quantiser_seeds
from zipsgd.golden.scale_table import ScaleTable
from zipsgd.golden.weave import plane_words
from zipsgd.protocol.formats import Build
from zipsgd.protocol.raw_words import GENERATORS, SCALE_BITS, SCALE_FRAC
from zipsgd_hw.quantiser.sample_quantiser import SampleQuantiser
from zipsgd_hw.quantiser.scale_memory import ScaleMemory
from zipsgd_sim.stream_bench import StreamBench

_SHAPES = {
    "raw8-L4": (8, Build(lanes=4, update_lanes=4, max_features=20, p_max=4)),
    "raw12-L8": (12, Build(lanes=8, update_lanes=4, max_features=32, p_max=8)),
    "raw16-L16": (16, Build(lanes=16, update_lanes=4, max_features=48, p_max=2)),
    "raw16-L64": (16, Build(lanes=64, update_lanes=4, max_features=128, p_max=8)),
}
_LATENCY = 8
"""Cycles from a chunk's last word to its first plane."""

BENCH = ComponentBench(
    (SampleQuantiser, ScaleMemory),
    "zipsgd.golden.device_quantiser.DeviceQuantiser",
    tuple(
        Case(name, partial(SampleQuantiser, build, raw_bits), {"case": name})
        for name, (raw_bits, build) in _SHAPES.items()
    ),
)


def random_table(raw_bits: int, rows: int) -> ScaleTable:
    """Most values are within [-1, 1]; some rows saturate often."""
    half = 1 << (raw_bits - 1)
    rng = np.random.default_rng(random.getrandbits(32))
    centre = rng.integers(-half, half, rows) >> rng.choice([0, 0, raw_bits], rows)
    scale = rng.integers(0, (2 << SCALE_FRAC) >> rng.integers(0, 3, rows))
    scale = np.where(rng.random(rows) < 0.1, (1 << SCALE_BITS) - 1, scale)
    return ScaleTable(raw_bits, centre, scale, rng.random(rows) < 0.5)


def random_raw(table: ScaleTable, count: int) -> np.ndarray:
    """Words of all sizes."""
    half = 1 << (table.raw_bits - 1)
    rng = np.random.default_rng(random.getrandbits(32))
    shape = (count, len(table.centre))
    signed = np.where(
        rng.random(shape) < 0.1, rng.choice([-half, half - 1], shape), rng.integers(-half, half, shape)
    )
    return signed + half * table.offset_binary


class Bench:
    """The device, and what its table holds."""

    def __init__(self, dut) -> None:
        self.raw_bits, self.build = _SHAPES[str(cocotb.plusargs["case"])]
        self.bench = StreamBench(dut)
        self.raw = self.bench.source("raw", junk=True)
        self.ends: list[int] = []  # cycles in which planes went
        self.planes = self.bench.sink("planes", on_word=lambda word: self.ends.append(self.bench.cycles))
        self.labels = self.bench.sink("labels")
        self.outputs = Ports(dut, "flags", "saturated", "seed_next__payload")

    async def reset(self) -> None:
        self.raw.queue.clear()
        self.bench.pins |= {"rst": 1, "scale_window__valid": 0, "seed__valid": 0, "clear": 0}
        await self.bench.cycle()
        self.bench.pins["rst"] = 0
        self.planes.got.clear()
        self.labels.got.clear()

    async def write(self, table: ScaleTable) -> None:
        """Rows in any order, and words behind the table, which do nothing."""
        words = dict(enumerate(table.words().tolist()))
        words |= {self.build.max_features + random.getrandbits(6): random.getrandbits(32) for _ in range(3)}
        for offset in random.sample(list(words), len(words)):
            self.bench.pins |= {
                "scale_window__valid": 1,
                "scale_window__payload": offset | words[offset] << 16,
            }
            await self.bench.cycle()
        self.bench.pins |= {"scale_window__valid": 0, "scale_window__payload": random.getrandbits(48)}

    async def seed(self, seeds: list[int]) -> None:
        for seed in reversed(seeds):
            self.bench.pins |= {"seed__valid": 1, "seed__payload": seed}
            await self.bench.cycle()
        self.bench.pins |= {"seed__valid": 0, "seed__payload": random.getrandbits(31)}

    async def clear(self) -> None:
        self.bench.pins["clear"] = 1
        await self.bench.cycle()
        self.bench.pins["clear"] = 0
        await self.bench.cycle()
        assert (self.outputs.flags, self.outputs.saturated) == (0, 0)

    async def take(self, raw: np.ndarray, planes: list[list[int]], labels: list[int], where: str) -> None:
        """Words in, and all planes and labels out."""
        mask = (1 << self.raw_bits) - 1
        self.raw.queue += [int(word) & mask for word in raw.ravel()]
        expected = [word for sample in planes for word in sample]
        await self.bench.until(
            lambda: len(self.planes.got) == len(expected) and len(self.labels.got) == len(labels),
            200 * (len(self.raw.queue) + len(expected)) + 200,
        )
        for stream in (self.raw, self.planes, self.labels):
            stream.stall = 0
        await self.bench.cycle(4)
        assert self.planes.got == expected, where
        assert self.labels.got == [label & 0xFFFF for label in labels], where
        assert not self.raw.queue, where
        self.planes.got.clear()
        self.labels.got.clear()


@cocotb.test()
async def samples(dut):
    """Runs behind each other, which go on with the draws; some are cut short by a reset."""
    bench = Bench(dut)
    build = bench.build
    bench.bench.pins["run"] = 0
    await bench.reset()
    for number in range(60):
        p, m = weighted(1, build.p_max), random.randint(0, GENERATORS)
        intercept = random.random() < 0.6
        features = weighted(1, build.max_features - (not intercept))
        table = random_table(bench.raw_bits, features - intercept + 1)
        bench.bench.pins["run"] = PlaneRun(build, features, p, m).word(intercept=int(intercept))
        seeds = quantiser_seeds(number)
        await bench.write(table)
        await bench.seed(seeds)
        await bench.clear()
        where = f"run {number}: {features} features, p = {p}, m = {m}, intercept {intercept}"
        if random.random() < 0.2:
            raw = random_raw(table, 4)
            bench.raw.queue += [int(word) & (1 << bench.raw_bits) - 1 for word in raw.ravel()]
            await bench.bench.cycle(random.randint(1, raw.size + 12))
            await bench.reset()
            await bench.seed(seeds)
        golden = DeviceQuantiser(table, p, m, intercept=intercept, seeds=seeds)
        for _ in range(random.randint(1, 3)):
            for stream in (bench.raw, bench.planes, bench.labels):
                stream.stall = random.choice([0, 0, 0.3, 0.8])
            raw = random_raw(table, random.randint(1, 10))
            codes = golden.quantise(raw)
            await bench.take(raw, plane_words(codes, build.lanes), codes.labels.tolist(), where)
            assert bench.outputs.saturated == golden.saturated, where
            assert bench.outputs.flags == golden.flags, where
            assert bench.outputs.seed_next__payload == int(golden.state[-1]), where


@cocotb.test()
async def throughput(dut):
    """Samples take the cycles that are promised, and the first plane its latency."""
    bench = Bench(dut)
    build = bench.build
    bench.bench.pins["run"] = 0
    await bench.reset()
    for _ in range(12):
        p, m = weighted(1, build.p_max), random.randint(1, GENERATORS)
        intercept = random.random() < 0.5
        features = weighted(1 + intercept, build.max_features - (not intercept))
        table = random_table(bench.raw_bits, features - intercept + 1)
        bench.bench.pins["run"] = PlaneRun(build, features, p, m).word(intercept=int(intercept))
        await bench.write(table)
        await bench.bench.cycle(3)
        raw = random_raw(table, 8)
        bench.raw.queue += [int(word) & (1 << bench.raw_bits) - 1 for word in raw.ravel()]
        of_sample = build.chunks(features) * (p + m)
        begun = bench.bench.cycles
        bench.ends.clear()
        while len(bench.ends) < len(raw) * of_sample:
            await bench.bench.cycle()
        where = f"{features} features, {p + m} planes"
        assert bench.ends[0] - begun == min(features, build.lanes) + _LATENCY - 1, where
        ends = bench.ends[2 * of_sample - 1 :: of_sample]
        apart = {later - before for before, later in pairwise(ends)}
        assert apart == {SampleQuantiser.cycles(build, features, p + m)}, where
        await bench.bench.cycle(12)
        await bench.reset()
