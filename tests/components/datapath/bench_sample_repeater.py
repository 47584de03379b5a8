"""cocotb: samples and labels repeated for every head, while the next samples come in as long as there is room."""

import random
from collections import deque
from functools import partial
from itertools import chain

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, plane_words, random_parts, random_plane_run

from zipsgd.golden.loss import targets
from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.sample_repeater import SampleRepeater
from zipsgd_sim.stream_bench import StreamBench

_BUILDS = {
    "heads3": Build(lanes=4, update_lanes=4, max_features=48, replay_words=32, heads=3),
    "heads5-levels": Build(
        lanes=8, update_lanes=8, max_features=160, replay_words=32, heads=5, level_bits=4, level_p_max=1
    ),
}

BENCH = ComponentBench(
    (SampleRepeater,),
    "zipsgd.golden.loss.targets",
    tuple(Case(name, partial(SampleRepeater, build), {"case": name}) for name, build in _BUILDS.items()),
)


class Planes:
    """The words that came, how many the memory has given to the output's register, and the word there."""

    def __init__(self, run: PlaneRun) -> None:
        self.run = run
        self.size = run.chunks * run.planes
        self.heads = run.heads
        self.room = run.build.replay_words
        self.words: list[int] = []
        self.given = 0
        self.shown = False  # by the memory
        self.output: int | None = None

    @property
    def place(self) -> int:
        """Of the memory's next word among those that came."""
        sample, turn = divmod(self.given, self.size * self.heads)
        return sample * self.size + turn % self.size

    @property
    def waiting(self) -> int:
        """Words that are in memory."""
        sample, turn = divmod(self.given, self.size * self.heads)
        kept = self.place if turn >= self.size * (self.heads - 1) else sample * self.size
        return len(self.words) - kept

    def advance(self, came: int | None, ready: bool) -> None:
        """``came``: the word that the input has given; ``ready``: the output's may go."""
        if ready:
            self.output = None
        if self.shown and self.output is None:
            self.output = self.words[self.place]
            self.given += 1
        self.shown = self.place < len(self.words)
        if came is not None:
            self.words.append(came)


class Labels:
    """Labels that wait, those that the heads have yet to see, and after which of them the next one follows."""

    def __init__(self, run: PlaneRun, labels: np.ndarray) -> None:
        self.run = run
        self.left = deque((targets(labels, run.heads, run.one_against_all).ravel() & 0xFFFF).tolist())
        self.head = 0
        self.waiting = 0

    def advance(self, comes: bool, moves: bool) -> None:
        """Whether the input has given a label, and whether the output's was taken."""
        self.waiting += comes
        if moves:
            self.left.popleft()
            self.waiting -= not self.run.one_against_all or self.head == self.run.heads - 1
            self.head = (self.head + 1) % self.run.heads


class Bench:
    """Checks both ends of all streams in every cycle."""

    def __init__(self, dut) -> None:
        self.build = _BUILDS[str(cocotb.plusargs["case"])]
        self.bench = StreamBench(dut)
        self.sources = {name: self.bench.source(name, junk=True) for name in ("planes", "labels")}
        self.sinks = {name: self.bench.sink(f"repeated_{name}") for name in ("planes", "labels")}
        self.ends = {
            name: Ports(dut, "valid", "ready", "payload", prefix=f"{name}__")
            for name in ("planes", "labels", "repeated_planes", "repeated_labels")
        }

    async def reset(self) -> None:
        for source in self.sources.values():
            source.queue.clear()
        self.bench.pins["rst"] = 1
        await self.bench.cycle()
        self.bench.pins["rst"] = 0

    async def cycle(self, planes: Planes, labels: Labels) -> None:
        await self.bench.cycle()
        where = f"cycle {self.bench.cycles} of {planes.run}"
        source, sink = self.ends["planes"], self.ends["repeated_planes"]
        ready = source.ready
        assert ready == (planes.waiting < planes.room), where
        assert sink.valid == (planes.output is not None), where
        if sink.valid:
            assert sink.payload == planes.output, where
        planes.advance(source.payload if source.valid and ready else None, bool(sink.ready))

        source, sink = self.ends["labels"], self.ends["repeated_labels"]
        ready, moves = source.ready, sink.valid and sink.ready
        assert ready == (labels.waiting < SampleRepeater.most_labels(self.build)), where
        assert sink.valid == (labels.waiting > 0), where
        if sink.valid:
            assert sink.payload == labels.left[0], where
        labels.advance(bool(source.valid and ready), bool(moves))

    async def run(self, run: PlaneRun, abort: float) -> None:
        count = random.randint(1, 4)
        labels = self.random_labels(run, count)
        planes_model, labels_model = Planes(run), Labels(run, labels)
        for stream in (*self.sources.values(), *self.sinks.values()):
            stream.stall = random.choice([0, 0, 0.3, 0.7])
        self.bench.pins["run"] = run.word()
        await self.cycle(planes_model, labels_model)
        words = plane_words(random_parts(run, count), self.build.lanes)
        self.sources["planes"].queue += chain(*words)
        self.sources["labels"].queue += (labels.ravel() & 0xFFFF).tolist()
        total = count * len(words[0]) * run.heads
        if random.random() < abort:
            for _ in range(random.randint(1, total)):
                await self.cycle(planes_model, labels_model)
            await self.reset()
            return
        limit = self.bench.cycles + 50 * total + 200
        while (
            self.sources["planes"].queue
            or planes_model.waiting
            or planes_model.output is not None
            or labels_model.left
        ):
            assert self.bench.cycles < limit, f"not within the limit: {run}"
            await self.cycle(planes_model, labels_model)
        assert planes_model.given == total

    def random_labels(self, run: PlaneRun, count: int) -> np.ndarray:
        numbers = np.random.default_rng(random.getrandbits(32))
        if not run.one_against_all:
            return numbers.integers(-(1 << 15), 1 << 15, (count, run.heads))
        # Classes without a head, and numbers that differ in one bit from one that has
        labels = numbers.integers(-1, run.heads + 2, count)
        return labels ^ random.choice([0, 0, 0, 1 << random.randint(0, 14), -1 << 15])


@cocotb.test()
async def samples(dut):
    """Runs behind each other, with and without stalls, and some cut short by a reset."""
    bench = Bench(dut)
    await bench.reset()
    # The most words that the memory holds, for several heads
    await bench.run(PlaneRun(bench.build, 4 * bench.build.lanes, 8, 0, heads=bench.build.heads), 0)
    for _ in range(60):
        await bench.run(random_plane_run(bench.build), 0.3)
