"""Random training runs, for whoever compares two implementations of the device."""

import random
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, RunConfig
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.loss import Step
from zipsgd.golden.polynomial import Polynomial
from zipsgd.golden.prox import NO_PROX, Prox
from zipsgd.protocol.formats import LABEL_ONE, REACH_MAX, Build, Loss, Refetch

__all__ = ["RandomRun", "random_run"]


@dataclass(frozen=True)
class RandomRun:
    """``model``: master words to start from, shaped as ``config`` says; ``seed``: of the device; a step for each epoch."""

    config: RunConfig
    seed: int
    model: npt.NDArray[np.int64] = field(repr=False)
    epochs: list[EpochSamples] = field(repr=False)
    steps: list[Step] = field(repr=False)


def _random_table(numbers: np.random.Generator, features: int, p: int, bits: int) -> LevelTable:
    limit = 1 << (bits - 1)
    values = np.sort(numbers.integers(-limit, limit, (features, (1 << p) + 1)), axis=1)
    return LevelTable(values.astype(np.int16), bits)


def _random_prox(build: Build, rng: random.Random, ball: bool) -> Prox:
    """Each part in half of the cases; bounds and thresholds of all sizes."""
    return Prox(
        rng.choice([0, rng.randint(1, 15)]),
        rng.choice([0, rng.getrandbits(16), (1 << 16) - 1]),
        rng.choice([0, rng.getrandbits(32) >> rng.randint(0, 31)]),
        rng.choice(
            [0, rng.randint(1, (1 << (build.model_bits - 1)) - 1) >> rng.randint(0, build.model_bits - 2)]
        ),
        rng.random() < 0.5,
        rng.choice([0, rng.getrandbits(32) >> rng.randint(0, 31)]) if ball else 0,
    )


def _random_loss(build: Build, rng: random.Random) -> Loss:
    return rng.choice(
        [
            loss
            for loss in Loss
            if (build.hinge or not loss.hinge) and (build.polynomial or not loss.polynomial)
        ]
    )


def _random_polynomial(build: Build, rng: random.Random) -> Polynomial:
    """Coefficients of up to 4 in all, the loss's as well."""
    degree = rng.randint(1, build.polynomial)
    sizes = [rng.uniform(-1, 1) for _ in range(degree + 1)]
    scale = rng.choice([0.5, 1.9, 3.99]) / sum(map(abs, sizes))
    return Polynomial(
        tuple(size * scale for size in sizes), rng.randint(0, REACH_MAX), rng.uniform(-0.005, 0.005)
    )


def random_run(build: Build, rng: random.Random, *, bytes_limit: int = 4000) -> RandomRun:
    """Two epochs within the build's limits, up to about ``bytes_limit`` bytes; one run in five to where words saturate.

    If the build has a transcoder, every other run is on random levels; what else it has is used likewise.
    """
    features = min(rng.choice([1, rng.randint(1, 2 * build.lanes), rng.randint(1, 300)]), build.max_features)
    bits = rng.choice([0, rng.randint(2, build.level_bits)]) if build.level_bits else 0
    p = rng.randint(0, build.level_p_max) if bits else rng.randint(1, build.p_max)
    loss = _random_loss(build, rng)
    polynomial = _random_polynomial(build, rng) if loss.polynomial else None
    most_ups = 2 if bits or polynomial is None else polynomial.degree + 1
    m = rng.choice([rng.randint(0 if p else 1, most_ups), most_ups])
    while build.chunks(features) * (bits * max(1, m) if bits else p + m) > build.replay_words:
        features //= 2
    heads = rng.choice([1, rng.randint(1, min(4, build.heads)), build.heads])
    while build.chunks(features) * heads > build.max_chunks:
        heads -= 1
    one_against_all = build.has("heads") and rng.random() < 0.5
    outputs = 1 if one_against_all else heads
    refetch = Refetch.NEVER
    if build.refetch and loss.hinge and heads == 1 and not one_against_all and not bits and m:
        refetch = rng.choice(list(Refetch))
    batch = rng.choice(
        [1, rng.randint(1, min(8, build.max_batch)), rng.randint(1, build.max_batch), build.max_batch]
    )
    seed = rng.getrandbits(32)
    wild = rng.random() < 0.2
    numbers = np.random.default_rng(rng.getrandbits(32))
    most = max(
        1,
        min(
            build.refetch if refetch else 200,
            200,
            bytes_limit // 2 // heads // (2 + (p + m) * -(-features // 8)),
        ),
    )
    levels = _random_table(numbers, features, p, bits) if bits else None
    epochs = []
    for epoch in range(2):
        count = rng.randint(1, most)
        values = numbers.uniform(-1, 1, (count, features)) ** rng.choice([1, 3])
        values[numbers.random(values.shape) < 0.05] = rng.choice([-1, 0, 1])
        if levels is not None:
            limit = 1 << (bits - 1)
            values = np.clip(values, levels.values[:, 0] / limit, levels.values[:, -1] / limit)
        if one_against_all:
            wide = numbers.integers(0, heads + 1, count)
        elif loss == Loss.SQUARED or rng.random() < 0.2:
            wide = numbers.integers(-(1 << 15), 1 << 15, (count, outputs))
        else:
            wide = numbers.choice([-LABEL_ONE, LABEL_ONE], (count, outputs))
        labels = wide.astype(np.int16).reshape((count,) if outputs == 1 else (count, outputs))
        order = numbers.permutation(count)
        epochs.append(EpochSamples(values.astype(np.float32), labels, order, seed, epoch, p, m, levels))
    scale = (build.model_bits - 1) if wild else rng.randint(1, build.model_frac)
    gamma = 2.0 ** rng.uniform(-3, -0.01) if wild else 2.0 ** rng.uniform(-14, -4)
    proxes = [
        _random_prox(build, rng, build.ball == 1 and heads == 1) if build.prox else NO_PROX for _ in epochs
    ]
    config = RunConfig(
        features,
        p,
        m,
        batch,
        rng.random() < 0.5,
        levels,
        loss,
        any(prox != NO_PROX for prox in proxes),
        any(prox.ball_square for prox in proxes),
        heads,
        one_against_all,
        polynomial,
        refetch,
    )
    return RandomRun(
        config,
        seed,
        numbers.integers(-(1 << scale), 1 << scale, config.model_shape()),
        epochs,
        [Step.nearest(gamma, proxes[0]), Step.nearest(gamma / 2, proxes[1])],
    )
