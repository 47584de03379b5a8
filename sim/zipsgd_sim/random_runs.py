"""Random training runs, to compare two implementations of the device."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, RunConfig
from zipsgd.golden.diagonal import NO_GROWTH, Diagonal, Growth
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.loss import Step
from zipsgd.golden.polynomial import Polynomial
from zipsgd.golden.prox import NO_PROX, Prox
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE, RANGE_BITS, REACH_MAX, SHRINK_SHIFT_MAX, VARIANCE_BITS
from zipsgd.protocol.run import LabelForm, Loss, Refetch

__all__ = ["RandomRun", "random_run"]

_MOST_SAMPLES = 200


@dataclass(frozen=True)
class RandomRun:
    """A training run.

    Parameters
    ----------
    config : RunConfig
        Configuration of the run.
    seed : int
        Seed of the device.
    model : NDArray[np.int64] of shape ``config.model_shape()``
        Words of the master model to start from.
    epochs : list of EpochSamples
        Samples of each epoch.
    steps : list of Step
        Step of each epoch.
    turns : tuple of int
        Epochs of each turn, which a backend runs on its own; none if it runs one epoch at a time.
    """

    config: RunConfig
    seed: int
    model: npt.NDArray[np.int64] = field(repr=False)
    epochs: list[EpochSamples] = field(repr=False)
    steps: list[Step] = field(repr=False)
    turns: tuple[int, ...] = ()


def _random_table(numbers: np.random.Generator, features: int, p: int, bits: int) -> LevelTable:
    limit = 1 << (bits - 1)
    values = np.sort(numbers.integers(-limit, limit, (features, (1 << p) + 1)), axis=1)
    return LevelTable(values.astype(np.int16), bits)


def _random_prox(build: Build, rng: random.Random, kind: str | None, spared: bool, ball: bool) -> Prox:
    """A proximal step of any size: the part that ``kind`` names, all parts, or each part with probability 1/2."""

    def part(name: str, value: int) -> int:
        wanted = rng.random() < 0.5 if kind is None else kind in (name, "all")
        return value if wanted else 0

    most = (1 << (build.model_bits - 1)) - 1
    bound = part("bound", rng.randint(1, most) >> rng.randint(0, build.model_bits - 2) or 1)
    return Prox(
        part("shrink", rng.randint(1, 15)),
        part("shrink", rng.choice([rng.getrandbits(16), (1 << 16) - 1])),
        part("threshold", rng.getrandbits(32) >> rng.randint(0, 31) or 1),
        bound,
        bound > 0 and rng.random() < 0.5,
        spared,
        (rng.getrandbits(32) >> rng.randint(0, 31) or 1) if ball else 0,
    )


def _random_diagonal(numbers: np.random.Generator, features: int) -> Diagonal:
    """Variances of all sizes, some of them at the ends of their range."""
    top = (1 << VARIANCE_BITS) - 1
    words = numbers.integers(0, top + 1, features) >> numbers.integers(0, VARIANCE_BITS, features)
    words[numbers.random(features) < 0.1] = 0
    words[numbers.random(features) < 0.1] = top
    return Diagonal(words, 1.0)


def _random_growth(rng: random.Random, wild: bool) -> Growth:
    """Mostly so small that the model stays within its range. In one epoch of ten nothing grows."""
    size = rng.choice([1, 1 << VARIANCE_BITS, rng.randint(1, (1 << RANGE_BITS) - 1 >> rng.randint(0, 10))])
    shift = rng.randint(1 if wild else 5, SHRINK_SHIFT_MAX) if rng.random() < 0.9 else 0
    return Growth(shift, size, rng.randrange(size), rng.randrange(size))


def _random_loss(build: Build, rng: random.Random) -> Loss:
    return rng.choice(
        [
            loss
            for loss in Loss
            if (build.hinge or not loss.hinge) and (build.polynomial or not loss.polynomial)
        ]
    )


def _random_polynomial(build: Build, rng: random.Random, least_degree: int) -> Polynomial:
    """A polynomial whose coefficients, and those of its loss, have sizes of less than 4 in all."""
    degree = rng.randint(least_degree, build.polynomial)
    sizes = [rng.uniform(-1, 1) for _ in range(degree + 1)]
    scale = rng.choice([0.5, 1.9, 3.99]) / sum(map(abs, sizes))
    return Polynomial(
        tuple(size * scale for size in sizes), rng.randint(0, REACH_MAX), rng.uniform(-0.005, 0.005)
    )


def _random_bits(build: Build, rng: random.Random, kind: str | None) -> int:
    """Bits of the levels' values; 0 for even levels."""
    bits = rng.choice([0, rng.randint(2, build.level_bits)]) if build.level_bits else 0
    if kind is not None:
        bits = rng.randint(2, build.level_bits) if kind == "yes" else 0
    return bits


def _random_planes(
    build: Build, rng: random.Random, bits: int, polynomial: Polynomial | None, kind: Mapping[str, str]
) -> tuple[int, int]:
    """p and m."""
    least, most = (0, build.level_p_max) if bits else (1, build.p_max)
    match kind.get("p"):
        case "most":
            p = most
        case "middle":
            p = rng.randint(min(2, most), max(2, most - 1))
        case None:
            p = rng.randint(least, most)
        case number:
            p = int(number)
    most_ups = 2 if bits or polynomial is None else polynomial.degree + 1
    match kind.get("ups"):
        case "more":
            m = most_ups
        case None:
            m = rng.choice([rng.randint(0 if p else 1, most_ups), most_ups])
        case number:
            m = int(number)
    return p, m


def _random_heads(build: Build, rng: random.Random, kind: str | None) -> int:
    if kind is None:
        return rng.choice([1, rng.randint(1, min(4, build.heads)), build.heads])
    return {"one": 1, "two": 2, "all": build.heads}[kind]


def _random_features(build: Build, rng: random.Random, most_chunks: int, kind: str | None) -> int:
    if kind is None:
        features = rng.choice([1, rng.randint(1, 2 * build.lanes), rng.randint(1, 300)])
        return min(features, most_chunks * build.lanes)
    chunks = rng.randint(3, most_chunks) if kind == "many" else int(kind)
    return (chunks - 1) * build.lanes + rng.choice([1, build.lanes, rng.randint(1, build.lanes)])


def _random_batch(build: Build, rng: random.Random, kind: str | None) -> int:
    most = build.max_batch
    match kind:
        case "most":
            return most
        case "odd":
            return 2 * rng.randint(1, most // 2 - 1) + 1
        case None:
            return rng.choice([1, rng.randint(1, min(8, most)), rng.randint(1, most), most])
        case number:
            return int(number)


def _random_count(rng: random.Random, batch: int, most: int, kind: str | None) -> int:
    """Samples of an epoch, up to ``most``; ``kind`` says how many of them its last mini-batch has: all, one or a part."""
    if kind is None:
        return rng.randint(1, most)
    last = {"full": 0, "one": 1, "part": rng.randint(2, max(2, batch - 1))}[kind]
    return batch * rng.randint(1, max(1, (most - last) // batch)) + last


def _random_refetch(build: Build, rng: random.Random, possible: bool, kind: str | None) -> Refetch:
    refetch = rng.choice(list(Refetch)) if build.refetch and possible else Refetch.NEVER
    return refetch if kind is None else Refetch[kind.upper()]


def _random_form(rng: random.Random, one_against_all: bool, heads: int, kind: str | None) -> LabelForm:
    if kind is not None:
        return LabelForm[kind.upper()]
    if one_against_all:
        return rng.choice([LabelForm.WORD, LabelForm.BYTE])
    return rng.choice([LabelForm.WORD, LabelForm.SIGN]) if heads == 1 else LabelForm.WORD


def _random_values(
    numbers: np.random.Generator,
    rng: random.Random,
    shape: tuple[int, int],
    levels: LevelTable | None,
    intercept: bool,
) -> npt.NDArray[np.float32]:
    """Values in [-1, 1], or within the range of the levels; some lie at an end or at 0, those of the intercept at the top."""
    values = numbers.uniform(-1, 1, shape) ** rng.choice([1, 3])
    values[numbers.random(shape) < 0.05] = rng.choice([-1, 0, 1])
    if intercept:
        values[:, -1] = 1
    if levels is not None:
        limit = 1 << (levels.bits - 1)
        values = np.clip(values, levels.values[:, 0] / limit, levels.values[:, -1] / limit)
    return values.astype(np.float32)


def _random_proxes(
    build: Build, rng: random.Random, heads: int, kind: Mapping[str, str], epochs: int
) -> list[Prox]:
    """The proximal step of each epoch."""
    ball = build.ball == 1 and heads == 1 and kind.get("ball", "yes") == "yes"
    spared = rng.random() < 0.5 if "spared" not in kind else kind["spared"] == "yes"
    return [
        _random_prox(build, rng, kind.get("prox"), spared, ball and ("ball" in kind or rng.random() < 0.5))
        if build.prox
        else NO_PROX
        for _ in range(epochs)
    ]


def _random_labels(
    numbers: np.random.Generator,
    rng: random.Random,
    count: int,
    outputs: int,
    loss: Loss,
    classes: int | None,
    form: LabelForm,
) -> npt.NDArray[np.int16]:
    """Labels of ``count`` samples: numbers of classes, labels of all sizes, or those of two classes."""
    if classes is not None:
        wide = numbers.integers(0, classes + 1, count)
    elif form != LabelForm.SIGN and (loss == Loss.SQUARED or rng.random() < 0.2):
        wide = numbers.integers(-(1 << 15), 1 << 15, (count, outputs))
    else:
        wide = numbers.choice([-LABEL_ONE, LABEL_ONE], (count, outputs))
    return wide.astype(np.int16).reshape((count,) if outputs == 1 else (count, outputs))


def _most_samples(build: Build, refetch: bool, heads: int) -> int:
    listed = build.refetch if refetch else _MOST_SAMPLES
    scored = build.score_words // heads if build.score_words else _MOST_SAMPLES
    return min(listed, scored, _MOST_SAMPLES)


def random_run(
    build: Build,
    rng: random.Random,
    *,
    bytes_limit: int = 4000,
    kind: Mapping[str, str] | None = None,
    rows: int | None = None,
) -> RandomRun:
    """A run of two epochs within the build's limits.

    Options that ``kind`` does not fix are random. Each part of the build is used in about every other run, and one run in five
    makes words saturate.

    Parameters
    ----------
    build : Build
        The build.
    rng : random.Random
        Source of all random choices.
    bytes_limit : int
        Most bytes of an epoch's samples, approximately.
    kind : Mapping of str to str or None
        Values of some factors of :data:`zipsgd_sim.options.RUN_FACTORS`.
    rows : int or None
        Samples of each epoch, whatever their bytes; None for a random number.

    Returns
    -------
    RandomRun
        The run.
    """
    kind = kind or {}
    bits = _random_bits(build, rng, kind.get("levels"))
    loss = Loss[kind["loss"].upper()] if "loss" in kind else _random_loss(build, rng)
    polynomial = None
    if loss.polynomial:
        polynomial = _random_polynomial(build, rng, 2 if kind.get("ups") == "more" else 1)
    p, m = _random_planes(build, rng, bits, polynomial, kind)
    heads = _random_heads(build, rng, kind.get("heads used"))
    planes = bits * max(1, m) if bits else p + m
    most_chunks = min(build.replay_words // planes, build.max_chunks // heads)
    features = _random_features(build, rng, most_chunks, kind.get("chunks"))
    one_against_all = build.has("heads") and rng.random() < 0.5
    if "labels" in kind:
        one_against_all = kind["labels"] == "classes"
    outputs = 1 if one_against_all else heads
    can_refetch = loss.hinge and heads == 1 and not one_against_all and not bits and m > 0
    refetch = _random_refetch(build, rng, can_refetch, kind.get("refetch"))
    can_grow = build.diagonal == 1 and m == 1 and loss in (Loss.SQUARED, Loss.SQUARED_HINGE) and not refetch
    grows = can_grow and (kind["growth"] == "grow" if "growth" in kind else rng.random() < 0.7)
    batch = _random_batch(build, rng, kind.get("batch"))
    seed = rng.getrandbits(32)
    wild = rng.random() < 0.2 if "saturates" not in kind else kind["saturates"] == "yes"
    numbers = np.random.default_rng(rng.getrandbits(32))
    sample = 2 * outputs + planes * -(-features // 8)
    most = max(1, min(_most_samples(build, refetch > 0, heads), bytes_limit // 2 // heads // sample))
    levels = _random_table(numbers, features, p, bits) if bits else None
    intercept = rng.random() < 0.7 if "intercept" not in kind else kind["intercept"] == "made"
    form = _random_form(rng, one_against_all, heads, kind.get("label form"))
    epochs = []
    for epoch in range(2):
        count = rows or _random_count(rng, batch, most, kind.get("last batch"))
        values = _random_values(numbers, rng, (count, features), levels, intercept)
        labels = _random_labels(numbers, rng, count, outputs, loss, heads if one_against_all else None, form)
        order = numbers.permutation(count)
        epochs.append(EpochSamples(values, labels, order, seed, epoch))
    scale = (build.model_bits - 1) if wild else rng.randint(1, build.model_frac)
    gamma = 2.0 ** rng.uniform(-3, -0.01) if wild else 2.0 ** rng.uniform(-14, -4)
    proxes = _random_proxes(build, rng, heads, kind, len(epochs))
    config = RunConfig(
        features,
        p,
        m,
        batch,
        rng.random() < 0.5 if "sides" not in kind else kind["sides"] == "one",
        levels,
        loss,
        any(prox != NO_PROX for prox in proxes),
        any(prox.ball_square for prox in proxes),
        heads,
        one_against_all,
        polynomial,
        refetch,
        _random_diagonal(numbers, features) if grows else None,
        intercept,
        form,
        scored=build.score_words > 0,
    )
    growths = [_random_growth(rng, wild) if grows else NO_GROWTH for _ in epochs]
    return RandomRun(
        config,
        seed,
        numbers.integers(-(1 << scale), 1 << scale, config.model_shape()),
        epochs,
        [
            replace(Step.nearest(gamma / part, prox), growth=growth)
            for part, prox, growth in zip((1, 2), proxes, growths, strict=True)
        ],
    )
