"""cocotb: the proximal step and its phases against their golden functions, mini-batches without a gap between them."""

import random

import cocotb
import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect
from builds import build_case, case_build, run_bits
from component_bench import ComponentBench

from zipsgd.golden.prox import Phases, Prox, apply_prox
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS, SHRINK_SHIFT_MAX
from zipsgd_hw.datapath.config import run_layout
from zipsgd_hw.datapath.proximal_step import ProximalPhases, ProximalStep
from zipsgd_sim.stream_bench import StreamBench


class PhasesAndStep(wiring.Component):
    """One step with its phases."""

    def __init__(self, build: Build):
        self._phases, self._step = ProximalPhases(build), ProximalStep(build)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "restart": In(1),
                "next": In(1),
                "inward": In(4),
                "x": In(self._step.x.shape()),
                "bits": In(SHRINK_SHIFT_MAX),
                "skip": In(1),
                "y": Out(self._step.y.shape()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.phases = phases = self._phases
        m.submodules.step = step = self._step
        connect(m, phases.constants, step.constants)
        m.d.comb += [
            phases.run.eq(self.run),
            phases.restart.eq(self.restart),
            phases.next.eq(self.next),
            phases.inward.eq(self.inward),
            step.x.eq(self.x),
            step.bits.eq(self.bits),
            step.skip.eq(self.skip),
            self.y.eq(step.y),
        ]
        return m


BENCH = ComponentBench(
    (ProximalPhases, ProximalStep),
    "zipsgd.golden.prox.Phases, zipsgd.golden.prox.apply_prox",
    (
        build_case("box", PhasesAndStep, prox=1),
        build_case(
            "ball", PhasesAndStep, prox=1, ball=1, model_bits=16, q3_bits=8, delta_bits=10, gradient_bits=11
        ),
    ),
)


def random_prox(build: Build) -> Prox:
    """Each part is left out at times, and at the edge of its range at others."""
    most = (1 << (build.model_bits - 1)) - 1
    bound = random.choice([0, 1, most, random.randint(1, most)])
    return Prox(
        shrink_shift=random.choice([0, 1, SHRINK_SHIFT_MAX, random.randint(1, SHRINK_SHIFT_MAX)]),
        shrink_rate=random.choice([0x8000, 0xFFFF, random.getrandbits(16)]),
        threshold=random.choice([0, 1, 0xFFFF, (1 << 32) - 1, random.getrandbits(random.randint(1, 32))]),
        bound=bound,
        nonnegative=bound > 0 and random.random() < 0.5,
    )


class Row:
    """A value in its cycle, and what is to come of it ``latency`` cycles later."""

    def __init__(self, build: Build, prox: Prox, shift: int, threshold: int) -> None:
        top = 1 << (build.model_bits - 1)
        edge = random.choice([0, threshold, prox.bound, top - 1]) + random.randint(-1, 1)
        wild = random.choice([edge, -edge, -top, random.randint(-top, top - 1), random.randint(-9, 9)])
        self.x = max(-top, min(top - 1, wild))
        self.draw = random.choice([0, (1 << LFSR_BITS) - 1, random.getrandbits(LFSR_BITS)])
        self.skip = random.random() < 0.15
        y = apply_prox(np.array([self.x]), np.array([self.draw]), shift, threshold, prox)
        self.y = self.x if self.skip else int(y[0])


@cocotb.test()
async def values(dut):
    """Epochs of mini-batches of a few rows each, next to each other or apart; shifts towards a ball where there is one."""
    build = case_build()
    latency = ProximalStep.latency
    mask = (1 << build.model_bits) - 1
    bench = StreamBench(dut)
    bench.pins.update(run=0, restart=0, next=0, inward=0, x=0, bits=0, skip=0)
    await bench.reset()
    seen = {-1: 0, 0: 0, 1: 0}
    for _ in range(60):
        prox = random_prox(build)
        bench.pins["run"] = run_bits(
            build,
            shrink_shift=prox.shrink_shift,
            shrink_rate=prox.shrink_rate,
            threshold=prox.threshold,
            bound=prox.bound,
            nonnegative=int(prox.nonnegative),
        )
        bench.pins["restart"] = 1
        await bench.cycle()
        bench.pins["restart"] = 0
        rows: list[Row | None] = [None] * 8
        lasts: list[int] = []
        inwards: dict[int, int] = {}
        golden = Phases()
        near = random.random() < 0.5
        for _ in range(random.choice([1, 5, 20])):
            inward = 0
            if build.ball:
                # The one of a mini-batch is there two cycles before its values, and stays while they pass
                inward = random.choice([0, 1, SHRINK_SHIFT_MAX, random.randint(1, SHRINK_SHIFT_MAX)])
                rows += [None] * 3
                inwards[len(rows) - 2] = inward
            shift, threshold = golden.next(prox, inward)
            for _ in range(random.choice([1, 1, 2, 7])):
                rows += [None] * (0 if near else random.choice([0, 0, 1, 4, 12]))
                rows.append(Row(build, prox, shift, threshold))
            lasts.append(len(rows) - 1)
        due: dict[int, Row] = {}
        for cycle in range(len(rows) + latency):
            row = rows[cycle] if cycle < len(rows) else None
            if row is not None:
                bench.pins.update(
                    x=row.x & mask, bits=row.draw >> (LFSR_BITS - SHRINK_SHIFT_MAX), skip=int(row.skip)
                )
                due[cycle + latency] = row
            else:
                bench.pins.update(
                    x=random.getrandbits(build.model_bits), bits=random.getrandbits(SHRINK_SHIFT_MAX), skip=0
                )
            bench.pins["next"] = int(cycle + 2 in lasts)
            if cycle in inwards:
                bench.pins["inward"] = inwards[cycle]
            await bench.cycle()
            if (done := due.get(cycle)) is not None:
                y = int(dut.y.value)
                y -= (y >> (build.model_bits - 1)) << build.model_bits
                assert y == done.y, f"{prox}: {done.x} became {y}, not {done.y}"
                seen[(done.y > done.x) - (done.y < done.x)] += 1
    assert all(count > 100 for count in seen.values()), seen
