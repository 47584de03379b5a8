"""Random training runs, for whoever compares two implementations of the device."""

import random
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, RunConfig
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build

__all__ = ["RandomRun", "random_run"]


@dataclass(frozen=True)
class RandomRun:
    """``model``: master words to start from, shape (features,); ``seed``: of the device; a step for each of the epochs."""

    config: RunConfig
    seed: int
    model: npt.NDArray[np.int64] = field(repr=False)
    epochs: list[EpochSamples] = field(repr=False)
    steps: list[Step] = field(repr=False)


def _random_table(numbers: np.random.Generator, features: int, p: int, bits: int) -> LevelTable:
    limit = 1 << (bits - 1)
    values = np.sort(numbers.integers(-limit, limit, (features, (1 << p) + 1)), axis=1)
    return LevelTable(values.astype(np.int16), bits)


def random_run(build: Build, rng: random.Random, *, bytes_limit: int = 4000) -> RandomRun:
    """Two epochs within the build's limits, up to about ``bytes_limit`` bytes; one run in five to where words saturate.

    If the build has a transcoder, every other run is on random levels.
    """
    features = min(rng.choice([1, rng.randint(1, 2 * build.lanes), rng.randint(1, 300)]), build.max_features)
    bits = rng.choice([0, rng.randint(2, build.level_bits)]) if build.level_bits else 0
    p = rng.randint(0, build.level_p_max) if bits else rng.randint(1, build.p_max)
    m = rng.randint(0 if p else 1, 2)
    while build.chunks(features) * (bits * max(1, m) if bits else p + m) > build.replay_words:
        features //= 2
    batch = rng.choice(
        [1, rng.randint(1, min(8, build.max_batch)), rng.randint(1, build.max_batch), build.max_batch]
    )
    seed = rng.getrandbits(32)
    wild = rng.random() < 0.2
    numbers = np.random.default_rng(rng.getrandbits(32))
    most = max(1, min(200, bytes_limit // 2 // (2 + (p + m) * -(-features // 8))))
    levels = _random_table(numbers, features, p, bits) if bits else None
    epochs = []
    for epoch in range(2):
        count = rng.randint(1, most)
        values = numbers.uniform(-1, 1, (count, features)) ** rng.choice([1, 3])
        values[numbers.random(values.shape) < 0.05] = rng.choice([-1, 0, 1])
        if levels is not None:
            limit = 1 << (bits - 1)
            values = np.clip(values, levels.values[:, 0] / limit, levels.values[:, -1] / limit)
        labels = numbers.integers(-(1 << 15), 1 << 15, count).astype(np.int16)
        order = numbers.permutation(count)
        epochs.append(EpochSamples(values.astype(np.float32), labels, order, seed, epoch, p, m, levels))
    scale = (build.model_bits - 1) if wild else rng.randint(1, build.model_frac)
    gamma = 2.0 ** rng.uniform(-3, -0.01) if wild else 2.0 ** rng.uniform(-14, -4)
    return RandomRun(
        RunConfig(features, p, m, batch, one_sided=rng.random() < 0.5, levels=levels),
        seed,
        numbers.integers(-(1 << scale), 1 << scale, features),
        epochs,
        [Step.nearest(gamma), Step.nearest(gamma / 2)],
    )
