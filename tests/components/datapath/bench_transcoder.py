"""cocotb: planes of levels from a table, against a model of when each comes."""

import random
from collections import deque
from dataclasses import replace
from functools import partial
from itertools import chain

import cocotb
import numpy as np
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, plane_words, random_codes, random_plane_run, weighted

from zipsgd.golden.levels import LevelTable, table_words, transcode
from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.transcoder import Transcoder
from zipsgd_sim.stream_bench import StreamBench

_SMALL = {"replay_words": 64, "update_lanes": 4}
_BUILDS = {
    "levels17": Build(**_SMALL, lanes=4, max_features=12, level_bits=3, level_p_max=4),
    "levels2-one-chunk": Build(**_SMALL, lanes=8, max_features=8, level_bits=4, level_p_max=0),
    "wide": Build(**_SMALL, lanes=64, max_features=128, level_bits=4, level_p_max=1),
}

BENCH = ComponentBench(
    (Transcoder,),
    "zipsgd.golden.levels.transcode and table_words",
    tuple(Case(name, partial(Transcoder, build), {"case": name}) for name, build in _BUILDS.items()),
)


class Model:
    """Where the words of each chunk are, cycle by cycle: collected, sent, and in the registers behind."""

    def __init__(self, run: PlaneRun, wire_planes: int) -> None:
        self.run = run
        self.wire_planes = wire_planes
        self.chunks: deque[list[int]] = deque()  # what becomes of each one that comes
        self.collected = 0
        self.whole: list[int] | None = None
        self.sent: deque[int] = deque()
        self.stages: list[int | None] = [None] * 3  # looked up, settled, at the output

    @property
    def idle(self) -> bool:
        return not self.chunks and self.whole is None and not self.sent and self.stages == [None] * 3

    def ready(self, taken: bool) -> bool:
        flows = self.stages[2] is None or taken
        return flows if not self.run.transcoded else self.whole is None or self._moves(flows)

    def _moves(self, flows: bool) -> bool:
        return self.whole is not None and (not self.sent or (flows and len(self.sent) == 1))

    def advance(self, word: int | None, taken: bool) -> None:
        """``word``: taken at the input; ``taken``: whether the output's is."""
        flows = self.stages[2] is None or taken
        if not self.run.transcoded:
            if flows:
                self.stages[2] = word
            return
        moves = self._moves(flows)
        if flows:
            self.stages = [self.sent.popleft() if self.sent else None, *self.stages[:2]]
        if moves:
            self.sent, self.whole = deque(self.whole), None
        if word is not None:
            self.collected += 1
            if self.collected == self.wire_planes:
                self.collected, self.whole = 0, self.chunks.popleft()


def random_table(features: int, p: int, bits: int) -> LevelTable:
    limit = 1 << (bits - 1)
    levels = [sorted(weighted(-limit, limit - 1) for _ in range((1 << p) + 1)) for _ in range(features)]
    return LevelTable(np.array(levels, dtype=np.int16), bits)


class Bench:
    """Checks both ends of both streams in every cycle."""

    def __init__(self, dut) -> None:
        self.build = _BUILDS[str(cocotb.plusargs["case"])]
        self.planes_room = 1 << (self.build.level_bits - 1).bit_length()
        self.bench = StreamBench(dut)
        self.source = self.bench.source("input", junk=True)
        self.sink = self.bench.sink("output")
        self.input, self.output = (
            Ports(dut, "valid", "ready", "payload", prefix=f"{name}__") for name in ("input", "output")
        )

    async def reset(self) -> None:
        self.source.queue.clear()
        self.bench.pins |= {"rst": 1, "level_window__valid": 0}
        await self.bench.cycle()
        self.bench.pins["rst"] = 0

    async def write(self, words: dict[int, int]) -> None:
        """Words of the table by their place, in any order; none is written of what is shown in between."""
        part = min(self.build.lanes, 32)
        for offset in random.sample(list(words), len(words)):
            junk = random.getrandbits(32) >> part << part
            self.bench.pins |= {
                "level_window__valid": 1,
                "level_window__payload": offset | (words[offset] ^ junk) << 16,
            }
            await self.bench.cycle()
            if random.random() < 0.1:
                other = random.randrange(self.build.level_words) | random.getrandbits(32) << 16
                self.bench.pins |= {"level_window__valid": 0, "level_window__payload": other}
                await self.bench.cycle()
        self.bench.pins |= {"level_window__valid": 0, "level_window__payload": random.getrandbits(48)}

    async def write_table(self, table: LevelTable) -> None:
        """What the run needs of it; some of the other words are random."""
        part = min(self.build.lanes, 32)
        parts = self.build.lanes // part
        used, other = {}, {}
        for offset, word in enumerate(table_words(table, self.build)):
            row, level = divmod(offset // parts, self.build.level_rows)
            needed = level < table.values.shape[1] and row % self.planes_room < table.bits
            (used if needed else other)[offset] = word if needed else random.getrandbits(part)
        await self.write(used | dict(random.sample(list(other.items()), len(other) // 8)))

    async def cycle(self, model: Model) -> None:
        await self.bench.cycle()
        where = f"cycle {self.bench.cycles} of {model.run}"
        word = model.stages[2]
        assert self.output.valid == (word is not None), where
        assert word is None or self.output.payload == word, where
        taken = word is not None and bool(self.output.ready)
        ready = model.ready(taken)
        assert self.input.ready == ready, where
        model.advance(self.input.payload if ready and self.input.valid else None, taken)

    async def run(self) -> None:
        run = random_plane_run(self.build, transcoded=random.random() < 0.8)
        p = weighted(0, self.build.level_p_max)
        m = run.m or int(p == 0)
        run = replace(run, m=m) if run.transcoded else run
        model = Model(run, p + m)
        wire = {"wire_base_planes": p, "wire_last_plane": p + m - 1}
        if not run.transcoded:
            wire = {name: random.getrandbits(3) for name in wire}
        self.bench.pins |= {"run": run.word()} | wire
        count = random.randint(1, 6)
        if run.transcoded:
            table = random_table(run.features, p, run.p)
            await self.write_table(table)
            codes = random_codes(run.features, p, m, count)
            for words in plane_words(transcode(codes, table), self.build.lanes):
                model.chunks += [
                    words[place : place + run.planes] for place in range(0, len(words), run.planes)
                ]
        else:
            codes = random_codes(run.features, run.p, run.m, count)
        words = list(chain(*plane_words([codes], self.build.lanes)))
        await self.cycle(model)
        self.source.queue += words
        self.source.stall, self.sink.stall = (random.choice([0, 0, 0.3, 0.7]) for _ in range(2))
        aborted = random.random() < 0.25
        limit = 40 * (count * run.chunks * run.planes + len(words)) + 200
        for number in range(random.randint(1, len(words)) if aborted else limit):
            if not self.source.queue and model.idle:
                break
            assert number < limit - 1, f"busy for {limit} cycles: {run}"
            await self.cycle(model)
        if aborted:
            await self.reset()


@cocotb.test()
async def samples(dut):
    """Runs behind each other, with and without levels and stalls, and some cut short by a reset."""
    bench = Bench(dut)
    await bench.reset()
    await bench.write({offset: random.getrandbits(32) for offset in range(bench.build.level_words)})
    for _ in range(60):
        await bench.run()
