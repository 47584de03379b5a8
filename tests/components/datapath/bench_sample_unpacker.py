"""cocotb: labels and plane words from woven samples in words of any size, in order, unchanged while they wait, and in time."""

import random
from dataclasses import replace
from functools import partial

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import plane_words, random_codes, random_plane_run

from zipsgd.golden.quantise import Codes, level_offset
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout
from zipsgd_hw.datapath.byte_funnel import ByteFunnel
from zipsgd_hw.datapath.sample_unpacker import SampleUnpacker
from zipsgd_sim.stream_bench import Sink, StreamBench

_BUILDS = {
    "half-bytes": Build(lanes=4, update_lanes=4, max_features=40, replay_words=64, heads=5),
    "half-bytes-of-words": Build(lanes=4, update_lanes=4, max_features=40, replay_words=64, word_bytes=4),
    "bytes": Build(lanes=8, update_lanes=8, max_features=24, replay_words=32, polynomial=4),
    "bytes-of-words": Build(lanes=8, update_lanes=8, max_features=24, replay_words=32, word_bytes=2, heads=3),
    "four-bytes": Build(lanes=32, update_lanes=8, max_features=128, replay_words=32, heads=2, level_bits=3),
    "narrow-words": Build(
        lanes=64, update_lanes=8, max_features=256, replay_words=32, heads=2, level_bits=3, word_bytes=2
    ),
    "equal-words": Build(lanes=32, update_lanes=8, max_features=128, replay_words=32, heads=2, word_bytes=4),
    "wide-words": Build(
        lanes=16, update_lanes=8, max_features=64, replay_words=32, heads=2, level_bits=3, word_bytes=8
    ),
}

BENCH = ComponentBench(
    (SampleUnpacker, ByteFunnel),
    "zipsgd.golden.weave.weave",
    tuple(Case(name, partial(SampleUnpacker, build), {"case": name}) for name, build in _BUILDS.items()),
)

_FILLING = 8
"""Cycles that a run may take besides those that its labels and planes need."""


class _Samples:
    """Samples of a run on the wire, and what the unpacker makes of them."""

    def __init__(self, build: Build) -> None:
        self.build = build
        run = random_plane_run(build, transcoded=False)
        if build.level_bits and run.m and random.random() < 0.3:
            run = replace(run, p=0)
        self.intercept = random.random() < 0.6
        if self.intercept and random.random() < 0.3:  # alone in its chunk
            run = replace(run, features=(run.chunks - 1) * build.lanes + 1)
        self.run = run
        own = run.heads > 1 and not run.one_against_all
        self.form = LabelForm.WORD if own else random.choice(list(LabelForm))
        labels = run.heads if own else 1
        self.layout = SampleLayout(run.features, run.p, run.m, build.lanes, labels, self.intercept, self.form)
        self.codes = self._codes(random.choice([1, 2, 3, 4, 24]))
        self.data = weave(self.codes, self.layout).tobytes()

    def _codes(self, count: int) -> Codes:
        run, numbers = self.run, np.random.default_rng(random.getrandbits(32))
        codes = random_codes(run.features, run.p, run.m, count)
        if self.intercept:
            codes.base[:, -1] = max(0, level_offset(run.p) - 1)
            codes.up[:, -1] = (1 << run.m) - 1
        labels = codes.labels
        match self.form:
            case LabelForm.BYTE:
                labels = labels & 0xFF
            case LabelForm.SIGN:
                labels = np.where(numbers.random(count) < 0.5, LABEL_ONE, -LABEL_ONE)
            case LabelForm.WORD if self.layout.labels > 1:
                labels = numbers.integers(-(1 << 15), 1 << 15, (count, self.layout.labels))
        return Codes(codes.base, codes.up, labels.astype(np.int16), codes.p, codes.m)

    def word(self) -> int:
        """The value of the ``run`` port."""
        return self.run.word(
            intercept=int(self.intercept),
            label_form=int(self.form),
            base_sent=int(self.run.p > 0),
            # What the core sees of a transcoded run does not matter here
            transcoded=random.getrandbits(1),
            last_base=random.getrandbits(3),
        )

    def words(self, partly: float) -> list[int]:
        """The input: words, of which a share ``partly`` is not full."""
        size, words, at = self.build.word_bytes, [], 0
        while at < len(self.data):
            count = random.randint(1, size) if random.random() < partly else size
            part = self.data[at : at + count]
            at += len(part)
            junk = random.getrandbits(8 * size) << 8 * len(part) & ((1 << 8 * size) - 1)
            words.append(junk | int.from_bytes(part, "little") | len(part) - 1 << 8 * size)
        return words

    def expected(self) -> dict[str, list[int]]:
        """Labels and planes, in order."""
        planes = [word for sample in plane_words([self.codes], self.build.lanes) for word in sample]
        return {"labels": self.codes.labels.view(np.uint16).ravel().tolist(), "planes": planes}

    def cycles(self) -> int:
        """Cycles that the samples take where nothing waits: those of planes, and of labels that do not come beside a plane."""
        run, layout, most = self.run, self.layout, SampleUnpacker.most_bytes(self.build)
        full = max(1, self.build.lanes // 8)
        chunk_bytes = [full] * (run.chunks - 1) + [max(1, layout.last_bytes)]
        planes = sum(-(-count // most) for count in chunk_bytes) * run.planes
        label = -(-layout.label_bytes // most)
        samples, labels = len(self.codes.base), layout.labels * label
        # In words of most bytes from its first one on, does the last plane end with room for a label?
        unused = -layout.last_bytes % most
        if most > 1 and unused + most * (layout.last_bytes == 0) >= layout.label_bytes and planes > 1:
            behind = samples - (layout.labels == 1)  # the first sample's label has no plane before it
            return samples * (planes + labels) - behind * label
        return samples * (planes + labels)


class Bench:
    """Checks that what waits does not change, and keeps what was taken."""

    def __init__(self, dut) -> None:
        self.build = _BUILDS[str(cocotb.plusargs["case"])]
        self.dut = dut
        self.bench = StreamBench(dut)
        self.input = self.bench.source("input", junk=True)
        self.sinks: dict[str, Sink] = {name: self.bench.sink(name) for name in ("labels", "planes")}
        self.waiting: dict[str, int | None] = dict.fromkeys(self.sinks)

    async def cycle(self) -> None:
        await self.bench.cycle()
        for name, before in self.waiting.items():
            valid, ready, payload = (
                int(getattr(self.dut, f"{name}__{port}").value) for port in ("valid", "ready", "payload")
            )
            if before is not None:
                assert valid, f"cycle {self.bench.cycles}: {name}: {before:x} waits no longer"
                assert payload == before, (
                    f"cycle {self.bench.cycles}: {name}: {before:x} has become {payload:x}"
                )
            self.waiting[name] = payload if valid and not ready else None

    async def reset(self) -> None:
        self.input.queue.clear()
        self.bench.pins["rst"] = 1
        await self.bench.cycle()
        self.bench.pins["rst"] = 0
        for name, sink in self.sinks.items():
            sink.got.clear()
            self.waiting[name] = None

    def check(self, expected: dict[str, list[int]], where: str) -> None:
        """What has come is the beginning of what is expected, or all of it."""
        for name, sink in self.sinks.items():
            assert sink.got == expected[name][: len(sink.got)], f"{where}: {name}"

    def done(self, expected: dict[str, list[int]]) -> bool:
        return all(len(sink.got) == len(expected[name]) for name, sink in self.sinks.items())


@cocotb.test()
async def samples(dut):
    """Runs behind each other, with and without stalls, and some cut short by a reset."""
    bench = Bench(dut)
    await bench.reset()
    for number in range(100):
        given = _Samples(bench.build)
        bench.bench.pins["run"] = given.word()
        streams = (bench.input, *bench.sinks.values())
        stalls = random.random() < 0.6
        for stream in streams:
            stream.stall = random.choice([0, 0.3, 0.8]) if stalls else 0
        partly = random.choice([0, 0, 0.2, 1])
        bench.input.queue += given.words(partly)
        expected, where = given.expected(), f"run {number}, {given.layout}, of words {partly} not full"
        begun = bench.bench.cycles
        if random.random() < 0.3:
            for _ in range(random.randint(1, len(given.data))):
                await bench.cycle()
            bench.check(expected, where)
            await bench.reset()
            continue
        limit = 100 * len(given.data) + 100 if stalls or partly else given.cycles() + _FILLING
        while not bench.done(expected):
            got = {name: f"{len(sink.got)} of {len(expected[name])}" for name, sink in bench.sinks.items()}
            assert bench.bench.cycles - begun < limit, f"{where}: {got} in {limit} cycles"
            await bench.cycle()
        bench.check(expected, where)
        for stream in streams:
            stream.stall = 0
        for _ in range(3):
            await bench.cycle()
        assert bench.done(expected), f"{where}: more than there is"
        assert not bench.input.queue, f"{where}: words are left"
        for sink in bench.sinks.values():
            sink.got.clear()
