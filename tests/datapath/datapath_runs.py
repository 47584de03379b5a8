"""Random runs for the datapath's benches."""

import random
from dataclasses import dataclass, field

import numpy as np

from zipsgd.golden.loss import Step
from zipsgd.golden.quantise import Codes, quantise
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.protocol.formats import Build

__all__ = ["Run", "format_build", "parse_build", "random_run"]


def format_build(build: Build) -> str:
    return ":".join(f"{name}={value}" for name, value in build.as_dict().items())


def parse_build(text: str) -> Build:
    return Build(**{name: int(value) for name, value in (item.split("=") for item in text.split(":"))})


@dataclass
class Run:
    """One training run: configuration, samples of each epoch, and how often the bytes pause."""

    build: Build
    features: int
    p: int
    m: int
    batch: int
    one_sided: bool
    seed: int
    gap: float
    model: np.ndarray = field(repr=False)
    codes: list[Codes] = field(repr=False)
    steps: list[Step] = field(repr=False)

    def golden(self) -> GoldenTrainer:
        return GoldenTrainer(
            self.build, self.model, seed=self.seed, batch=self.batch, one_sided=self.one_sided
        )


def random_run(build: Build, rng: random.Random, *, bytes_limit: int = 4000) -> Run:
    """A run within the build's limits, of about ``bytes_limit`` bytes; one in five goes to where words saturate."""
    features = min(rng.choice([1, rng.randint(1, 2 * build.lanes), rng.randint(1, 300)]), build.max_features)
    p = rng.randint(1, build.p_max)
    m = rng.randint(0, 2)
    while build.chunks(features) * (p + m) > build.replay_words:
        features //= 2
    batch = rng.choice(
        [1, rng.randint(1, min(8, build.max_batch)), rng.randint(1, build.max_batch), build.max_batch]
    )
    seed = rng.getrandbits(32)
    wild = rng.random() < 0.2
    numbers = np.random.default_rng(rng.getrandbits(32))
    size = max(1, min(200, bytes_limit // 2 // (2 + (p + m) * -(-features // 8))))
    codes = []
    for epoch in range(2):
        count = rng.randint(1, size)
        values = numbers.uniform(-1, 1, (count, features)) ** rng.choice([1, 3])
        values[numbers.random(values.shape) < 0.05] = rng.choice([-1, 0, 1])
        labels = numbers.integers(-(1 << 15), 1 << 15, count).astype(np.int16)
        codes.append(quantise(values, labels, p, m, seed=seed, epoch=epoch, rows=np.arange(count)))
    scale = (build.model_bits - 1) if wild else rng.randint(1, build.model_frac)
    model = numbers.integers(-(1 << scale), 1 << scale, features)
    gamma = 2.0 ** rng.uniform(-3, -0.01) if wild else 2.0 ** rng.uniform(-14, -4)
    return Run(
        build=build,
        features=features,
        p=p,
        m=m,
        batch=batch,
        one_sided=rng.random() < 0.5,
        seed=seed,
        gap=rng.choice([0.0, 0.1, 0.5]),
        model=model,
        codes=codes,
        steps=[Step.nearest(gamma), Step.nearest(gamma / 2)],
    )
