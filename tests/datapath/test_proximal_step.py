"""The proximal step by itself, against its golden function: a mini-batch's values as they come, at the edges of each range."""

import random

import numpy as np
import pytest
from amaranth import Module
from amaranth.sim import Simulator, SimulatorContext

from zipsgd.golden.prox import Phases, Prox, apply_prox
from zipsgd.protocol.formats import LFSR_DRAW, SHRINK_SHIFT_MAX, Build
from zipsgd_hw.datapath.proximal_step import ProximalPhases, ProximalStep


def random_prox(rng: random.Random, build: Build) -> Prox:
    """Each part is left out at times, and at the edge of its range at others."""
    most = (1 << (build.model_bits - 1)) - 1
    return Prox(
        shrink_shift=rng.choice([0, 1, SHRINK_SHIFT_MAX, rng.randint(1, SHRINK_SHIFT_MAX)]),
        shrink_rate=rng.choice([0x8000, 0xFFFF, rng.getrandbits(16)]),
        threshold=rng.choice([0, 1, 0xFFFF, (1 << 32) - 1, rng.getrandbits(rng.randint(1, 32))]),
        bound=rng.choice([0, 1, most, rng.randint(1, most)]),
    )


@pytest.mark.parametrize("model_bits", [24, 20, 16])
def test_values(model_bits: int) -> None:
    build = Build(prox=1, model_bits=model_bits, gradient_bits=min(18, model_bits - 4))
    rng = random.Random(model_bits)
    top = 1 << (model_bits - 1)
    dut = Module()
    dut.submodules.phases = phases = ProximalPhases(build)
    dut.submodules.step = step = ProximalStep(build)
    for name in ("shift", "thresholds", "bounds"):
        dut.d.comb += getattr(step, name).eq(getattr(phases, name))
    seen: list[int] = []

    def value(prox: Prox, threshold: int) -> int:
        edge = rng.choice([0, threshold, prox.bound, top - 1]) + rng.randint(-1, 1)
        return max(-top, min(top - 1, rng.choice([edge, -edge, -top, rng.randint(-top, top - 1)])))

    async def mini_batch(context: SimulatorContext, prox: Prox, shift: int, threshold: int) -> None:
        context.set(phases.next, 0)
        await context.tick().repeat(4)
        x = np.array([value(prox, threshold) for _ in range(100)])
        draw = np.array([rng.getrandbits(LFSR_DRAW) for _ in x])
        skip = np.array([rng.random() < 0.2 for _ in x])
        expected = np.where(skip, x, apply_prox(x, draw, shift, threshold, prox))
        for i in range(x.size + step.latency):
            if i < x.size:
                context.set(step.x, int(x[i]))
                context.set(step.bits, int(draw[i]) >> (LFSR_DRAW - SHRINK_SHIFT_MAX))
                context.set(step.skip, bool(skip[i]))
            await context.tick()
            if i >= step.latency - 1 and i - step.latency + 1 < x.size:
                done = i - step.latency + 1
                assert context.get(step.y) == expected[done], (prox, shift, threshold, x[done], skip[done])
        seen.extend(np.sign(expected - x))
        context.set(phases.next, 1)
        await context.tick()

    async def bench(context: SimulatorContext) -> None:
        for _ in range(40):
            prox = random_prox(rng, build)
            for name in ("shrink_shift", "shrink_rate", "threshold", "bound"):
                context.set(phases.run[name], getattr(prox, name))
            context.set(phases.next, 0)
            context.set(phases.restart, 1)
            await context.tick()
            context.set(phases.restart, 0)
            golden = Phases()
            for _ in range(4):
                await mini_batch(context, prox, *golden.next(prox))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert all(seen.count(sign) > 1000 for sign in (-1, 0, 1))
