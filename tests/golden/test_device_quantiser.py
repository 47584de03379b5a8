"""Scaling and rounding of raw words on a device: exact values, exact probabilities, and nothing saturates silently."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear_forms import independent, step_forms
from random_samples import base_planes, seeds

from zipsgd.golden.device_quantiser import (
    DeviceQuantiser,
    crossed,
    label_words,
    quantiser_seeds,
    round_values,
)
from zipsgd.golden.lfsr import Lfsr, seed_words
from zipsgd.golden.quantise import quantise
from zipsgd.golden.scale_table import ScaleTable
from zipsgd.golden.weave import plane_words, weave
from zipsgd.protocol.numbers import LFSR_BITS
from zipsgd.protocol.raw_words import CROSSINGS, LABEL_SATURATED, SCALE_BITS, VALUE_SATURATED, value_frac
from zipsgd.protocol.samples import SampleLayout

raw_widths = st.integers(8, 16)


def table_of(raw_bits: int, centre: int, scale: int, binary: bool = False, rows: int = 1) -> ScaleTable:
    return ScaleTable(raw_bits, np.full(rows, centre), np.full(rows, scale), np.full(rows, binary))


@given(raw_widths, st.data())
def test_scaled_values_are_exact(raw_bits: int, data: st.DataObject) -> None:
    half = 1 << (raw_bits - 1)
    words = st.integers(-half, half - 1)
    word, centre, binary = data.draw(words), data.draw(words), data.draw(st.booleans())
    scale = data.draw(st.integers(0, (1 << SCALE_BITS) - 1) | st.integers(1, 512))
    values, over = table_of(raw_bits, centre, scale, binary).scaled(np.array([[word + half * binary]]))
    exact = Fraction(word - centre, half) * Fraction(scale, 256)
    assert Fraction(int(values[0, 0]), 1 << value_frac(raw_bits)) == min(max(exact, -1), 1)
    assert over[0, 0] == (abs(exact) > 1)


@given(st.integers(-(1 << 15), 1 << 15))
def test_the_mean_over_all_draws_is_the_value(value: int) -> None:
    """At 8 base planes of words of 8 bits, 8 bits are rounded away, so that all their draws can be tried."""
    fields = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), axis=-1)
    base, up = round_values(np.full((256, 256), value), 8, 8, 2, fields | 5 << 20)
    q1, q2 = base + (up & 1), base + (up >> 1)
    assert Fraction(int(q1.sum()), 1 << 16) == Fraction(int(q2.sum()), 1 << 16) == Fraction(value, 256)
    assert Fraction(int((q1 * q2).sum()), 1 << 16) == Fraction(value, 256) ** 2


@given(raw_widths, base_planes, st.data())
def test_the_bias_is_as_told(raw_bits: int, p: int, data: st.DataObject) -> None:
    """Pairs of states whose draw carries, counted: each draw but 0 has as many pairs, N - 1."""
    drop = value_frac(raw_bits) - (p - 1)
    fraction = data.draw(st.integers(0, (1 << drop) - 1))
    states = (1 << LFSR_BITS) - 1
    carries = fraction << (
        LFSR_BITS - drop
    )  # draws whose field is one of the highest ones, of which none is 0
    exact = Fraction(fraction, 1 << drop)
    assert Fraction(carries * (states - 1), states**2) == exact * (1 - Fraction(1, states**2))
    fields = np.array([0, (1 << drop) - 1 - fraction, (1 << drop) - fraction])[: 2 + (fraction > 0)]
    _, up = round_values(np.full(fields.size, fraction), raw_bits, p, 1, fields[:, None])
    assert up.tolist() == [0, 0, 1][: fields.size]


@given(seeds, seeds)
def test_a_draw_is_one_state_with_another_order_of_the_other(first: int, second: int) -> None:
    """For each draw the other generator's bits are all used once, so that all draws have as many pairs of states."""
    states = np.array([first, second]) >> 1
    one, two = (int(draw) ^ int(state) for draw, state in zip(crossed(states), states, strict=True))
    assert one.bit_count() == int(states[1]).bit_count()
    assert two.bit_count() == int(states[0]).bit_count()
    for bit in range(LFSR_BITS):
        alone = crossed(np.array([0, 1 << bit]))
        assert alone.tolist() == [1 << (CROSSINGS[0] - bit) * 16 % LFSR_BITS, 1 << bit]


def test_any_two_draws_are_independent() -> None:
    """The bits that are used of two draws are independent functions of both states, up to 4096 values apart."""
    width = value_frac(16)

    def used(forms: list[int]) -> list[list[int]]:
        """The bits of both draws, from those of a generator's state; the second one's are other bits."""
        whole = [(form, form << LFSR_BITS) for form in forms]
        return [
            [
                whole[place][number] ^ whole[(first - 2 * place) % LFSR_BITS][1 - number]
                for place in range(width)
            ]
            for number, first in enumerate(CROSSINGS)
        ]

    forms = [1 << bit for bit in range(LFSR_BITS)]
    one, two = used(forms)
    assert independent([*one, *two])
    for _ in range(4096):
        forms = step_forms(forms)
        for later in used(forms):
            assert independent([*one, *later])
            assert independent([*two, *later])


@given(raw_widths, base_planes, seeds)
def test_bases_are_those_of_the_host(raw_bits: int, p: int, seed: int) -> None:
    one = 1 << value_frac(raw_bits)
    rng = np.random.default_rng(seed)
    values = np.concatenate([[-one, 0, one], rng.integers(-one, one + 1, 20)])
    draws = crossed(Lfsr(quantiser_seeds(seed)).draws(values.size))
    base, up = round_values(values, raw_bits, p, 2, draws)
    none = np.zeros(1, dtype=np.int16)
    host = quantise(values[None] / one, none, p, 2, seed=seed, epoch=0, rows=[0])
    assert base.tolist() == host.base[0].tolist()
    exact = values % (one >> (p - 1)) == 0
    assert up[exact].tolist() == host.up[0][exact].tolist()
    assert up[2] == 3


@given(seeds, base_planes, st.integers(0, 2), st.booleans())
def test_a_stream_may_be_cut_anywhere(seed: int, p: int, m: int, intercept: bool) -> None:
    table = table_of(12, 100, 250, rows=6)
    raw = np.random.default_rng(seed).integers(-1900, 2000, (9, 6))
    whole, parts = (
        DeviceQuantiser(table, p, m, intercept=intercept, seeds=quantiser_seeds(seed)) for _ in range(2)
    )
    codes, found = whole.quantise(raw), [parts.quantise(part) for part in np.split(raw, [2, 3])]
    for name in ("base", "up", "labels"):
        assert (
            np.concatenate([getattr(part, name) for part in found]).tolist() == getattr(codes, name).tolist()
        )
    assert (whole.saturated, whole.flags) == (parts.saturated, parts.flags)
    assert codes.base.shape == (9, 5 + intercept)
    if intercept:
        assert set(codes.base[:, -1].tolist()) == {(1 << (p - 1)) - 1}
        assert set(codes.up[:, -1].tolist()) == {(1 << m) - 1}


def test_up_bits_do_not_depend_on_the_number_of_draws_that_are_used() -> None:
    table, raw = table_of(10, 0, 256, rows=4), np.random.default_rng(1).integers(-512, 512, (50, 4))
    one, two = (DeviceQuantiser(table, 2, m, seeds=[3, 9]).quantise(raw) for m in (1, 2))
    assert one.up.tolist() == (two.up & 1).tolist()
    assert (two.up & 1).tolist() != (two.up >> 1).tolist()


def test_what_saturates_is_counted() -> None:
    table = ScaleTable(8, np.array([0, 10, 0]), np.array([512, 256, 256]), np.array([False, False, True]))
    golden = DeviceQuantiser(table, 2, 1, seeds=[1, 2])
    golden.quantise(np.array([[64, 0, 128], [-64, -118, 255]]))
    assert (golden.saturated, golden.flags) == (0, 0)
    codes = golden.quantise(np.array([[65, -119, 128]]))
    assert (golden.saturated, golden.flags) == (2, VALUE_SATURATED)
    assert codes.base[0, :2].tolist() == [1, -2]
    assert codes.up[0, :2].tolist() == [1, 0]
    last = ScaleTable(8, np.array([0, 0]), np.array([256, 512]), np.array([False, False]))
    golden = DeviceQuantiser(last, 2, 1, seeds=[1, 2])
    assert golden.quantise(np.array([[0, 64], [0, -64], [0, -65]])).labels.tolist() == [32767, -32768, -32768]
    assert (golden.saturated, golden.flags) == (2, LABEL_SATURATED)


def test_labels_are_rounded_half_up() -> None:
    words, over = label_words(np.array([127, 128, -128, -129, (1 << 23) - 129, (1 << 23) - 128, 1 << 23]), 16)
    assert words.tolist() == [0, 1, 0, -1, 32767, 32767, 32767]
    assert over.tolist() == [False] * 5 + [True] * 2


def test_seeds_are_not_those_of_the_core() -> None:
    for seed in range(50):
        assert not set(quantiser_seeds(seed)) & {
            word for epoch in range(4) for word in seed_words(seed, epoch, 8)
        }


@given(seeds)
def test_plane_words_are_the_bytes_of_the_wire(seed: int) -> None:
    table = table_of(16, 0, 256, rows=12)
    raw = np.random.default_rng(seed).integers(-(1 << 15), 1 << 15, (3, 12))
    codes = DeviceQuantiser(table, 3, 2, seeds=quantiser_seeds(seed)).quantise(raw)
    woven = weave(codes, SampleLayout(12, 3, 2, 8))
    assert plane_words(codes, 8) == woven[:, 2:].tolist()


def test_wrong_numbers_are_refused() -> None:
    for bits in (7, 17):
        with pytest.raises(ValueError, match=f"8 to 16 bits, not {bits}"):
            table_of(bits, 0, 1)
    with pytest.raises(ValueError, match=r"the centre of a column must be in -128\.\.127"):
        table_of(8, 128, 1)
    with pytest.raises(ValueError, match=r"the scale of a column must be in 0\.\.32767"):
        table_of(8, 0, 1 << SCALE_BITS)
    for word, binary in ((128, False), (-1, True)):
        with pytest.raises(ValueError, match=r"raw words of 8 bits are in -128\.\.127, or in 0\.\.255"):
            table_of(8, 0, 1, binary).scaled(np.array([[word]]))
    for p, m in ((0, 1), (9, 1), (2, 3)):
        with pytest.raises(ValueError, match=f"not {p} and {m}"):
            DeviceQuantiser(table_of(8, 0, 1), p, m, seeds=[1, 2])
    with pytest.raises(ValueError, match="different seeds"):
        DeviceQuantiser(table_of(8, 0, 1), 2, 1, seeds=[7, 7])
