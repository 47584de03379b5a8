"""Levels of the golden model: their codes on the wire, the transcoder's output, and the absence of bias."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.golden.gradient import transcoded_gradient
from zipsgd.golden.levels import LevelTable, transcode
from zipsgd.golden.loss import Step
from zipsgd.golden.quantise import Codes, quantise, quantise_fixed_point
from zipsgd.golden.run import RunConfig
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.golden.weave import unweave, weave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.samples import SampleLayout

seeds = st.integers(0, 2**32 - 1)


def random_table(rng: np.random.Generator, features: int, p: int, bits: int) -> LevelTable:
    limit = 1 << (bits - 1)
    levels = np.sort(rng.integers(-limit, limit, (features, (1 << p) + 1)), axis=1)
    return LevelTable(levels.astype(np.int16), bits)


def inside(rng: np.random.Generator, table: LevelTable, rows: int) -> np.ndarray:
    """Values within the levels, some of them on one."""
    low, high = table.values[:, 0], table.values[:, -1]
    values = rng.uniform(low, np.maximum(high, low), (rows, low.size))
    on = rng.integers(0, table.values.shape[1], values.shape)
    level = table.values[np.arange(low.size), on]
    chosen = np.where(rng.random(values.shape) < 0.3, level, values)
    return np.clip(
        chosen / (1 << (table.bits - 1)), low / (1 << (table.bits - 1)), high / (1 << (table.bits - 1))
    )


@given(seeds, st.integers(0, 4), st.integers(2, 8), st.integers(1, 2))
def test_quantisations_are_levels_around_the_value(seed: int, p: int, bits: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    table = random_table(rng, 7, p, bits)
    values = inside(rng, table, 9)
    fixed = table.fixed_point(values)
    codes = quantise_fixed_point(fixed, np.zeros(9, np.int16), p, m, seed=seed, epoch=0, rows=np.arange(9))
    layout = SampleLayout(7, p, m, 8)
    back = unweave(weave(codes, layout), layout)
    np.testing.assert_array_equal(back.base, codes.base)
    scaled = values * (1 << (bits - 1))
    for quantised in transcode(back, table):
        assert quantised.p == bits
        for column, levels in enumerate(table.values.astype(int)):
            for value, level in zip(scaled[:, column], quantised.base[:, column].astype(int), strict=True):
                assert level in levels
                below = levels[levels <= value].max()
                above = levels[levels >= value].min()
                # a probability below 2^-17 is rounded to 0
                assert level in (below, above) or abs(level - value) < 2.0**-8
                if value in levels:
                    assert level == value


def test_no_bias() -> None:
    """Over all 2^16 uniform numbers, the mean is the value to 16 bits of the gap."""
    table = LevelTable(np.array([[-100, -3, 7, 90, 127]], dtype=np.int16), 8)
    values = np.array([[-77.25], [-3.0], [1.5], [126.0], [127.0]]) / 128
    fixed = table.fixed_point(values).astype(np.int64)
    uniform = np.arange(1 << 16)
    index = (fixed + (1 << 16) - 1 - uniform[None, :]) >> 16
    levels = table.values[0].astype(np.int64)[index + 2]
    gaps = np.diff(table.values[0]).max()
    assert np.all(np.abs(levels.mean(axis=1) - values[:, 0] * 128) <= gaps * 2.0**-17)


def test_even_levels_are_those_of_the_plain_quantiser() -> None:
    """A table of even levels trains the same model from the same wire bytes, up to what the top level lacks."""
    rng = np.random.default_rng(3)
    p, bits = 2, 6
    even = np.arange(-2, 3) * 16
    even[-1] = 31  # +32 has no place in six bits
    table = LevelTable(np.tile(even, (5, 1)).astype(np.int16), bits)
    values = rng.uniform(-1, 0.45, (40, 5))
    labels = rng.integers(-(1 << 14), 1 << 14, 40).astype(np.int16)
    rows = np.arange(40)
    plain = quantise(values, labels, p, 2, seed=1, epoch=0, rows=rows)
    coded = quantise_fixed_point(table.fixed_point(values), labels, p, 2, seed=1, epoch=0, rows=rows)
    layout = SampleLayout(5, p, 2, 8)
    np.testing.assert_array_equal(weave(plain, layout), weave(coded, layout))
    build = Build()
    first = GoldenTrainer(build, np.arange(5) << 17, RunConfig(5, batch=8), seed=2)
    second = GoldenTrainer(build, np.arange(5) << 17, RunConfig(5, table.p, batch=8, levels=table), seed=2)
    step = Step.nearest(0.01)
    assert first.epoch(plain, step) == second.epoch(coded, step)
    np.testing.assert_array_equal(first.master, second.master)


@given(seeds, st.integers(0, 3), st.integers(2, 8), st.integers(0, 2), st.booleans())
def test_gradient_is_exact(seed: int, p: int, bits: int, m: int, one_sided: bool) -> None:
    rng = np.random.default_rng(seed)
    build = Build()
    table = random_table(rng, 6, p, bits)
    half = 1 << p >> 1
    codes = Codes(
        rng.integers(-half, (1 << p) - half, (4, 6)).astype(np.int8),
        rng.integers(0, 1 << m, (4, 6)).astype(np.uint8),
        np.zeros(4, np.int16),
        p,
        m,
    )
    quantised = transcode(codes, table)
    delta = rng.integers(-(1 << 17) + 1, 1 << 17, (4, max(1, m)))
    got = transcoded_gradient(quantised, delta, one_sided, build)
    for j in range(6):
        total = 0
        for i in range(4):
            q = [int(each.base[i, j]) for each in quantised]
            d = [int(x) for x in delta[i]]
            if m == 2 and not one_sided:
                total += q[0] * d[1] + q[1] * d[0]
            else:
                total += 2 * q[0] * d[-1]
        assert got[j] == total << (build.p_max - bits)
    assert np.abs(got).max() < 1 << (build.accumulator_bits - 1)


def test_bad_tables_and_values_are_named() -> None:
    with pytest.raises(ValueError, match=r"shape \(features, 2\^p \+ 1\), not \(3, 4\)"):
        LevelTable(np.zeros((3, 4), np.int16), 8)
    with pytest.raises(ValueError, match="2 to 8 bits, not 9"):
        LevelTable(np.zeros((3, 5), np.int16), 9)
    with pytest.raises(ValueError, match=r"must be in -8\.\.7"):
        LevelTable(np.full((3, 2), 8, np.int16), 4)
    with pytest.raises(ValueError, match="must not decrease"):
        LevelTable(np.array([[3, 2]], np.int16), 4)
    table = LevelTable(np.array([[-4, 4]], np.int16), 4)
    for bad in (0.75, -0.75, np.nan):
        with pytest.raises(ValueError, match="within their column's levels"):
            table.fixed_point(np.array([[bad]]))
