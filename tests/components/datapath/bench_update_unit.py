"""cocotb: updates as near to each other as the gradient unit sends them, and the model's window, against the golden model."""

import random
from dataclasses import replace

import cocotb
import numpy as np
from builds import build_case, case_build, is_fast, pack
from component_bench import ComponentBench
from timeline import Timeline
from update_runs import Batch, OneDraw, UpdateRun, draw_gradient, draw_run

from zipsgd.golden.diagonal import NO_GROWTH, Turns, grown
from zipsgd.golden.lfsr import Lfsr
from zipsgd.golden.prox import NO_PROX, Phases, apply_prox
from zipsgd.golden.update import update
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS, SHRINK_SHIFT_MAX, VARIANCE_BITS
from zipsgd.protocol.registers import WINDOW_OFFSET_BITS
from zipsgd.protocol.run import Flag
from zipsgd_hw.datapath.bundles import tells_active
from zipsgd_hw.datapath.model_norms import ModelNorms
from zipsgd_hw.datapath.model_window import ModelWindow
from zipsgd_hw.datapath.proximal_step import ProximalStep
from zipsgd_hw.datapath.update_unit import UpdateUnit
from zipsgd_sim.stream_bench import StreamBench


def _fast(build: Build) -> UpdateUnit:
    return UpdateUnit(build, fast_memory=True)


BENCH = ComponentBench(
    (UpdateUnit, ModelWindow),
    "zipsgd.golden.update.update, with zipsgd.golden.prox and zipsgd.golden.diagonal",
    (
        # Rounding takes a mini-batch's largest sum beyond the accumulators' range
        build_case(
            "plain", UpdateUnit, lanes=4, update_lanes=1, max_features=12, max_batch=2, gradient_bits=14
        ),
        build_case("heads", UpdateUnit, lanes=4, update_lanes=4, max_features=20, max_batch=4, heads=3),
        build_case("ball", UpdateUnit, lanes=4, update_lanes=4, max_features=12, max_batch=4, prox=1, ball=1),
        build_case("diagonal", UpdateUnit, lanes=4, update_lanes=2, max_features=12, max_batch=4, diagonal=1),
        build_case(
            "fast-diagonal", _fast, fast=1, lanes=4, update_lanes=1, max_features=12, max_batch=4, diagonal=1
        ),
        # With eight heads, a mini-batch's first update comes right behind the last one of the mini-batch before
        build_case(
            "prox-heads",
            UpdateUnit,
            lanes=4,
            update_lanes=2,
            max_features=64,
            max_batch=4,
            heads=8,
            prox=1,
            q3_bits=10,
            model_bits=20,
            gradient_bits=16,
        ),
        build_case(
            "all-heads",
            UpdateUnit,
            lanes=4,
            update_lanes=2,
            max_features=64,
            max_batch=4,
            heads=8,
            hinge=1,
            prox=1,
            diagonal=1,
        ),
    ),
)

_TURN = 15
"""Fewest cycles from the write that completes a head's model to its next update: through the dot product of a sample of one
plane, the loss unit and the gradient unit."""


class Model:
    """What the unit does, row by row, written down in a timeline."""

    def __init__(self, build: Build, bench: StreamBench, timeline: Timeline) -> None:
        self.build = build
        self.timeline = timeline
        self.run = UpdateRun(1, 1, NO_PROX, NO_GROWTH)
        fast = is_fast()
        self._latency = UpdateUnit.latency(build, fast_memory=fast)
        self._norms_latency = ModelNorms.latency(build)
        self._steps = build.lanes // build.update_lanes
        self._waits = int(build.diagonal and not fast)
        self._growth_stages = self._waits + 1 if build.diagonal else 0
        self._stages = self._growth_stages + (ProximalStep.latency if build.prox else 0)
        self._words = np.zeros(build.max_features, dtype=np.int64)
        self._memory = np.zeros(build.max_features, dtype=np.int64)
        self._written: list[tuple[int, int, np.ndarray]] = []
        self._chain: list[int] = []
        self._lfsr = Lfsr([1])
        self._phases = Phases()
        self._turns = Turns(NO_GROWTH)
        self._inward = 0
        self._requests = bench.source("model_window__read")
        self._answers = bench.sink("model_window__data")
        self.grew = 0

    # The window

    async def write(self) -> None:
        """A model with words at the ends of their range, and words behind the memory's end, which must not come back."""
        build, timeline = self.build, self.timeline
        top = 1 << (build.model_bits - 1)
        lanes = build.update_lanes
        room = build.chunks(self.run.features) * build.lanes
        memory = np.zeros(build.max_features, dtype=np.int64)
        for head in range(self.run.heads):
            for feature in range(self.run.features):
                edge = random.choice([top - 1, -top, top - 1 - random.getrandbits(build.q3_drop), 0])
                word = random.choice([edge, random.randrange(-top, top), random.getrandbits(8) - 128])
                memory[head * room + feature] = word
        rows = [(row * lanes, memory[row * lanes :][:lanes]) for row in range(memory.size // lanes)]
        beyond = [memory.size, memory.size + lanes, 2 * memory.size, 1 << WINDOW_OFFSET_BITS - 1]
        beyond += [(1 << memory.size.bit_length()) + lanes, (1 << WINDOW_OFFSET_BITS) - lanes]
        for offset in beyond:
            rows.append((offset // lanes * lanes, np.array([random.randrange(-top, top)] * lanes)))
        random.shuffle(rows)
        rows.append(rows.pop(next(i for i, (offset, _) in enumerate(rows) if offset < memory.size)))
        at = timeline.now
        stall = random.choice([0.0, 0.4])
        for offset, row in rows:
            for place, word in enumerate(row):
                while random.random() < stall:
                    at += 1
                payload = offset + place | (int(word) & 0xFFFF_FFFF) << WINDOW_OFFSET_BITS
                timeline.drive(at, model_window__write__valid=1, model_window__write__payload=payload)
                timeline.due(at, model_window__write__ready=1)
                at += 1
        self._memory = memory
        # The last row is asked for as its last word comes, or right behind it
        await timeline.run(at - random.choice([0, 1]))
        await self._read_word(rows[-1][0] + random.randrange(lanes))

    async def write_variances(self) -> None:
        timeline, top = self.timeline, (1 << VARIANCE_BITS) - 1
        at = timeline.now
        for place in random.sample(range(self.build.max_features), self.build.max_features):
            word = self._words[place] = random.choice([0, top, random.randint(0, top)])
            timeline.drive(
                at, variance_window__valid=1, variance_window__payload=place | word << WINDOW_OFFSET_BITS
            )
            at += random.choice([1, 1, 2])
        await timeline.run(at)

    async def read(self) -> None:
        """All words in any order, and as fast as they come where the reader is."""
        self._answers.stall = random.choice([0.0, 0.0, 0.5])
        for place in random.sample(range(self.build.max_features), self.build.max_features):
            await self._read_word(place)
        self._answers.stall = 0.0

    async def _read_word(self, place: int) -> None:
        timeline = self.timeline
        self._requests.queue.append(place)
        limit = timeline.now + 7 + place % self.build.update_lanes + (40 if self._answers.stall else 0)
        while self._requests.queue:
            assert timeline.now < limit, f"word {place} of the window does not come in time"
            await timeline.run(timeline.now + 1)
            assert len(self._answers.got) == (not self._requests.queue), "a word for each request"
        wanted = int(self._memory[place]) & 0xFFFF_FFFF
        got = self._answers.got.pop()
        assert got == wanted, f"word {place} of the window is {got:#x} and not {wanted:#x}"

    async def break_off_reading(self) -> None:
        self._requests.queue.append(random.randrange(self.build.max_features))
        await self.timeline.run(self.timeline.now + random.randint(1, 6))
        self._requests.queue.clear()
        await self.reset()
        self._answers.got.clear()  # a word may come in the very cycle of the reset

    # Updates

    def seed(self, at: int) -> int:
        """Seeds all lanes; gives the cycle behind that."""
        chain = [int(word) for word in self._lfsr.state] if self._chain else []
        for _ in range(self.build.update_lanes):
            word = random.randrange(1, 1 << LFSR_BITS)
            self.timeline.drive(at, seed__valid=1, seed__payload=word)
            if chain:
                self.timeline.due(at, seed_next__payload=chain.pop())
                chain.insert(0, word)
            self._chain.insert(0, word)
            at += random.choice([1, 1, 3])
        self._chain = self._chain[: self.build.update_lanes]
        self.timeline.due(at, seed_next__payload=self._chain[-1])
        self._lfsr = Lfsr(self._chain)
        return at + 1

    def load(self, at: int) -> list[int]:
        """Renews Q3; gives the cycles in which each head's is there."""
        timeline = self.timeline
        timeline.drive(at, load=1)
        timeline.change(at + 1, "loading", lambda _: 1)
        self._phases = Phases()
        self._turns = Turns(self.run.growth)
        count = self.run.heads * self.build.chunks(self.run.features)
        ends = [at + 1 + place * self._steps for place in range(count)]
        done = self._mini_batch(ends, None)
        timeline.change(done[-1] + 1, "loading", lambda _: 0)
        return done

    def batch(self, ends: list[int]) -> list[int]:
        """A mini-batch whose chunks end in these cycles; gives the cycles in which each head's new model is there."""
        build, run, timeline = self.build, self.run, self.timeline
        chunks = build.chunks(run.features)
        shape = (run.heads, run.features)
        accumulated = np.array([draw_gradient(build) for _ in range(run.heads * run.features)]).reshape(shape)
        # All samples are active for losses without a hinge
        active = [not tells_active(build) or random.random() < 0.7 for _ in range(run.heads)]
        shift, threshold = self._phases.next(run.prox, self._inward)
        for place, cycle in enumerate(ends):
            head, chunk = divmod(place, chunks)
            timeline.drive(
                cycle, gradient__ends=1, gradient__chunk=place, gradient__last_chunk=int(chunk == chunks - 1)
            )
            if tells_active(build):
                timeline.drive(cycle, gradient__active=int(active[head]))
            words = accumulated[head, chunk * build.lanes :][: build.lanes]
            for held in range(cycle + 1, cycle + 1 + self._steps):
                timeline.drive(held, gradient__accumulators=pack(words, build.accumulator_bits))
        return self._mini_batch(ends, Batch(accumulated, shift, threshold, self._turns.next(), active))

    def _mini_batch(self, ends: list[int], batch: Batch | None) -> list[int]:
        chunks = self.build.chunks(self.run.features)
        start = self._lfsr.state
        done = []
        for place, cycle in enumerate(ends):
            head, chunk = divmod(place, chunks)
            if chunk == 0:
                self._lfsr.state = start  # all heads draw the same
            for step in range(self._steps):
                self._row(cycle, place, head, chunk, step, batch)
            completed = cycle + self._latency
            self.timeline.due(completed, q3__done=1, q3__last=int(place == len(ends) - 1))
            if chunk == chunks - 1:
                done.append(completed)
        if self.build.ball:
            self._inward = random.choice([0, 0, 1, SHRINK_SHIFT_MAX, random.randint(1, SHRINK_SHIFT_MAX)])
            self.timeline.drive(done[-1] + self._norms_latency, inward=self._inward)
        return done

    def _row(
        self,
        ends: int,
        place: int,
        head: int,
        chunk: int,
        step: int,
        batch: Batch | None,
    ) -> None:
        build, timeline, features = self.build, self.timeline, self.run.features
        lanes = build.update_lanes
        bits = self._lfsr.draw()
        begin = chunk * build.lanes + step * lanes
        q3 = np.zeros(0, dtype=np.int64)
        written = ends + step + 4 + self._stages
        if begin < features:
            stop = min(begin + lanes, features)
            spares = self.run.prox.spare_last and stop == features
            prox = replace(self.run.prox, spare_last=spares)
            address = place * build.lanes + step * lanes
            row = slice(address, address + stop - begin)
            before = self._latest(row)
            if batch is None:
                master, q3, flags = update(before, np.zeros_like(before), OneDraw(bits), build)
            else:
                shift = self.run.growth.shift
                in_turn = (self._words[begin:stop] > batch.number) & batch.active[head] & (shift > 0)
                self.grew += int(in_turn.sum())
                master, q3, flags = update(
                    before,
                    batch.gradients[head, begin:stop],
                    OneDraw(bits),
                    build,
                    lambda x, draw: apply_prox(x, draw, batch.shift, batch.threshold, prox),
                    lambda x, draw: grown(x, draw, in_turn, shift),
                )
            self._written.append((written, address, master))
            shown = {
                Flag.GRADIENT: ends + step + 4 + self._waits,
                Flag.MODEL: ends + step + 5 + self._growth_stages,
                Flag.Q3: written + 1,
            }
            for flag, cycle in shown.items():
                if flags & flag:
                    timeline.change(cycle, "flags", lambda word, flag=flag: word | flag)
        words = [*q3, *[0] * (lanes - q3.size)]
        timeline.due(
            written,
            q3__write=1 << step,
            q3__chunk=place,
            q3__words=pack(words, build.q3_bits),
            model_window__write__ready=1,
        )

    def _latest(self, row: slice) -> np.ndarray:
        for _, address, words in reversed(self._written):
            if address == row.start:
                return words
        return self._memory[row].copy()

    def settle(self) -> None:
        """The rows whose writes have come are in memory; others never will be."""
        for cycle, address, words in self._written:
            if cycle < self.timeline.now:
                self._memory[address : address + words.size] = words
        self._written.clear()

    async def reset(self) -> None:
        await self.timeline.reset()
        self.settle()
        self._chain = []


@cocotb.test()
async def runs(dut):
    """Models written, trained and read; clears at times that know nothing of the work; some runs are broken off by a reset."""
    build = case_build()
    bench = StreamBench(dut)
    variances = ("variance_window__valid", "variance_window__payload") if build.diagonal else ()
    timeline = Timeline(
        bench,
        pulses=(
            "gradient__ends",
            "load",
            "clear",
            "seed__valid",
            "model_window__write__valid",
            *variances[:1],
        ),
        noise=(
            *("gradient__chunk", "gradient__last_chunk", "gradient__accumulators"),
            *("seed__payload", "model_window__write__payload"),
            *(() if build.ball else ("inward",)),
            *variances[1:],
            *(("gradient__active",) if tells_active(build) else ()),
        ),
        strobes=("q3__write", "q3__done"),
        levels=("loading", "flags"),
    )
    model = Model(build, bench, timeline)
    steps = build.lanes // build.update_lanes
    for number in range(8):
        run = model.run = draw_run(build, number)
        timeline.drive(timeline.now, run=run.bits(build))
        await model.write()
        if build.diagonal:
            await model.write_variances()
        if number % 4 == 1:
            await model.read()
            await model.break_off_reading()
        chunks = build.chunks(run.features)
        start = at = timeline.now + 1
        for _ in range(2):
            done = model.load(model.seed(at))
            at = done[-1] + 1
            gaps = [0] if number % 3 == 0 else [0, 0, 1, 2, 9]
            for _ in range(5):
                ends = []
                for place in range(run.heads * chunks):
                    if place % chunks == 0:
                        at = max(at, done[place // chunks] + _TURN)
                    at += random.choice(gaps)
                    ends.append(at)
                    at += steps
                done = model.batch(ends)
            at = done[-1] + 12
        chance = random.choice([0.0, 0.03, 0.3])
        for cycle in range(start, at):
            if random.random() < chance:
                timeline.drive(cycle, clear=1)
                timeline.clear(cycle + 1, "flags")
        if number % 4 == 2:
            await timeline.run(random.randint(start, at))
            await model.reset()
        else:
            await timeline.run(at)
            model.settle()
        await model.read()
    assert not build.diagonal or model.grew > 100
