"""Shared parts of the update unit's bench: runs, mini-batches and gradients, random or at their limits."""

import random
from dataclasses import dataclass

import numpy as np
from builds import run_bits

from zipsgd.golden.diagonal import NO_GROWTH, Growth
from zipsgd.golden.lfsr import Lfsr
from zipsgd.golden.prox import NO_PROX, Prox
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import SHRINK_SHIFT_MAX, VARIANCE_BITS

__all__ = ["Batch", "OneDraw", "UpdateRun", "draw_gradient", "draw_run"]


class OneDraw(Lfsr):
    """The draw of one row, as often as the golden model asks for it."""

    def __init__(self, bits: np.ndarray) -> None:
        self._bits = bits

    def draw(self) -> np.ndarray:
        return self._bits


@dataclass(frozen=True)
class UpdateRun:
    features: int
    heads: int
    prox: Prox
    growth: Growth

    def bits(self, build: Build) -> int:
        chunks = build.chunks(self.features)
        return run_bits(
            build,
            last_chunk=chunks - 1,
            last_lane=(self.features - 1) % build.lanes,
            final_chunk=self.heads * chunks - 1,
            shrink_shift=self.prox.shrink_shift,
            shrink_rate=self.prox.shrink_rate,
            threshold=self.prox.threshold,
            bound=self.prox.bound,
            nonnegative=int(self.prox.nonnegative),
            spare_last=int(self.prox.spare_last),
            growth_shift=self.growth.shift,
            growth_range=self.growth.range,
            growth_stride=self.growth.stride,
            growth_start=self.growth.start,
        )


@dataclass(frozen=True)
class Batch:
    """What a mini-batch does: ``number`` selects the features that grow, of the heads that are ``active``."""

    gradients: np.ndarray
    shift: int
    threshold: int
    number: int
    active: list[bool]


def draw_run(build: Build, number: int) -> UpdateRun:
    """The largest models among others. Each part of the proximal step is left out at times, and at its edge at others; so is
    the growth, whose numbers are mostly those of variances."""
    heads = build.heads if number % 3 == 0 else random.randint(1, build.heads)
    most = build.max_chunks // heads * build.lanes
    features = most - random.choice([0, 1, 2]) if number % 3 == 0 else random.randint(1, most)
    top = (1 << (build.model_bits - 1)) - 1
    prox = NO_PROX
    if build.prox:
        bound = random.choice([0, 1, top, random.randint(1, top)])
        prox = Prox(
            shrink_shift=random.choice([0, 1, 2, SHRINK_SHIFT_MAX, random.randint(1, SHRINK_SHIFT_MAX)]),
            shrink_rate=random.choice([0x8000, 0xFFFF, random.getrandbits(16)]),
            threshold=random.choice([0, 0x8000, (1 << 32) - 1, random.getrandbits(random.randint(1, 32))]),
            bound=bound,
            nonnegative=bound > 0 and random.random() < 0.5,
            spare_last=random.random() < 0.5,
        )
    growth = NO_GROWTH
    if build.diagonal and number % 4 != 3:
        size = random.choice([1, 1 << VARIANCE_BITS, random.randint(1, 1 << VARIANCE_BITS + 1)])
        shift = random.choice([1, SHRINK_SHIFT_MAX, random.randint(1, SHRINK_SHIFT_MAX)])
        growth = Growth(shift, size, random.randrange(size), random.randrange(size))
    return UpdateRun(features, heads, prox, growth)


def draw_gradient(build: Build) -> int:
    """As large as it comes, at the end of what a step holds, or small."""
    most = build.max_batch * 2 * ((1 << (build.delta_bits - 1)) - 1) << (build.p_max - 1)
    end = random.choice([-1, 1]) << (build.gradient_bits - 1 + build.q4_drop)
    near = end + random.choice(
        [0, 1, -1, -random.getrandbits(build.q4_drop), random.getrandbits(build.q4_drop)]
    )
    edge = random.choice([most, -most, near, near, 0])
    value = random.choice([edge, random.randint(-most, most), random.getrandbits(20) - (1 << 19)])
    return max(-most, min(most, value))
