"""The random generator's period, the independence of its draws, and rounding with them."""

import functools
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear_forms import independent, step_forms
from random_samples import seeds

from zipsgd.golden.lfsr import Lfsr, seed_words
from zipsgd.golden.rounding import align_draw, saturate, stochastic_round
from zipsgd.protocol.numbers import LFSR_BITS


def test_recurrence_has_the_full_period() -> None:
    """The step has maximal order if step^(2^31) = step: 2^31 - 1 is prime, so the order is this number or 1.

    The step is squared 31 times as a matrix over GF(2), with one row per word.
    """

    def product(a: list[int], b: list[int]) -> list[int]:
        return [
            functools.reduce(operator.xor, (b[i] for i in range(LFSR_BITS) if row >> i & 1), 0) for row in a
        ]

    identity = [1 << i for i in range(LFSR_BITS)]
    step = step_forms(identity)
    power = step
    for _ in range(LFSR_BITS):
        power = product(power, power)
    assert power == step
    assert step != identity
    assert independent(step)


@pytest.mark.parametrize(("lags", "bits"), [((1,), 10), ((1, 2), 10), *(((lag,), 9) for lag in range(2, 25))])
def test_upper_bits_of_near_draws_areindependent(lags: tuple[int, ...], bits: int) -> None:
    """The upper bits of two or three draws take all values equally often, wherever in the word a rounding's number ends."""
    draws = [[1 << i for i in range(LFSR_BITS)]]
    for _ in range(max(lags)):
        draws.append(step_forms(draws[-1]))
    for top in range(bits, LFSR_BITS + 1):
        assert independent(form for lag in (0, *lags) for form in draws[lag][top - bits : top])


def test_draws_are_evenly_spread() -> None:
    lfsr = Lfsr(seed_words(11, 0, 64)[:-1])
    bits = np.concatenate([lfsr.draw() for _ in range(4096)])
    assert bits.min() >= 0
    assert bits.max() < 1 << LFSR_BITS
    each = np.array([(bits >> i & 1).mean() for i in range(LFSR_BITS)])
    assert np.all(np.abs(each - 0.5) < 5 * 0.5 / np.sqrt(bits.size))


@given(seeds, st.integers(0, 70))
def test_draws_at_once_are_those_one_by_one(seed: int, count: int) -> None:
    words = seed_words(seed, 0, 2)
    at_once, one_by_one = Lfsr(words), Lfsr(words)
    expected = [one_by_one.draw().tolist() for _ in range(count)]
    assert at_once.draws(count).tolist() == expected
    assert at_once.state.tolist() == one_by_one.state.tolist()


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


@given(st.integers(-(2**34), 2**34), st.integers(0, 28), seeds)
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
