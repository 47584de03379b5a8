"""Quantised samples and their layout on the wire."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_samples import base_planes, codes_of, layouts, quantised_values, random_codes, seeds, up_planes

from zipsgd.golden.quantise import FRACTION_BITS, Codes, fixed_point, quantise, row_keys, uniform16
from zipsgd.golden.weave import unweave, weave
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout


@given(seeds, base_planes, up_planes, st.integers(0, 1000))
def test_ends_and_zero_are_exact(seed: int, p: int, m: int, epoch: int) -> None:
    values = np.array([[-1.0, 0.0, 1.0] * 20])
    codes = quantise(values, np.zeros(1, np.int16), p, m, seed=seed, epoch=epoch, rows=[seed % 1000])
    scale = 1 << (p - 1)
    for q in quantised_values(codes):
        expected = values * scale
        if m == 0:  # truncation has no level for +1
            expected = np.minimum(expected, scale - 1)
        np.testing.assert_array_equal(q, expected)


@given(seeds, base_planes, up_planes)
def test_quantised_values_surround_the_value(seed: int, p: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (5, 40)).astype(np.float32)
    codes = quantise(values, np.zeros(5, np.int16), p, m, seed=seed, epoch=1, rows=np.arange(5))
    assert codes.base.min() >= -(1 << (p - 1))
    assert codes.base.max() < 1 << (p - 1)
    scaled = values.astype(np.float64) * (1 << (p - 1))
    for q in quantised_values(codes):
        assert np.all(np.abs(q - scaled) <= 1 + 2.0**-17)


@given(seeds, base_planes)
def test_levels_are_exact_for_all_draws(seed: int, p: int) -> None:
    scale = 1 << (p - 1)
    levels = np.arange(-scale, scale + 1) / scale
    values = np.tile(levels, (7, 1))
    codes = quantise(values, np.zeros(7, np.int16), p, 2, seed=seed, epoch=0, rows=np.arange(7))
    for q in quantised_values(codes):
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


def test_up_bits_depend_on_the_row_number_and_not_on_its_position() -> None:
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


@given(seeds, base_planes)
def test_fixed_point_is_the_nearest(seed: int, p: int) -> None:
    values = np.random.default_rng(seed).uniform(-1, 1, (3, 30))
    unit = 2.0 ** -(p - 1 + FRACTION_BITS)
    assert np.all(np.abs(fixed_point(values, p) * unit - values) <= unit / 2)


@given(seeds, st.integers(1, 7), layouts())
def test_unweave_inverts_weave(seed: int, count: int, layout: SampleLayout) -> None:
    codes = codes_of(seed, count, layout)
    data = weave(codes, layout)
    assert data.shape == (count, layout.size)
    sent = layout.features - layout.intercept
    label_bytes = 1 if layout.label_form else 2 * layout.labels
    assert label_bytes <= layout.size <= label_bytes + layout.planes * -(-sent // 8)
    back = unweave(data, layout)
    for name in ("base", "up", "labels"):
        np.testing.assert_array_equal(getattr(back, name), getattr(codes, name))


@given(seeds, st.integers(1, 3), layouts())
def test_without_the_intercept_a_sample_is_one_of_fewer_features(
    seed: int, count: int, layout: SampleLayout
) -> None:
    if layout.features == 1:
        return
    codes = codes_of(seed, count, replace(layout, intercept=True))
    fewer = replace(codes, base=codes.base[:, :-1], up=codes.up[:, :-1])
    np.testing.assert_array_equal(
        weave(codes, replace(layout, intercept=True)),
        weave(fewer, replace(layout, intercept=False, features=layout.features - 1)),
    )


def test_what_layouts_refuse() -> None:
    for wrong, message in (
        ({"features": 0}, "one feature or more, not 0"),
        ({"p": 9}, r"p must be in 0\.\.8, not 9"),
        ({"m": -1}, r"m must be in 0\.\.8, not -1"),
        ({"lanes": 12}, "power of two in 4..256, not 12"),
        ({"labels": 0}, "one label or more, not 0"),
        ({"labels": 2, "label_form": LabelForm.BYTE}, "2 labels takes words for labels, not the form BYTE"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(SampleLayout(9, 2, 1, 8), **wrong)
    codes = random_codes(1, 2, 9, 2, 1)
    with pytest.raises(ValueError, match=r"\(9, 2, 1, 1\), those of the layout \(8, 2, 1, 1\)"):
        weave(codes, SampleLayout(8, 2, 1, 8))
    for form, word in (
        (LabelForm.BYTE, 256),
        (LabelForm.BYTE, -1),
        (LabelForm.SIGN, 0),
        (LabelForm.SIGN, -32768),
    ):
        labelled = replace(codes, labels=np.array([1 if form == LabelForm.BYTE else 32767, word], np.int16))
        with pytest.raises(ValueError, match=rf"labels of the form {form.name} must be .*, not {word}"):
            weave(labelled, SampleLayout(9, 2, 1, 8, label_form=form))


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
    np.testing.assert_array_equal(
        weave(codes, SampleLayout(9, 2, 1, 8)), [[0xFE, 0xFF, sign, low, up, 1, 1, 1]]
    )
    # on sixteen lanes: whole bytes of each plane
    np.testing.assert_array_equal(
        weave(codes, SampleLayout(9, 2, 1, 16)), [[0xFE, 0xFF, sign, 1, low, 1, up, 1]]
    )
    # on four lanes: half bytes, low half first
    nibbles = [0x3, 0xA, 0x1, 0x3, 0xA, 0x8, 0x1, 0x1, 0x1, 0x0]
    packed = [nibbles[i] | nibbles[i + 1] << 4 for i in range(0, 10, 2)]
    np.testing.assert_array_equal(weave(codes, SampleLayout(9, 2, 1, 4)), [[0xFE, 0xFF, *packed]])
    # the ninth feature is the intercept: on eight lanes its planes have no bytes, on four no half bytes
    for label, form, label_bytes in ((-2, LabelForm.WORD, [0xFE, 0xFF]), (7, LabelForm.BYTE, [7])):
        one = replace(codes, labels=np.array([label], dtype=np.int16))
        for lanes in (8, 16):
            layout = SampleLayout(9, 2, 1, lanes, intercept=True, label_form=form)
            np.testing.assert_array_equal(weave(one, layout), [[*label_bytes, sign, low, up]])
        layout = SampleLayout(9, 2, 1, 4, intercept=True, label_form=form)
        np.testing.assert_array_equal(weave(one, layout), [[*label_bytes, 0xA3, 0x31, 0x8A]])
    for label, byte in ((32767, 1), (-32767, 0)):
        one = replace(codes, labels=np.array([label], dtype=np.int16))
        layout = SampleLayout(9, 2, 1, 8, intercept=True, label_form=LabelForm.SIGN)
        np.testing.assert_array_equal(weave(one, layout), [[byte, sign, low, up]])
    # an intercept alone: the sample is its label
    layout = SampleLayout(1, 2, 1, 8, intercept=True)
    alone = replace(codes, base=codes.base[:, :1], up=codes.up[:, :1])
    np.testing.assert_array_equal(weave(alone, layout), [[0xFE, 0xFF]])
    assert unweave(weave(alone, layout), layout).base.tolist() == [[1]]


@pytest.mark.parametrize(
    ("layout", "size"),
    [
        (SampleLayout(9, 2, 2, 8), 10),
        (SampleLayout(9, 2, 2, 8, intercept=True), 6),  # California housing at 4 bits
        (SampleLayout(785, 2, 1, 64), 2 + 3 * 99),  # MNIST at 3 bits
        (SampleLayout(785, 2, 1, 64, intercept=True, label_form=LabelForm.BYTE), 1 + 3 * 98),
        (SampleLayout(9, 2, 2, 8, 16, intercept=True), 4 + 16 * 2),  # heads with labels of their own
    ],
    ids=str,
)
def test_bytes_of_a_sample(layout: SampleLayout, size: int) -> None:
    assert layout.size == size
