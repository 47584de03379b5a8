"""The emulator has the golden model's bits."""

import math
import random
from dataclasses import dataclass, replace

import numpy as np
import pytest

from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.emulator import Emulator
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.loss import Step
from zipsgd.golden.prox import Prox
from zipsgd.golden.quantise import quantise, quantise_fixed_point
from zipsgd.golden.run import RunConfig
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.protocol.formats import Build, BuildError
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import Flag, Loss
from zipsgd.rows import ColumnSelection
from zipsgd_sim.random_runs import random_run

CONFIGURATIONS = 96


@dataclass(frozen=True)
class Configuration:
    build: Build
    features: int
    rows: int
    p: int
    m: int
    batch: int
    one_sided: bool
    step: Step
    scale: float
    """Size of the starting model over its range: near 1, everything saturates."""


def random_build(rng: np.random.Generator, features: int) -> Build:
    """A build with random widths that can be elaborated."""
    while True:
        lanes = 1 << int(rng.integers(2, 7))
        try:
            return Build(
                lanes=lanes,
                update_lanes=1 << int(rng.integers(0, lanes.bit_length())),
                max_features=-(-features // lanes) * lanes * int(rng.integers(1, 4)),
                max_batch=64,
                model_bits=int(rng.integers(12, 32)),
                q3_bits=int(rng.integers(6, 19)),
                delta_bits=int(rng.integers(8, 21)),
                gradient_bits=int(rng.integers(8, 25)),
            )
        except BuildError:
            continue


def random_configuration(number: int) -> Configuration:
    rng = np.random.default_rng(number)
    features = int(rng.integers(1, 301))
    batch = int(rng.integers(1, 65))
    return Configuration(
        build=random_build(rng, features),
        features=features,
        rows=int(rng.integers(1, 3 * batch + 1)),
        p=int(rng.integers(1, 9)),
        m=int(rng.integers(0, 3)),
        batch=batch,
        one_sided=bool(rng.integers(2)),
        step=Step(int(rng.integers(1, 1 << 16)), int(rng.integers(0, 4))),
        scale=float(rng.choice([0.0, 0.01, 1.0])),
    )


def random_set(number: int, configuration: Configuration) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values with the end points and 0 among them, labels, and a starting model."""
    rng = np.random.default_rng(1000 + number)
    values = rng.uniform(-1, 1, (configuration.rows, configuration.features)).astype(np.float32)
    exact = rng.integers(0, 8, values.shape)
    for code, value in enumerate((-1.0, 0.0, 1.0)):
        values[exact == code] = value
    labels = rng.integers(-(1 << 15), 1 << 15, configuration.rows).astype(np.int16)
    limit = 1 << (configuration.build.model_bits - 1)
    model = np.floor(rng.uniform(-limit, limit, configuration.features) * configuration.scale).astype(int)
    return values, labels, model


def test_every_bit_is_that_of_the_golden_model() -> None:
    flags = 0
    words = set()
    seen = set()
    for number in range(CONFIGURATIONS):
        c = random_configuration(number)
        values, labels, model = random_set(number, c)
        config = RunConfig(c.features, c.p, c.m, c.batch, c.one_sided)
        golden = GoldenTrainer(c.build, model, config, seed=number)
        from_codes = Emulator(c.build, model, config, seed=number)
        from_rows = Emulator(c.build, model, config, seed=number)
        np.testing.assert_array_equal(from_codes.q3, golden.q3)
        for epoch in range(2):
            order = np.random.default_rng((number, epoch)).permutation(c.rows)
            codes = quantise(values[order], labels[order], c.p, c.m, seed=number, epoch=epoch, rows=order)
            loss = golden.epoch(codes, c.step)
            assert from_codes.epoch_codes(codes, c.step) == loss, c
            assert (
                from_rows.epoch_rows(values, labels, order, seed=number, epoch=epoch, step=c.step) == loss
            ), c
            for emulator in (from_codes, from_rows):
                np.testing.assert_array_equal(emulator.master, golden.master, err_msg=str(c))
                np.testing.assert_array_equal(emulator.q3, golden.q3, err_msg=str(c))
                assert emulator.flags == golden.flags, c
            words.add(from_codes._state.q3.dtype)
        flags |= golden.flags
        seen |= {("p", c.p), ("m", c.m), ("one_sided", c.one_sided), ("partial", c.rows % c.batch > 0)}
    assert flags == sum(Flag.NAMES), "no configuration saturated some of the places"
    assert words == {np.dtype(np.int32), np.dtype(np.int64)}
    assert len(seen) == 8 + 3 + 2 + 2


def test_levels_give_the_bits_of_the_golden_model() -> None:
    words = set()
    for number in range(40):
        rng = np.random.default_rng(500 + number)
        c = random_configuration(number)
        bits, p, m = int(rng.integers(2, 9)), int(rng.integers(0, 5)), int(rng.integers(0, 3))
        limit = 1 << (bits - 1)
        table = LevelTable(
            np.sort(rng.integers(-limit, limit, (c.features, (1 << p) + 1)), axis=1).astype(np.int16), bits
        )
        low, high = table.values[:, 0] / limit, table.values[:, -1] / limit
        values = np.clip(rng.uniform(low, np.maximum(low, high), (c.rows, c.features)), low, high)
        values = values.astype(np.float32).clip(low, high).astype(np.float64)
        _, labels, model = random_set(number, c)
        config = RunConfig(c.features, p, m, c.batch, c.one_sided, levels=table)
        golden = GoldenTrainer(c.build, model, config, seed=number)
        from_codes = Emulator(c.build, model, config, seed=number)
        from_rows = Emulator(c.build, model, config, seed=number)
        for epoch in range(2):
            order = rng.permutation(c.rows)
            codes = quantise_fixed_point(
                table.fixed_point(values[order]), labels[order], p, m, seed=number, epoch=epoch, rows=order
            )
            loss = golden.epoch(codes, c.step)
            assert from_codes.epoch_codes(codes, c.step) == loss, c
            assert (
                from_rows.epoch_rows(values, labels, order, seed=number, epoch=epoch, step=c.step) == loss
            ), c
            for emulator in (from_codes, from_rows):
                np.testing.assert_array_equal(emulator.master, golden.master, err_msg=str(c))
                assert emulator.flags == golden.flags, c
            words.add(from_codes._state.q3.dtype)
    assert words == {np.dtype(np.int32), np.dtype(np.int64)}


def test_runs_at_other_planes_follow_each_other() -> None:
    """On the same values, of which each emulator keeps fixed-point numbers for the next."""
    rng = np.random.default_rng(1)
    build = Build(max_features=2048, q3_bits=18, model_bits=24)
    values = rng.uniform(-1, 1, (40, 700)).astype(np.float32)
    labels = rng.integers(-(1 << 15), 1 << 15, 40).astype(np.int16)
    model = np.zeros(700, dtype=np.int64)
    order = np.arange(40)
    previous = None
    for epoch, (p, m) in enumerate([(1, 2), (8, 2), (2, 1), (5, 0), (1, 2)]):
        step = Step.nearest(0.01 / 16)
        config = RunConfig(700, p, m, batch=16)
        golden = GoldenTrainer(build, model, config, seed=3, epoch=epoch)
        emulator = Emulator(build, model, config, seed=3, epoch=epoch)
        if previous is not None:
            emulator.adopt(previous)
        codes = quantise(values, labels, p, m, seed=9, epoch=epoch, rows=order)
        loss = golden.epoch(codes, step)
        assert emulator.epoch_rows(values, labels, order, seed=9, epoch=epoch, step=step) == loss
        np.testing.assert_array_equal(emulator.master, golden.master)
        previous, model = emulator, golden.master
    with pytest.raises(ValueError, match="the codes have p = 2 and m = 2, the run p = 1 and m = 2"):
        emulator.epoch_codes(quantise(values, labels, 2, 2, seed=9, epoch=0, rows=order), step)


def test_loss_sum_is_exact_beyond_64_bits() -> None:
    """Each sample adds 4^2 in units of 2^-42, so 2^18 samples overflow an int64."""
    build = Build(q3_bits=18, model_bits=24)
    limit = 1 << (build.residual_bits - 1)
    rows = 1 << 18
    values = np.full((1, 1), 1, dtype=np.float32)
    labels = np.zeros(1, dtype=np.int16)
    order = np.zeros(rows, dtype=int)

    def loss(m: int) -> int:
        emulator = Emulator(build, [-(1 << 23)], RunConfig(1, 1, m), seed=1)
        total = emulator.epoch_rows(values, labels, order, seed=1, epoch=0, step=Step(0, 0))
        assert emulator.flags == (Flag.RESIDUAL if m else 0)
        return total

    # m = 0 truncates +1 to 0 at p = 1, so nothing is lost there; with up bits the residual saturates at -4
    assert loss(0) == 0
    assert loss(2) == rows * limit**2 > 1 << 63


def test_the_attributes_are_copies() -> None:
    emulator = Emulator(Build(), [1, 2, 3], RunConfig(3), seed=1)
    emulator.master[:] = 0
    np.testing.assert_array_equal(emulator.master, [1, 2, 3])


def test_bad_arguments_are_named() -> None:
    build = Build(max_features=8, max_batch=4)
    with pytest.raises(ValueError, match="1 to 8 features"):
        Emulator(build, np.zeros(9), RunConfig(9), seed=1)
    with pytest.raises(ValueError, match=r"batch must be in 1\.\.4, not 5"):
        Emulator(build, np.zeros(8), RunConfig(8, batch=5), seed=1)
    with pytest.raises(ValueError, match=r"p must be in 1\.\.8"):
        Emulator(build, np.zeros(8), RunConfig(8, p=9), seed=1)
    emulator = Emulator(build, np.zeros(8), RunConfig(8, 1, batch=4), seed=1)
    step = Step.nearest(0.01)
    labels = np.zeros(2, dtype=np.int16)

    def epoch(values: np.ndarray, order: list[int]) -> None:
        emulator.epoch_rows(values.astype(np.float32), labels, order, seed=1, epoch=0, step=step)

    with pytest.raises(ValueError, match=r"shape \(rows, 8\)"):
        epoch(np.zeros((2, 7)), [0])
    with pytest.raises(ValueError, match="order must name rows of 2 values"):
        epoch(np.zeros((2, 8)), [0, 2])
    with pytest.raises(ValueError, match="order must name rows"):
        epoch(np.zeros((2, 8)), [-1])
    with pytest.raises(ValueError, match=r"scaled to \[-1, 1\]"):
        epoch(np.full((2, 8), math.nan), [0])
    with pytest.raises(ValueError, match="the codes have 7 features, the model 8"):
        emulator.epoch_codes(quantise(np.zeros((2, 7)), labels, 1, 2, seed=1, epoch=0, rows=[0, 1]), step)


@pytest.mark.parametrize(
    "options",
    [
        {"prox": 1},
        {"hinge": 1},
        {"polynomial": 7},
        {"hinge": 1, "refetch": 1024, "prox": 1, "ball": 1},
        {"heads": 5, "score_words": 1024},
        {"hinge": 1, "refetch": 64, "score_words": 32},
        {"polynomial": 3, "heads": 3, "score_words": 128},
        {"prox": 1, "hinge": 1, "heads": 12, "level_bits": 6, "level_p_max": 3},
    ],
    ids=lambda options: "-".join(options),
)
def test_builds_with_optional_parts(options: dict[str, int]) -> None:
    """Random runs, in memory and packed, of builds with parts that others lack."""
    build = Build(max_features=480, **options)
    rng = random.Random(len(options))
    seen = set()
    for _ in range(60):
        run = random_run(build, rng)
        backends = [GoldenBackend(build), EmulatorBackend(build), EmulatorBackend(build)]
        for backend in backends:
            backend.begin(run.config, run.model, run.seed)
        for samples, step in zip(run.epochs, run.steps, strict=True):
            golden, *others = [
                backend.epoch(each, step, lambda done: None)
                for backend, each in zip(
                    backends,
                    (samples, samples, replace(samples, values=ColumnSelection(samples.values))),
                    strict=True,
                )
            ]
            for other in others:
                np.testing.assert_array_equal(other.doubts, golden.doubts, err_msg=str(run))
                np.testing.assert_array_equal(other.scores, golden.scores, err_msg=str(run))
                assert replace(other, doubts=None, scores=None) == replace(
                    golden, doubts=None, scores=None
                ), run
            for backend in backends[1:]:
                np.testing.assert_array_equal(backend.model(), backends[0].model(), err_msg=str(run))
        seen |= {
            ("prox", run.config.prox),
            ("loss", run.config.loss),
            ("heads", run.config.heads),
            ("classes", run.config.one_against_all),
            ("refetch", run.config.refetch),
            ("ball", run.config.ball),
        }
    more = {"hinge": 2, "polynomial": 2, "heads": 3, "refetch": 2, "ball": 1}
    assert len(seen) >= 6 + sum(more.get(option, 0) for option in options)


def test_a_head_has_the_bits_of_a_run_of_its_own() -> None:
    """One against all in a single pass, and class by class."""
    build = Build(max_features=480, heads=5, prox=1, hinge=1)
    rng = np.random.default_rng(6)
    values = rng.uniform(-1, 1, (90, 30)).astype(np.float32)
    classes = rng.integers(0, 5, 90).astype(np.int16)
    start = rng.integers(-(1 << 18), 1 << 18, (5, 30))
    step = Step.nearest(0.01, Prox(shrink_shift=6, shrink_rate=30000, threshold=1 << 21))
    both = [
        Emulator(build, start, RunConfig(30, batch=8, loss=loss, heads=5, one_against_all=True), seed=3)
        for loss in (Loss.SQUARED, Loss.SQUARED_HINGE)
    ]
    for together in both:
        config = RunConfig(30, batch=8, loss=together.config.loss)
        alone = [Emulator(build, model, config, seed=3) for model in start]
        for epoch in range(2):
            order = rng.permutation(90)
            one_pass = together.epoch_rows(values, classes, order, seed=1, epoch=epoch, step=step)
            losses = [
                each.epoch_rows(
                    values,
                    np.where(classes == number, LABEL_ONE, -LABEL_ONE).astype(np.int16),
                    order,
                    seed=1,
                    epoch=epoch,
                    step=step,
                )
                for number, each in enumerate(alone)
            ]
            assert one_pass == sum(losses)
        np.testing.assert_array_equal(together.master, [each.master for each in alone])
