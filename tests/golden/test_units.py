"""Dot product, loss, gradient and update of the golden model, checked in ways that do not repeat its code."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_samples import base_planes, quantised_values, random_codes, seeds, up_planes

from zipsgd.golden.dot import dot
from zipsgd.golden.gradient import gradient
from zipsgd.golden.lfsr import Lfsr, seed_words
from zipsgd.golden.loss import Step, deltas, loss_sum, residuals
from zipsgd.golden.quantise import Codes, quantise
from zipsgd.golden.run import RunConfig
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.golden.update import update
from zipsgd.golden.weave import planes
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Flag


@given(seeds, st.integers(1, 300), base_planes, up_planes)
def test_bit_serial_dot_is_the_integer_dot(seed: int, features: int, p: int, m: int) -> None:
    codes = random_codes(seed, 3, features, p, m)
    q3 = np.random.default_rng(seed + 1).integers(-(1 << 11), 1 << 11, features)
    z = dot(codes, q3)
    assert z.shape == (3, max(1, m))
    for i, q in enumerate(quantised_values(codes)):
        np.testing.assert_array_equal(z[:, i], q @ q3)
    build = Build(max_features=1024)
    assert np.abs(z).max() < 1 << (build.z_bits - 1)


def test_planes_of_the_extremes() -> None:
    codes = Codes(
        np.array([[-128, 127]], dtype=np.int8), np.array([[0, 3]], np.uint8), np.zeros(1, np.int16), 8, 2
    )
    np.testing.assert_array_equal(planes(codes)[0, :, 0], [1] + 9 * [0])
    np.testing.assert_array_equal(planes(codes)[0, :, 1], [0] + 9 * [1])


@given(seeds, base_planes, st.integers(0, 2), st.integers(6, 18))
def test_residuals_are_exact_differences(seed: int, p: int, m: int, q3_bits: int) -> None:
    rng = np.random.default_rng(seed)
    build = Build(q3_bits=q3_bits, model_bits=24, gradient_bits=18)
    z = rng.integers(-(1 << (q3_bits + p + 1)), 1 << (q3_bits + p + 1), (6, max(1, m)))
    labels = rng.integers(-(1 << 15), 1 << 15, 6)
    r, flags = residuals(z, labels, p, build)
    exact = z * 2.0 ** -(build.q3_frac + p - 1) - labels[:, None] * 2.0**-15
    inside = (exact >= -4) & (exact < 4)
    np.testing.assert_array_equal((r * 2.0**-build.residual_frac)[inside], exact[inside])
    assert (flags == Flag.RESIDUAL) == bool(np.any(~inside))
    assert loss_sum(r, r) == sum(int(row[0]) * int(row[-1]) for row in r)


@given(seeds, st.integers(0, 3), st.sampled_from([8, 12, 18, 20]))
def test_deltas_are_step_times_residual(seed: int, exponent: int, delta_bits: int) -> None:
    rng = np.random.default_rng(seed)
    build = Build(delta_bits=delta_bits, gradient_bits=12)
    step = Step(int(rng.integers(1, 1 << 16)), exponent)
    r = rng.integers(-(1 << 17), 1 << 17, (9, 2))
    delta, flags = deltas(r, step, Lfsr([seed % 1000 + 1]), build)
    exact = r * 2.0**-build.residual_frac * step.value * 2.0**build.delta_frac
    limit = (1 << build.delta_frac) - 1
    assert np.all(np.abs(delta - np.clip(exact, -limit, limit)) < 1)
    assert not flags or np.any(np.abs(exact) > limit - 1)


@given(st.floats(2.0**-28, 0.99))
def test_nearest_step(value: float) -> None:
    step = Step.nearest(value)
    assert abs(step.value / value - 1) < 2.0**-12 or abs(step.value - value) <= 2.0**-29


@pytest.mark.parametrize("value", [0.0, 1.0, 7.0, 2.0**-30])
def test_steps_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="outside the datapath's range"):
        Step.nearest(value)


def one_by_one_gradient(q_left: np.ndarray, delta_right: np.ndarray) -> list[int]:
    """sum_s q[s] delta[s], in Python integers."""
    return [sum(int(q) * int(d) for q, d in zip(column, delta_right, strict=True)) for column in q_left.T]


@given(seeds, base_planes)
def test_symmetric_gradient_is_the_mean_of_the_two_one_sided_ones(seed: int, p: int) -> None:
    build = Build()
    codes = random_codes(seed, 5, 11, p, 2)
    q1, q2 = quantised_values(codes)
    delta = np.random.default_rng(seed + 1).integers(-(1 << 17) + 1, 1 << 17, (5, 2))
    lift = 1 << (build.p_max - p)
    first = one_by_one_gradient(q1, delta[:, 1])
    second = one_by_one_gradient(q2, delta[:, 0])
    assert gradient(codes, delta, True, build).tolist() == [2 * lift * a for a in first]
    assert gradient(codes, delta, False, build).tolist() == [
        lift * (a + b) for a, b in zip(first, second, strict=True)
    ]
    assert np.abs(gradient(codes, delta, False, build)).max() < 1 << (build.accumulator_bits - 1)


@given(seeds, base_planes, st.integers(0, 1), st.booleans())
def test_naive_gradient(seed: int, p: int, m: int, one_sided: bool) -> None:
    """With one sample or none, g = Q(a) delta for either estimator."""
    build = Build()
    codes = random_codes(seed, 5, 11, p, m)
    delta = np.random.default_rng(seed + 1).integers(-(1 << 17) + 1, 1 << 17, (5, 1))
    expected = one_by_one_gradient(quantised_values(codes)[0], delta[:, 0])
    lift = 2 << (build.p_max - p)
    assert gradient(codes, delta, one_sided, build).tolist() == [lift * a for a in expected]


@given(seeds, st.integers(1, 40), st.sampled_from([1, 2, 8]))
def test_update_rounds_each_value_with_its_lane(seed: int, features: int, update_lanes: int) -> None:
    rng = np.random.default_rng(seed)
    build = Build(lanes=8, update_lanes=update_lanes)
    master = rng.integers(-(1 << 20), 1 << 20, features)
    accumulated = rng.integers(-(1 << 24), 1 << 24, features)
    words = seed_words(seed, 0, update_lanes)[:-1]
    lfsr = Lfsr(words)
    new, q3, flags = update(master, accumulated, lfsr, build)
    assert flags == 0
    exact = master - accumulated * 2.0 ** (build.model_frac - build.accumulator_frac)
    unit = 2.0 ** (build.model_frac - build.gradient_frac)
    assert np.all(np.abs(new - exact) < unit)
    assert np.all(np.abs(q3 * 2.0**build.q3_drop - new) < 2.0**build.q3_drop)
    # each lane has drawn once for each value up to the end of the last chunk
    singles = [Lfsr([word]) for word in words]
    draws = [int(singles[j % update_lanes].draw()[0]) for j in range(build.chunks(features) * 8)]
    np.testing.assert_array_equal(lfsr.state, np.concatenate([single.state for single in singles]))
    for j in range(features):
        rounded = (int(accumulated[j]) + draws[j] % (1 << build.q4_drop)) >> build.q4_drop
        assert new[j] == master[j] - (rounded << build.gradient_shift)
        bits = (draws[j] >> build.q4_drop) % (1 << build.q3_drop)
        assert q3[j] == (int(new[j]) + bits) >> build.q3_drop


def test_update_saturates_and_says_so() -> None:
    build = Build()
    top = (1 << (build.model_bits - 1)) - 1
    huge = 1 << (build.accumulator_bits - 2)
    model, q3, flags = update(np.array([top]), np.array([-huge]), Lfsr(range(1, 9)), build)
    assert model[0] == top
    assert q3[0] == (1 << (build.q3_bits - 1)) - 1
    assert flags & (Flag.GRADIENT | Flag.MODEL) == Flag.GRADIENT | Flag.MODEL
    model, _, flags = update(np.array([-top - 1]), np.array([huge]), Lfsr(range(1, 9)), build)
    assert model[0] == -top - 1
    assert flags == Flag.GRADIENT | Flag.MODEL
    # the top of the range rounds up beyond Q3 for some draw
    q3_flags = {
        update(np.array([top]), np.array([0]), Lfsr([seed] + [1] * 7), build)[2]
        for seed in range(1 << 8, 1 << 13, 1 << 8)
    }
    assert Flag.Q3 in q3_flags


def test_training_reaches_least_squares() -> None:
    rng = np.random.default_rng(0)
    build = Build()
    values = rng.uniform(-1, 1, (256, 6))
    target = values @ rng.uniform(-0.2, 0.2, 6)
    labels = np.round(target * 2**15).astype(np.int16)
    trainer = GoldenTrainer(build, np.zeros(6, dtype=int), RunConfig(6, batch=16), seed=1)
    losses = []
    for epoch in range(30):
        order = rng.permutation(256)
        codes = quantise(values[order], labels[order], 4, 2, seed=2, epoch=epoch, rows=order)
        losses.append(trainer.epoch(codes, Step.nearest(0.1 / 16)) * 4.0**-build.residual_frac / 256)
    best = np.linalg.lstsq(values, target, rcond=None)[0]
    np.testing.assert_allclose(trainer.master * 2.0**-build.model_frac, best, atol=0.02)
    assert trainer.flags == 0
    assert losses[-1] < losses[0] / 20


def test_a_step_of_zero_leaves_the_model() -> None:
    build = Build()
    model = [5, -5, 1 << 20]
    trainer = GoldenTrainer(build, model, RunConfig(len(model), batch=2), seed=1)
    trainer.epoch(random_codes(1, 7, 3, 2, 2), Step(0, 0))
    assert trainer.master.tolist() == model
