"""Properties that the golden model has by its definition, checked in ways that do not repeat it."""

import functools
import operator
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zipsgd.golden.dot import dot
from zipsgd.golden.gradient import gradient
from zipsgd.golden.lfsr import Lfsr, advance, seed_words
from zipsgd.golden.loss import Step, deltas, loss_sum, residuals
from zipsgd.golden.quantise import FRACTION_BITS, Codes, fixed_point, quantise, row_keys, uniform16
from zipsgd.golden.rounding import align_draw, saturate, stochastic_round
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.golden.update import update
from zipsgd.golden.weave import planes, unweave, weave
from zipsgd.protocol.formats import LFSR_BITS, Build, Flag
from zipsgd.protocol.samples import sample_bytes

settings.register_profile(
    "zipsgd", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("zipsgd")

seeds = st.integers(0, 2**32 - 1)
bits_p = st.integers(1, 8)
planes_m = st.integers(0, 2)


def random_codes(seed: int, count: int, features: int, p: int, m: int) -> Codes:
    rng = np.random.default_rng(seed)
    return Codes(
        rng.integers(-(1 << (p - 1)), 1 << (p - 1), (count, features)).astype(np.int8),
        rng.integers(0, 1 << m, (count, features)).astype(np.uint8),
        rng.integers(-(1 << 15), 1 << 15, count).astype(np.int16),
        p,
        m,
    )


def values_of(codes: Codes) -> list[np.ndarray]:
    """Q_i in units of the last base plane, for each i."""
    base = codes.base.astype(np.int64)
    return [base + (codes.up >> i & 1) for i in range(codes.m)] or [base]


# LFSR


def _step(forms: list[int]) -> list[int]:
    """Each bit of the next state as the set of first bits that it is the sum of, from those of the state at hand."""
    states = [int(advance(np.array([1 << i], dtype=np.uint64))[0]) for i in range(LFSR_BITS)]
    return [
        functools.reduce(operator.xor, (forms[i] for i in range(LFSR_BITS) if states[i] >> j & 1))
        for j in range(LFSR_BITS)
    ]


def _independent(forms: Iterable[int]) -> bool:
    """Whether no sum of some of the sets is empty."""
    by_top: dict[int, int] = {}
    for form in forms:
        while form and form.bit_length() in by_top:
            form ^= by_top[form.bit_length()]
        if not form:
            return False
        by_top[form.bit_length()] = form
    return True


def test_recurrence_has_the_full_period() -> None:
    """2^31 - 1 is prime, so the order of a step divides it only as 1 or itself: it is maximal if step^(2^31) = step.

    The step is squared 31 times as a matrix over GF(2), a row a word.
    """

    def product(a: list[int], b: list[int]) -> list[int]:
        return [
            functools.reduce(operator.xor, (b[i] for i in range(LFSR_BITS) if row >> i & 1), 0) for row in a
        ]

    identity = [1 << i for i in range(LFSR_BITS)]
    step = _step(identity)
    power = step
    for _ in range(LFSR_BITS):
        power = product(power, power)
    assert power == step
    assert step != identity
    assert _independent(step)


@pytest.mark.parametrize(("lags", "bits"), [((1,), 10), ((1, 2), 10), *(((lag,), 9) for lag in range(2, 25))])
def test_upper_bits_of_near_draws_are_independent(lags: tuple[int, ...], bits: int) -> None:
    """Upper bits of two or three draws take all values equally often, wherever in the word a rounding's number ends."""
    draws = [[1 << i for i in range(LFSR_BITS)]]
    for _ in range(max(lags)):
        draws.append(_step(draws[-1]))
    for top in range(bits, LFSR_BITS + 1):
        assert _independent(form for lag in (0, *lags) for form in draws[lag][top - bits : top])


def test_draws_are_evenly_spread() -> None:
    lfsr = Lfsr(seed_words(11, 0, 64)[:-1])
    bits = np.concatenate([lfsr.draw() for _ in range(4096)])
    assert bits.min() >= 0
    assert bits.max() < 1 << LFSR_BITS
    each = np.array([(bits >> i & 1).mean() for i in range(LFSR_BITS)])
    assert np.all(np.abs(each - 0.5) < 5 * 0.5 / np.sqrt(bits.size))


@pytest.mark.parametrize("bad", [0, 1 << LFSR_BITS])
def test_seeds_out_of_range_are_refused(bad: int) -> None:
    with pytest.raises(ValueError, match="seeds must be in"):
        Lfsr([1, bad])


@given(seeds, st.integers(1, 64))
def test_seed_words_are_seeds(seed: int, lanes: int) -> None:
    words = seed_words(seed, 3, lanes)
    assert len(words) == lanes + 1
    Lfsr(words)
    assert words == seed_words(seed, 3, lanes)


# Rounding


@given(st.integers(-(2**40), 2**40), st.integers(0, 28), seeds)
def test_representable_values_round_to_themselves(value: int, drop: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 1 << drop, 50)
    exact = np.array([value << drop])
    assert set((stochastic_round(exact, drop, bits)).tolist()) == {value}


@given(st.integers(-(2**20), 2**20), st.integers(1, 10))
def test_mean_over_all_draws_is_the_value(value: int, drop: int) -> None:
    rounded = stochastic_round(np.array([value]), drop, np.arange(1 << drop))
    assert int(rounded.sum()) == value
    assert rounded.max() - rounded.min() <= 1


@given(st.integers(0, 2**LFSR_BITS - 1), st.integers(0, 45))
def test_aligned_draws_lie_below_the_cut(bits: int, drop: int) -> None:
    aligned = int(align_draw(np.array([bits]), drop)[0])
    assert 0 <= aligned < 1 << drop
    if drop >= LFSR_BITS:
        assert aligned >> (drop - LFSR_BITS) == bits


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1), st.integers(2, 40))
def test_saturate(values: list[int], width: int) -> None:
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    clamped, flag = saturate(np.array(values), width, 8)
    assert clamped.tolist() == [min(max(value, low), high) for value in values]
    assert flag == (8 if any(not low <= value <= high for value in values) else 0)


# Quantisation


@given(seeds, bits_p, planes_m, st.integers(0, 1000))
def test_ends_and_zero_are_exact(seed: int, p: int, m: int, epoch: int) -> None:
    values = np.array([[-1.0, 0.0, 1.0] * 20])
    codes = quantise(values, np.zeros(1, np.int16), p, m, seed=seed, epoch=epoch, rows=[seed % 1000])
    scale = 1 << (p - 1)
    for q in values_of(codes):
        expected = values * scale
        if m == 0:  # truncation has no level for +1
            expected = np.minimum(expected, scale - 1)
        np.testing.assert_array_equal(q, expected)


@given(seeds, bits_p, planes_m)
def test_quantised_values_surround_the_value(seed: int, p: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (5, 40)).astype(np.float32)
    codes = quantise(values, np.zeros(5, np.int16), p, m, seed=seed, epoch=1, rows=np.arange(5))
    assert codes.base.min() >= -(1 << (p - 1))
    assert codes.base.max() < 1 << (p - 1)
    scaled = values.astype(np.float64) * (1 << (p - 1))
    for q in values_of(codes):
        assert np.all(np.abs(q - scaled) <= 1 + 2.0**-17)


@given(seeds, bits_p)
def test_levels_are_exact_for_all_draws(seed: int, p: int) -> None:
    scale = 1 << (p - 1)
    levels = np.arange(-scale, scale + 1) / scale
    values = np.tile(levels, (7, 1))
    codes = quantise(values, np.zeros(7, np.int16), p, 2, seed=seed, epoch=0, rows=np.arange(7))
    for q in values_of(codes):
        np.testing.assert_array_equal(q, values * scale)


def test_up_bits_have_the_fraction_as_their_probability_and_are_independent() -> None:
    fraction = Fraction(3, 8)
    rows = 40_000
    codes = quantise(
        np.full((rows, 8), float(fraction)), np.zeros(rows, np.int16), 1, 2, seed=4, epoch=2, rows=range(rows)
    )
    counts = Counter(codes.up.ravel().tolist())
    total = codes.up.size
    for up, probability in enumerate([25, 15, 15, 9]):
        expected = probability / 64
        error = 4.5 * np.sqrt(expected * (1 - expected) / total)
        assert abs(counts[up] / total - expected) < error, up


@pytest.mark.parametrize("fraction", [0, 1, 1 << 15, (1 << 16) - 1])
def test_up_bit_compares_all_16_bits(fraction: int) -> None:
    """The up bit is 1 for exactly ``fraction`` of the 2^16 uniform numbers."""
    rows = np.arange(512)
    value = fraction / 2.0**16
    codes = quantise(np.full((512, 512), value), np.zeros(512, np.int16), 1, 2, seed=1, epoch=0, rows=rows)
    uniform = uniform16(row_keys(1, 0, rows), 512)
    for i in range(2):
        np.testing.assert_array_equal(codes.up >> i & 1, uniform[i] < fraction)


def test_up_bits_depend_on_the_row_and_not_on_its_place() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, (30, 9))
    labels = np.arange(30, dtype=np.int16)
    order = rng.permutation(30)
    whole = quantise(values, labels, 3, 2, seed=5, epoch=6, rows=np.arange(30))
    shuffled = quantise(values[order], labels[order], 3, 2, seed=5, epoch=6, rows=order)
    np.testing.assert_array_equal(whole.up[order], shuffled.up)
    for change in ({"seed": 6, "epoch": 6}, {"seed": 5, "epoch": 7}, {"seed": 5 + (1 << 32), "epoch": 6}):
        other = quantise(values, labels, 3, 2, rows=np.arange(30), **change)
        assert np.any(other.up != whole.up)
        np.testing.assert_array_equal(other.base, whole.base)


@pytest.mark.parametrize("bad", [1.001, -1.001, np.nan, np.inf])
def test_values_out_of_range_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"scaled to \[-1, 1\]"):
        fixed_point(np.array([[0.0, bad]]), 4)


@given(seeds, bits_p)
def test_fixed_point_is_the_nearest(seed: int, p: int) -> None:
    values = np.random.default_rng(seed).uniform(-1, 1, (3, 30))
    unit = 2.0 ** -(p - 1 + FRACTION_BITS)
    assert np.all(np.abs(fixed_point(values, p) * unit - values) <= unit / 2)


# Layout


@given(seeds, st.integers(1, 7), st.integers(1, 70), bits_p, planes_m, st.sampled_from([4, 8, 16, 32, 64]))
def test_unweave_inverts_weave(seed: int, count: int, features: int, p: int, m: int, lanes: int) -> None:
    codes = random_codes(seed, count, features, p, m)
    data = weave(codes, lanes)
    assert data.shape == (count, sample_bytes(features, p, m, lanes))
    assert data.shape[1] <= 2 + (p + m) * -(-features // 8)
    back = unweave(data, features, p, m, lanes)
    for name in ("base", "up", "labels"):
        np.testing.assert_array_equal(getattr(back, name), getattr(codes, name))


def test_layout_of_a_small_sample() -> None:
    """Nine features on eight lanes, p = 2, m = 1, byte by byte."""
    codes = Codes(
        np.array([[-2, -1, 0, 1, -2, -1, 0, 1, -1]], dtype=np.int8),
        np.array([[1, 0, 0, 0, 0, 0, 0, 1, 1]], dtype=np.uint8),
        np.array([-2], dtype=np.int16),
        2,
        1,
    )
    sign, low, up = 0b0011_0011, 0b1010_1010, 0b1000_0001
    np.testing.assert_array_equal(weave(codes, 8), [[0xFE, 0xFF, sign, low, up, 1, 1, 1]])
    # on sixteen lanes: whole bytes of each plane
    np.testing.assert_array_equal(weave(codes, 16), [[0xFE, 0xFF, sign, 1, low, 1, up, 1]])
    # on four lanes: half bytes, low half first
    nibbles = [0x3, 0xA, 0x1, 0x3, 0xA, 0x8, 0x1, 0x1, 0x1, 0x0]
    packed = [nibbles[i] | nibbles[i + 1] << 4 for i in range(0, 10, 2)]
    np.testing.assert_array_equal(weave(codes, 4), [[0xFE, 0xFF, *packed]])


# Dot product, loss, gradient, update


@given(seeds, st.integers(1, 300), bits_p, planes_m)
def test_bit_serial_dot_is_the_integer_dot(seed: int, features: int, p: int, m: int) -> None:
    codes = random_codes(seed, 3, features, p, m)
    q3 = np.random.default_rng(seed + 1).integers(-(1 << 11), 1 << 11, features)
    z = dot(codes, q3)
    assert z.shape == (3, max(1, m))
    for i, q in enumerate(values_of(codes)):
        np.testing.assert_array_equal(z[:, i], q @ q3)
    build = Build(max_features=1024)
    assert np.abs(z).max() < 1 << (build.z_bits - 1)


def test_planes_of_the_extremes() -> None:
    codes = Codes(
        np.array([[-128, 127]], dtype=np.int8), np.array([[0, 3]], np.uint8), np.zeros(1, np.int16), 8, 2
    )
    np.testing.assert_array_equal(planes(codes)[0, :, 0], [1] + 9 * [0])
    np.testing.assert_array_equal(planes(codes)[0, :, 1], [0] + 9 * [1])


@given(seeds, bits_p, st.integers(0, 2), st.integers(6, 18))
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


@given(seeds, bits_p)
def test_symmetric_gradient_is_the_mean_of_the_two_one_sided_ones(seed: int, p: int) -> None:
    build = Build()
    codes = random_codes(seed, 5, 11, p, 2)
    q1, q2 = values_of(codes)
    delta = np.random.default_rng(seed + 1).integers(-(1 << 17) + 1, 1 << 17, (5, 2))
    lift = 1 << (build.p_max - p)
    first = one_by_one_gradient(q1, delta[:, 1])
    second = one_by_one_gradient(q2, delta[:, 0])
    assert gradient(codes, delta, True, build).tolist() == [2 * lift * a for a in first]
    assert gradient(codes, delta, False, build).tolist() == [
        lift * (a + b) for a, b in zip(first, second, strict=True)
    ]
    assert np.abs(gradient(codes, delta, False, build)).max() < 1 << (build.accumulator_bits - 1)


@given(seeds, bits_p, st.integers(0, 1), st.booleans())
def test_naive_gradient(seed: int, p: int, m: int, one_sided: bool) -> None:
    """With one sample or none, g = Q(a) delta for either estimator."""
    build = Build()
    codes = random_codes(seed, 5, 11, p, m)
    delta = np.random.default_rng(seed + 1).integers(-(1 << 17) + 1, 1 << 17, (5, 1))
    expected = one_by_one_gradient(values_of(codes)[0], delta[:, 0])
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


# The whole


def test_training_reaches_least_squares() -> None:
    rng = np.random.default_rng(0)
    build = Build()
    values = rng.uniform(-1, 1, (256, 6))
    target = values @ rng.uniform(-0.2, 0.2, 6)
    labels = np.round(target * 2**15).astype(np.int16)
    trainer = GoldenTrainer(build, np.zeros(6, dtype=int), seed=1, batch=16)
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
    trainer = GoldenTrainer(build, model, seed=1, batch=2)
    trainer.epoch(random_codes(1, 7, 3, 2, 2), Step(0, 0))
    assert trainer.master.tolist() == model
