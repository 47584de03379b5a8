"""cocotb: dot products of random samples, each z in its cycle, while Q3 is written in every cycle in which it may be."""

import random
from collections import deque
from functools import partial
from math import ceil, log2

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, Position, plane_words, random_parts, random_plane_run, weighted

from zipsgd.golden.dot import dot
from zipsgd.golden.quantise import Codes
from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.bit_serial_dot import BitSerialDot
from zipsgd_hw.datapath.bundles import plane_flags_layout
from zipsgd_sim.stream_bench import StreamBench

_SMALL = {"max_batch": 4, "model_bits": 12, "q3_bits": 6, "gradient_bits": 8, "replay_words": 64}
_SHAPES = {
    "half-rows": (Build(**_SMALL, lanes=4, update_lanes=2, max_features=12, p_max=4), False),
    "fast-levels": (Build(**_SMALL, lanes=8, update_lanes=8, max_features=32, level_bits=3), True),
    "ups-levels": (
        Build(**_SMALL, lanes=4, update_lanes=1, max_features=8, p_max=3, polynomial=2, level_bits=3),
        False,
    ),
}
"""Of each case the build, and whether its memory is fast."""


def _latency(build: Build, fast_memory: bool) -> int:
    """As the core's docstring has it."""
    return 5 + ceil(log2(build.lanes) / 2) - fast_memory


def _make(build: Build, fast_memory: bool) -> BitSerialDot:
    assert BitSerialDot.latency(build, fast_memory=fast_memory) == _latency(build, fast_memory)
    return BitSerialDot(build, fast_memory=fast_memory)


BENCH = ComponentBench(
    (BitSerialDot,),
    "zipsgd.golden.dot.dot",
    tuple(Case(name, partial(_make, *shape), {"case": name}) for name, shape in _SHAPES.items()),
)


class Bench:
    """Compares z in every cycle; ``due`` has what is yet to come, by the cycle."""

    def __init__(self, dut) -> None:
        self.build, fast_memory = _SHAPES[str(cocotb.plusargs["case"])]
        self.latency = _latency(self.build, fast_memory)
        self.bench = StreamBench(dut)
        self.outputs = Ports(dut, "valid", "last", "z", "base_z", prefix="scores__")
        self.due: deque[tuple[int, int, int, int | None]] = deque()
        self.q3 = np.zeros((self.build.max_chunks, self.build.lanes), dtype=np.int64)
        self.under_way: int | None = None  # a chunk, from its first word to its last one
        self.writes = 0.5
        """Chance that Q3 is written in a cycle."""

    async def cycle(self, taken: tuple[int, Position] | None = None, **pins: int) -> None:
        """``taken``: a word and where it stands; else what is shown there is random."""
        build = self.build
        pins |= {"take": 0, "word": random.getrandbits(build.lanes)}
        pins |= {
            "flags": random.getrandbits(plane_flags_layout(build).size),
            "chunk": random.randrange(build.max_chunks),
        }
        if taken is not None:
            word, position = taken
            pins |= {"take": 1, "word": word, "flags": position.flags(build), "chunk": position.chunk}
        # Writes of every part of any chunk that is not being read
        low, high = -1 << (build.q3_bits - 1), (1 << (build.q3_bits - 1)) - 1
        entries = [weighted(low, high) for _ in range(build.update_lanes)]
        free = [chunk for chunk in range(build.max_chunks) if chunk != self.under_way]
        groups = build.lanes // build.update_lanes
        written = random.getrandbits(groups) if free and random.random() < self.writes else 0
        chunk = random.choice(free) if written else random.randrange(build.max_chunks)
        now = self.bench.cycles
        self.bench.pins |= pins | self.write_pins(chunk, written, entries)
        await self.bench.cycle()
        due = self.due.popleft() if self.due and self.due[0][0] == now else None
        assert self.outputs.valid == (due is not None), f"cycle {now}"
        if due is not None:
            _, z, last, base_z = due
            z_mask = (1 << build.z_bits) - 1
            assert self.outputs.z == z & z_mask, f"cycle {now}"
            assert self.outputs.last == last, f"cycle {now}"
            assert base_z is None or self.outputs.base_z == base_z & z_mask, f"cycle {now}"

    def write_pins(self, chunk: int, written: int, entries: list[int]) -> dict[str, int]:
        bits = self.build.q3_bits
        for group in range(self.build.lanes // self.build.update_lanes):
            if written >> group & 1:
                self.q3[chunk].reshape(-1, self.build.update_lanes)[group] = entries
        words = sum((entry & ((1 << bits) - 1)) << (bits * place) for place, entry in enumerate(entries))
        return {"q3__write": written, "q3__chunk": chunk, "q3__words": words}

    async def fill(self, entry: int) -> None:
        """Q3 is ``entry`` everywhere, and stays so."""
        self.writes = 0
        for chunk in range(self.build.max_chunks):
            written = (1 << self.build.lanes // self.build.update_lanes) - 1
            self.bench.pins |= {"take": 0} | self.write_pins(
                chunk, written, [entry] * self.build.update_lanes
            )
            await self.bench.cycle()

    async def begin(self, run: PlaneRun) -> None:
        """Lets the samples before it end."""
        while self.due:
            await self.cycle()
        await self.cycle(run=run.word())

    async def sample(self, run: PlaneRun, parts: list[Codes], stall: float, most: int | None = None) -> None:
        """A sample or, of one that ends in a reset, its first words."""
        q3 = []
        (words,) = plane_words(parts, self.build.lanes)
        for word, position in list(zip(words, run.positions(), strict=True))[:most]:
            while random.random() < stall:
                await self.cycle()
            if position.first_plane:
                q3.append(self.q3[position.chunk].copy())
                self.under_way = position.chunk
            await self.cycle((word, position))
            if position.last_plane:
                self.under_way = None
        if most is None:
            z, base_z = results(parts, np.concatenate(q3)[: run.features])
            first = self.bench.cycles - 1 + self.latency + (run.m == 0 or run.transcoded)
            self.due += [
                (first + i, value, int(i == len(z) - 1), None if i else base_z) for i, value in enumerate(z)
            ]

    async def reset(self) -> None:
        """What is under way is dropped, Q3 is not."""
        self.under_way = None
        self.due.clear()
        self.bench.pins |= {"rst": 1, "take": 0, "q3__write": 0}
        await self.bench.cycle()
        self.bench.pins["rst"] = 0


def results(parts: list[Codes], q3: np.ndarray) -> tuple[list[int], int]:
    """Each z of a sample, and the base planes' part of the first."""
    first = parts[0]
    base = Codes(first.base, first.up, first.labels, first.p, 0)
    return [int(z) for codes in parts for z in dot(codes, q3)[0]], int(dot(base, q3)[0, 0])


@cocotb.test()
async def samples(dut):
    """Runs behind each other, samples back to back or with gaps, some cut short by a reset."""
    bench = Bench(dut)
    await bench.reset()
    for _ in range(100):
        run = random_plane_run(bench.build)
        await bench.begin(run)
        bench.writes = random.choice([0.5, 0.95])
        stall = random.choice([0, 0, 0.3])
        for _ in range(random.randint(1, 8)):
            parts = random_parts(run, 1)
            await bench.sample(run, parts, stall)
        if random.random() < 0.3:
            await bench.sample(run, parts, stall, random.randint(0, run.chunks * run.planes))
            await bench.reset()


@cocotb.test()
async def largest(dut):
    """All values and Q3 at their ends, of as many features as there may be."""
    bench = Bench(dut)
    build = bench.build
    await bench.reset()
    for entry in (-1 << (build.q3_bits - 1), (1 << (build.q3_bits - 1)) - 1):
        for m in (0, 1, build.m_max):
            run = PlaneRun(build, build.max_features, build.p_max, m)
            await bench.begin(run)
            await bench.fill(entry)
            for base, up in ((-1 << (run.p - 1), 0), ((1 << (run.p - 1)) - 1, (1 << m) - 1), (-1, 0)):
                shape = (1, run.features)
                codes = Codes(
                    np.full(shape, base, np.int8),
                    np.full(shape, up, np.uint8),
                    np.zeros(1, np.int16),
                    run.p,
                    m,
                )
                await bench.sample(run, [codes], 0)
    await bench.begin(run)
