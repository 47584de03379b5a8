"""cocotb: labels and plane words from woven samples, against a model of when each comes."""

import random
from collections import deque
from dataclasses import replace
from functools import partial

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, plane_words, random_codes, random_plane_run

from zipsgd.golden.quantise import Codes
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.sample_unpacker import SampleUnpacker
from zipsgd_sim.stream_bench import Sink, StreamBench

_BUILDS = {
    "half-bytes": Build(lanes=4, update_lanes=4, max_features=40, replay_words=64, heads=5),
    "bytes": Build(lanes=8, update_lanes=8, max_features=24, replay_words=32, polynomial=4),
    "four-bytes": Build(lanes=32, update_lanes=8, max_features=128, replay_words=32, heads=2, level_bits=3),
}

BENCH = ComponentBench(
    (SampleUnpacker,),
    "zipsgd.golden.weave.weave",
    tuple(Case(name, partial(SampleUnpacker, build), {"case": name}) for name, build in _BUILDS.items()),
)


class Model:
    """Which bytes are taken, and what is offered, cycle by cycle.

    ``steps``: of each step of the input what it gives (a label, a plane word, or None), the stream it waits for, and whether
    it takes a byte. Two half bytes are two steps.
    """

    def __init__(self) -> None:
        self.steps: deque[tuple[str, int | None, bool]] = deque()
        self.offered: dict[str, int | None] = {"labels": None, "planes": None}

    def add(self, run: PlaneRun, codes: Codes) -> list[int]:
        """Bytes of the samples, whose steps join the others."""
        lanes = run.build.lanes
        one = np.ascontiguousarray(codes.labels.reshape(len(codes.base), -1)).view(np.uint16).tolist()
        last_bytes = -(-(run.features % lanes) // 8) or lanes // 8
        for labels, words in zip(one, plane_words([codes], lanes), strict=True):
            self._label(labels[0])
            for number, word in enumerate(words):
                last_chunk = number // run.planes == run.chunks - 1
                if lanes < 8:
                    self.steps.append(("planes", word, bool(number % 2) or number == len(words) - 1))
                else:
                    for _ in range((last_bytes if last_chunk else lanes // 8) - 1):
                        self.steps.append(("planes", None, True))
                    self.steps.append(("planes", word, True))
            for label in labels[1:]:
                self._label(label)
        return list(weave(codes, lanes).tobytes())

    def _label(self, label: int) -> None:
        self.steps += [("", None, True), ("labels", label, True)]

    def ready(self, taken: dict[str, bool]) -> bool:
        if not self.steps:
            return True  # of a label's first byte
        name, _, whole = self.steps[0]
        return whole and self._free(name, taken)

    def _free(self, name: str, taken: dict[str, bool]) -> bool:
        return not name or self.offered[name] is None or taken[name]

    def advance(self, valid: bool, taken: dict[str, bool]) -> None:
        step = self.steps[0] if valid and self.steps else None
        moves = step is not None and self._free(step[0], taken)
        for name in self.offered:
            if taken[name]:
                self.offered[name] = None
        if moves:
            name, word, _ = self.steps.popleft()
            if word is not None:
                self.offered[name] = word


class Bench:
    """Checks both ends of all streams in every cycle."""

    def __init__(self, dut) -> None:
        self.build = _BUILDS[str(cocotb.plusargs["case"])]
        self.bench = StreamBench(dut)
        self.bytes = self.bench.source("bytes", junk=True)
        self.sinks: dict[str, Sink] = {name: self.bench.sink(name) for name in ("labels", "planes")}
        self.outputs = Ports(
            dut,
            *("bytes__valid", "bytes__ready", "labels__valid", "labels__payload", "labels__ready"),
            *("planes__valid", "planes__payload", "planes__ready"),
        )
        self.model = Model()

    async def cycle(self) -> None:
        await self.bench.cycle()
        outputs, model = self.outputs, self.model
        where = f"cycle {self.bench.cycles}"
        taken = {}
        for name in self.sinks:
            word = model.offered[name]
            assert getattr(outputs, f"{name}__valid") == (word is not None), f"{where}: {name}"
            if word is not None:
                assert getattr(outputs, f"{name}__payload") == word, f"{where}: {name}"
            taken[name] = word is not None and bool(getattr(outputs, f"{name}__ready"))
        assert outputs.bytes__ready == model.ready(taken), f"{where}: bytes"
        model.advance(bool(outputs.bytes__valid), taken)

    def waits(self) -> bool:
        """Whether a label or a plane waits."""
        return any(word is not None for word in self.model.offered.values())

    async def reset(self) -> None:
        self.bytes.queue.clear()
        self.bench.pins["rst"] = 1
        await self.bench.cycle()
        self.bench.pins["rst"] = 0
        self.model = Model()

    def random_run(self) -> tuple[PlaneRun, Codes]:
        run = random_plane_run(self.build, transcoded=False)
        if self.build.level_bits and run.m and random.random() < 0.3:
            run = replace(run, p=0)
        codes = random_codes(run.features, run.p, run.m, random.randint(1, 4))
        if run.heads > 1 and not run.one_against_all:
            numbers = np.random.default_rng(random.getrandbits(32))
            labels = numbers.integers(-(1 << 15), 1 << 15, (len(codes.labels), run.heads))
            codes = Codes(codes.base, codes.up, labels.astype(np.int16), codes.p, codes.m)
        return run, codes


@cocotb.test()
async def samples(dut):
    """Runs behind each other, with and without stalls, and some cut short by a reset."""
    bench = Bench(dut)
    await bench.reset()
    for _ in range(60):
        run, codes = bench.random_run()
        # What the core sees of a transcoded run does not matter here.
        levels = {"transcoded": random.getrandbits(1), "last_base": random.getrandbits(3)}
        bench.bench.pins["run"] = run.word(**levels)
        for stream in (bench.bytes, *bench.sinks.values()):
            stream.stall = random.choice([0, 0, 0.3, 0.8])
        data = bench.model.add(run, codes)
        bench.bytes.queue += data
        aborted = random.random() < 0.3
        if aborted:
            for _ in range(random.randint(1, len(data))):
                await bench.cycle()
            await bench.reset()
        else:
            limit = bench.bench.cycles + 100 * len(data)
            while bench.bytes.queue or bench.waits():
                assert bench.bench.cycles < limit, f"{len(bench.bytes.queue)} bytes are left"
                await bench.cycle()
