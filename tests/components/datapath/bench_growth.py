"""cocotb: turns and growth against their golden functions, mini-batches without a gap between them."""

import random
from dataclasses import dataclass, field

import cocotb
import numpy as np
from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from builds import build_case, case_build, is_fast, pack, run_bits
from component_bench import ComponentBench

from zipsgd.golden.diagonal import Growth, Turns, grown
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS, RANGE_BITS, SHRINK_SHIFT_MAX, VARIANCE_BITS
from zipsgd.protocol.registers import WINDOW_OFFSET_BITS
from zipsgd_hw.datapath.config import run_layout
from zipsgd_hw.datapath.growth_step import GrowthStep
from zipsgd_hw.datapath.growth_turns import GrowthTurns
from zipsgd_hw.windows import WriteWindow
from zipsgd_sim.stream_bench import StreamBench


class TurnsAndSteps(wiring.Component):
    """The turns, and a step for each lane."""

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._turns = GrowthTurns(build)
        self._steps = [GrowthStep(build, fast_memory=fast_memory) for _ in range(build.update_lanes)]

        def of_lanes(name: str) -> data.ArrayLayout:
            return data.ArrayLayout(getattr(self._steps[0], name).shape(), build.update_lanes)

        super().__init__(
            {
                "run": In(run_layout(build)),
                "restart": In(1),
                "row": In(self._turns.row.shape()),
                "grows": In(1),
                "next": In(1),
                "variance_window": In(WriteWindow),
                **{name: In(of_lanes(name)) for name in ("bits", "x", "stepped")},
                "mask": Out(SHRINK_SHIFT_MAX),
                "y": Out(of_lanes("y")),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.turns = turns = self._turns
        connect(m, flipped(self.variance_window), turns.variance_window)
        m.d.comb += [turns.run.eq(self.run), self.mask.eq(turns.mask)]
        m.d.comb += [
            getattr(turns, name).eq(getattr(self, name)) for name in ("restart", "row", "grows", "next")
        ]
        for lane, step in enumerate(self._steps):
            m.submodules[f"step{lane}"] = step
            m.d.comb += [
                step.run.eq(self.run),
                step.mask.eq(turns.mask),
                step.in_turn.eq(turns.in_turn[lane]),
                step.bits.eq(self.bits[lane]),
                step.x.eq(self.x[lane]),
                step.stepped.eq(self.stepped[lane]),
                self.y[lane].eq(step.y),
            ]
        return m


def _fast(build: Build) -> TurnsAndSteps:
    return TurnsAndSteps(build, fast_memory=True)


BENCH = ComponentBench(
    (GrowthTurns, GrowthStep),
    "zipsgd.golden.diagonal.Turns, zipsgd.golden.diagonal.grown",
    (
        build_case("lanes", TurnsAndSteps, lanes=4, update_lanes=4, max_features=20, diagonal=1),
        build_case("fast", _fast, fast=1, lanes=4, update_lanes=2, max_features=20, diagonal=1),
        # A model of fewer bits than the largest shift drops
        build_case(
            "one-lane",
            TurnsAndSteps,
            lanes=4,
            update_lanes=1,
            max_features=8,
            diagonal=1,
            model_bits=12,
            q3_bits=6,
            delta_bits=8,
            gradient_bits=8,
        ),
    ),
)

_APART = 3
"""Fewest cycles from one mini-batch's last row to the next one's."""


def random_growth() -> Growth:
    """Ranges below the words, above all of them, and one; strides at their ends."""
    size = random.choice(
        [1, 2, 1 << VARIANCE_BITS, (1 << RANGE_BITS) - 1, random.randint(1, 1 << random.randint(1, 23))]
    )
    return Growth(
        random.choice([0, 1, 2, SHRINK_SHIFT_MAX, random.randint(1, SHRINK_SHIFT_MAX)]),
        size,
        random.choice([0, size - 1, random.randrange(size)]),
        random.choice([0, size - 1, random.randrange(size)]),
    )


@dataclass
class Row:
    """What goes in for a row of features, and what is to come of it."""

    place: int
    grows: bool
    last: bool
    bits: list[int] = field(default_factory=list)
    x: list[int] = field(default_factory=list)
    stepped: list[int] = field(default_factory=list)
    y: list[int] = field(default_factory=list)

    def draw(self, build: Build, words: np.ndarray, growth: Growth, number: int) -> int:
        """Draws the values; returns how many of them grow."""
        lanes = build.update_lanes
        top = 1 << (build.model_bits - 1)
        step = 1 << (build.gradient_bits - 1 + build.gradient_shift)
        self.x = [
            random.choice([top - 1, -top, 0, 1, -1, random.randrange(-top, top), random.randint(-99, 99)])
            for _ in range(lanes)
        ]
        steps = [random.choice([step, -step, random.randint(-step, step)]) for _ in range(lanes)]
        self.stepped = [x - taken for x, taken in zip(self.x, steps, strict=True)]
        self.bits = [
            random.choice([0, (1 << LFSR_BITS) - 1, random.getrandbits(LFSR_BITS)]) for _ in range(lanes)
        ]
        own = words[self.place * lanes :][:lanes]
        in_turn = (own > number) & self.grows & (growth.shift > 0)
        more = grown(np.array(self.x), np.array(self.bits), in_turn, growth.shift)
        self.y = (np.array(self.stepped) + more).tolist()
        return int(in_turn.sum())


async def write_words(bench: StreamBench, build: Build, number: int) -> np.ndarray:
    """Variances at the ends of their range and next to ``number``; words behind the memory's end, which must go nowhere."""
    top = (1 << VARIANCE_BITS) - 1
    words = np.array(
        [
            min(top, max(0, random.choice([0, top, number - 1, number, number + 1, random.randint(0, top)])))
            for _ in range(build.max_features)
        ]
    )
    beyond = [build.max_features, 2 * build.max_features, 1 << build.max_features.bit_length()]
    beyond += [(1 << WINDOW_OFFSET_BITS) - 1, 1 << WINDOW_OFFSET_BITS - 1]
    writes = [*enumerate(words.tolist()), *((place, random.randint(0, top)) for place in beyond)]
    random.shuffle(writes)
    for place, word in writes:
        junk = random.getrandbits(32 - VARIANCE_BITS) << VARIANCE_BITS
        bench.pins["variance_window__valid"] = 1
        bench.pins["variance_window__payload"] = place | (junk | word) << WINDOW_OFFSET_BITS
        await bench.cycle()
        bench.pins["variance_window__valid"] = 0
        bench.pins["variance_window__payload"] = random.getrandbits(32 + WINDOW_OFFSET_BITS)
        while random.random() < 0.2:
            await bench.cycle()
    return words


def random_rows(build: Build, words: np.ndarray, growth: Growth) -> tuple[list[Row | None], int]:
    """Rows of an epoch's mini-batches, a cycle each, and how many values grow. Some rows of loads come first."""
    turns = Turns(growth)
    rows: list[Row | None] = [None]
    count = build.max_features // build.update_lanes
    for _ in range(random.choice([0, 3])):
        rows.append(Row(random.randrange(count), False, False))
        rows[-1].draw(build, words, growth, 0)
    near = random.random() < 0.5
    last, seen = 0, 0
    for _ in range(random.choice([1, 5, 20])):
        number = turns.next()
        rows += [None] * (0 if near else random.choice([0, 0, 1, 4]))
        active = random.random() < 0.9
        for left in reversed(range(max(random.choice([1, 2, 7]), last + _APART + 1 - len(rows)))):
            row = Row(random.randrange(count), active, left == 0)
            seen += row.draw(build, words, growth, number)
            rows.append(row)
        last = len(rows) - 1
    return rows, seen


@cocotb.test()
async def values(dut):
    """Epochs of mini-batches of a few rows each, next to each other or apart."""
    build = case_build()
    lanes = build.update_lanes
    wide, narrow = build.model_bits + 1, build.model_bits
    bench = StreamBench(dut)
    bench.pins.update(run=0, restart=0, row=0, grows=0, next=0, bits=0, x=0, stepped=0)
    bench.pins.update(variance_window__valid=0, variance_window__payload=0)
    await bench.reset()
    seen = 0
    wait = 3 if is_fast() else 4  # cycles from a row to its values less their step
    for _ in range(80):
        growth = random_growth()
        words = await write_words(bench, build, growth.start)
        bench.pins["run"] = run_bits(
            build,
            growth_shift=growth.shift,
            growth_range=growth.range,
            growth_stride=growth.stride,
            growth_start=growth.start,
        )
        await bench.cycle()
        bench.pins["restart"] = 1
        await bench.cycle()
        bench.pins["restart"] = 0
        rows, more = random_rows(build, words, growth)
        seen += more

        def at(cycle: int, rows: list[Row | None] = rows) -> Row | None:
            return rows[cycle] if 0 <= cycle < len(rows) else None

        for cycle in range(len(rows) + wait + GrowthStep.latency):
            row, drawn, read = (at(cycle - late) for late in range(3))
            stepped = at(cycle - wait)
            bench.pins["row"] = row.place if row else random.randrange(build.max_features // lanes)
            bench.pins["grows"] = drawn.grows if drawn else random.getrandbits(1)
            bench.pins["next"] = int(drawn is not None and drawn.last)
            noise = random.getrandbits(lanes * wide)
            bench.pins["bits"] = (
                pack(drawn.bits, SHRINK_SHIFT_MAX) if drawn else noise % (1 << lanes * SHRINK_SHIFT_MAX)
            )
            bench.pins["x"] = pack(read.x, narrow) if read else noise % (1 << lanes * narrow)
            bench.pins["stepped"] = pack(stepped.stepped, wide) if stepped else noise
            await bench.cycle()
            assert int(dut.mask.value) == (1 << growth.shift) - 1
            if (done := at(cycle - wait - GrowthStep.latency)) is not None:
                wanted = pack(done.y, wide)
                assert int(dut.y.value) == wanted, (
                    f"{growth}: {done} became {int(dut.y.value):x}, not {wanted:x}"
                )
    assert seen > 500 * lanes, seen
