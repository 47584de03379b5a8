"""cocotb: gradients of random mini-batches, and every output in every cycle, from samples as fast as they may come."""

import random
from collections import deque
from dataclasses import dataclass, replace
from functools import partial

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, Position, plane_words, random_parts, random_plane_run, weighted

from zipsgd.golden.gradient import gradient, transcoded_gradient
from zipsgd.golden.quantise import Codes
from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.bundles import tells_active
from zipsgd_hw.datapath.gradient_unit import GradientUnit
from zipsgd_sim.stream_bench import StreamBench

_SMALL = {"model_bits": 12, "q3_bits": 6, "delta_bits": 8, "gradient_bits": 8, "replay_words": 32}
_SHAPES = {
    "one-lane-updates": (
        Build(**_SMALL, lanes=8, update_lanes=1, max_features=24, max_batch=4, p_max=3),
        False,
    ),
    "fast-heads-levels": (
        Build(
            **_SMALL,
            lanes=4,
            update_lanes=4,
            max_features=24,
            max_batch=2,
            p_max=4,
            heads=3,
            level_bits=4,
            hinge=1,
            diagonal=1,
        ),
        True,
    ),
    "ups-of-one-plane": (
        Build(**_SMALL, lanes=4, update_lanes=2, max_features=8, max_batch=8, p_max=1, polynomial=2),
        True,
    ),
}
"""Of each case the build, and whether its memory is fast."""

BENCH = ComponentBench(
    (GradientUnit,),
    "zipsgd.golden.gradient.gradient and transcoded_gradient",
    tuple(
        Case(name, partial(GradientUnit, build, fast_memory=fast), {"case": name})
        for name, (build, fast) in _SHAPES.items()
    ),
)

_OUTPUTS = ("next", "busy", "finishing", "sample_done")
_GRADIENT = ("ends", "chunk", "last_chunk", "accumulators")


@dataclass
class Sample:
    """A sample of one head.

    ``gradients``: the mini-batch's of each of its chunks, up to this sample.
    """

    first: bool
    last: bool
    active: bool
    deltas: tuple[int, int]
    words: list[tuple[int, Position]]
    gradients: list[list[int]]


def sample_gradient(run: PlaneRun, parts: list[Codes], deltas: tuple[int, int]) -> np.ndarray:
    """Of one sample, shape (chunks, lanes)."""
    pair = np.array([deltas], dtype=np.int64)
    if run.transcoded:
        total = transcoded_gradient(parts, pair[:, : len(parts)], run.one_sided, run.build)
    else:
        total = gradient(parts[0], pair, run.one_sided, run.build)
    padded = np.zeros(run.chunks * run.build.lanes, dtype=np.int64)
    padded[: run.features] = total
    return padded.reshape(run.chunks, run.build.lanes)


def random_samples(run: PlaneRun, count: int, extreme: int = 0) -> list[Sample]:
    """Samples of mini-batches, the last one shorter at times, each for every head in turn.

    ``extreme``: 1 or -1 for deltas at an end, and all values at their most negative; sums are then as large as they may be.
    """
    build = run.build
    limit = (1 << (build.delta_bits - 1)) - 1
    end = -1 << (run.p - 1)
    totals = np.zeros((run.heads, run.chunks, build.lanes), dtype=np.int64)
    positions = list(run.positions(by_head=True))
    words_of_head = run.chunks * run.planes
    samples = []
    for number in range(count):
        first, last = number % run.batch == 0, number % run.batch == run.batch - 1 or number == count - 1
        parts = random_parts(run, 1)
        if extreme:
            parts = [replace(codes, base=np.full_like(codes.base, end), up=0 * codes.up) for codes in parts]
        (words,) = plane_words(parts, build.lanes)
        for head in range(run.heads):
            delta1, delta2 = (extreme * limit or weighted(-limit, limit) for _ in range(2))
            deltas = (delta1, delta2 if run.m > 1 else delta1)
            totals[head] = sample_gradient(run, parts, deltas) + (0 if first else totals[head])
            of_head = positions[head * words_of_head : (head + 1) * words_of_head]
            samples.append(
                Sample(
                    first,
                    last,
                    random.random() < 0.5,
                    deltas,
                    list(zip(words, of_head, strict=True)),
                    totals[head].tolist(),
                )
            )
    return samples


class Bench:
    """Compares every output in every cycle with what ``next`` ought to have been."""

    def __init__(self, dut) -> None:
        self.build, fast_memory = _SHAPES[str(cocotb.plusargs["case"])]
        self.fast_memory = fast_memory
        self.turn = 3 if fast_memory else 4
        self.bench = StreamBench(dut)
        self.source = self.bench.source("sample", junk=True)
        self.ports = Ports(dut, *_OUTPUTS, "sample__valid", "sample__ready")
        self.active = ("active",) if tells_active(self.build) else ()
        self.gradient = Ports(dut, *_GRADIENT, *self.active, prefix="gradient__")
        self.pair = False
        self.forget()

    def forget(self) -> None:
        """As a reset does."""
        self.offered: deque[Sample] = deque()
        self.source.queue.clear()
        self.loaded: Sample | None = None
        self.words: deque[tuple[int, Position]] = deque()  # of the sample at hand
        self.at_hand: Sample | None = None
        self.may_end = 0  # a chunk, from this cycle on
        self.may_end_first = 0  # a sample's first chunk
        self.ends: deque[tuple[int, int, int, bool]] = deque()
        self.sums: deque[tuple[int, int]] = deque()
        self.written: dict[int, int] = {}  # when the memory is written, by chunk
        self.accumulators: int | None = None

    def offer(self, sample: Sample) -> None:
        bits = self.build.delta_bits
        mask = (1 << bits) - 1
        first, second = (delta & mask for delta in sample.deltas)
        self.offered.append(sample)
        self.source.queue.append(
            first
            | second << bits
            | sample.first << (2 * bits)
            | sample.last << (2 * bits + 1)
            | tells_active(self.build) * sample.active << (2 * bits + 2)
        )

    def _packed(self, gradients: list[int]) -> int:
        bits = self.build.accumulator_bits
        return sum((total & ((1 << bits) - 1)) << (bits * lane) for lane, total in enumerate(gradients))

    async def cycle(self) -> None:
        now = self.bench.cycles
        sample = self.at_hand or self.loaded
        word, position = (self.words or sample.words)[0] if sample else (0, None)
        take = position is not None and not (
            position.last_plane
            and (now < self.may_end or (position.first_chunk and now < self.may_end_first))
        )
        self.bench.pins["word"] = word if take else random.getrandbits(self.build.lanes)
        await self.bench.cycle()
        ports, where = self.ports, f"cycle {now}"
        assert ports.next == take, where
        assert ports.busy == (sample is not None), where
        assert ports.finishing == (take and sample.last), where
        assert ports.sample_done == (take and position.last_word and position.last_head), where
        frees = take and position.sign and position.last_chunk and (position.number or not self.pair)
        ready = self.loaded is None
        assert ports.sample__ready == ready, where
        ending = self.ends.popleft() if self.ends and self.ends[0][0] == now else None
        assert self.gradient.ends == (ending is not None), where
        if ending is not None:
            assert (self.gradient.chunk, self.gradient.last_chunk) == ending[1:3], where
            assert not self.active or self.gradient.active == ending[3], where
        if self.sums and self.sums[0][0] == now:
            self.accumulators = self.sums.popleft()[1]
        assert self.accumulators in (None, self.gradient.accumulators), where

        if take:
            self._taken(now, sample, position)
        if ready:
            self.loaded = self.offered.popleft() if ports.sample__valid else None
        elif frees:
            self.loaded = None

    def _taken(self, now: int, sample: Sample, position: Position) -> None:
        if self.at_hand is None:
            self.at_hand, self.words = sample, deque(sample.words)
        self.words.popleft()
        if position.last_plane:
            chunk = position.chunk % len(sample.gradients)
            self.sums.append((now + 3, self._packed(sample.gradients[chunk])))
            # What a block RAM gives of a word that is being written is undefined.
            read = now + self.fast_memory
            assert sample.first or read > self.written[position.chunk], f"cycle {now}: read too early"
            self.written[position.chunk] = now + 3
            if position.first_chunk:
                self.may_end_first = now + self.turn
            if sample.last:
                self.ends.append((now + 2, position.chunk, position.last_chunk, sample.active))
                self.may_end = now + self.build.lanes // self.build.update_lanes
        if position.last_word:
            self.at_hand = None

    async def reset(self) -> None:
        self.forget()
        self.bench.pins["rst"] = 1
        await self.bench.cycle()
        self.bench.pins["rst"] = 0

    async def until_idle(self, limit: int) -> None:
        start = self.bench.cycles
        while self.offered or self.loaded or self.at_hand or self.sums:
            assert self.bench.cycles - start < limit, f"busy for {limit} cycles"
            await self.cycle()

    async def begin(self, run: PlaneRun) -> None:
        self.pair = run.transcoded and run.m == 2
        self.bench.pins["run"] = run.word()
        await self.cycle()


@cocotb.test()
async def mini_batches(dut):
    """Runs behind each other, samples back to back or with gaps, some cut short by a reset."""
    bench = Bench(dut)
    await bench.reset()
    for _ in range(150):
        run = random_plane_run(bench.build)
        await bench.begin(run)
        words = run.heads * run.chunks * run.planes
        samples = random_samples(run, max(1, min(3 * run.batch, random.randint(1, 12), 150 // words)))
        bench.source.stall = random.choice([0, 0, 0.5, 0.9])
        for sample in samples:
            bench.offer(sample)
        limit = 20 * (len(samples) + 1) * (run.chunks * run.planes + bench.build.lanes)
        if random.random() < 0.2:
            for _ in range(random.randint(1, len(samples) * run.chunks * run.planes)):
                await bench.cycle()
            await bench.reset()
        else:
            await bench.until_idle(limit)


@cocotb.test()
async def largest(dut):
    """Full mini-batches of samples, deltas and values at their ends."""
    bench = Bench(dut)
    await bench.reset()
    build = bench.build
    for sign in (-1, 1):
        for m in range(3):
            run = PlaneRun(build, build.lanes, build.p_max, m, one_sided=sign > 0, batch=build.max_batch)
            await bench.begin(run)
            for sample in random_samples(run, 2 * run.batch, sign):
                bench.offer(sample)
            await bench.until_idle(4000)
