"""Samples in doubt: all others are on the side of the margin where they appear to be, for certain or nearly always."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.golden.bound import score_bounds
from zipsgd.golden.dot import dot
from zipsgd.golden.loss import doubtful
from zipsgd.golden.quantise import FRACTION_BITS, Codes, fixed_point, quantise, quantise_fixed_point
from zipsgd.golden.rounding import Int
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE
from zipsgd.protocol.run import Refetch

BUILDS = (
    Build(hinge=1, refetch=64),
    Build(hinge=1, refetch=64, q3_bits=16),
    Build(hinge=1, refetch=64, p_max=5),
)
LEVEL = 1 << FRACTION_BITS
RARE = 2 * math.exp(-8)


@dataclass(frozen=True)
class Sample:
    """One sample before and after quantisation. ``fixed``: shape (features,), in units of 1 / LEVEL of the last base plane."""

    build: Build
    fixed: Int
    q3: Int
    codes: Codes

    @property
    def z(self) -> Int:
        return dot(self.codes, self.q3)

    def sides(self, labels: Int, exact: bool) -> Int:
        """Of the margins at ``labels``, by the features themselves or by z_1: -1, 0 or 1."""
        shift = self.build.z_shift(self.codes.p)
        score = int(self.fixed @ self.q3) if exact else int(self.z[0, 0]) * LEVEL
        return np.sign((score << shift) - (labels * LEVEL << (self.build.residual_frac - LABEL_FRAC)))

    @property
    def base_z(self) -> int:
        return int(dot(replace(self.codes, m=0), self.q3)[0, 0])

    def labels_near(self, *scores: int) -> Int:
        """Those at ``scores``, and the next ones."""
        shift, label_shift = self.build.z_shift(self.codes.p), self.build.residual_frac - LABEL_FRAC
        edges = [score << shift >> label_shift for score in scores]
        return np.add.outer(edges, np.arange(-2, 3)).ravel()

    def trusted(self, labels: Int, bounds: tuple[int, int]) -> Int:
        return ~doubtful(np.repeat(self.base_z, labels.size), labels, self.codes.p, bounds, self.build)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Features on levels, next to them and between; up bits drawn, or all that are not impossible, against the model."""
    build = draw(st.sampled_from(BUILDS))
    p, m = draw(st.integers(1, build.p_max)), draw(st.integers(1, 2))
    most, limit = LEVEL << (p - 1), 1 << (build.q3_bits - 1)
    next_to_levels = st.builds(
        lambda level, off: max(-most, min(most, level * LEVEL + off)),
        st.integers(-(1 << (p - 1)), 1 << (p - 1)),
        st.integers(-1, 1),
    )
    pairs = draw(
        st.lists(
            st.tuples(st.integers(-most, most) | next_to_levels, st.integers(-limit, limit - 1)),
            min_size=1,
            max_size=12,
        )
    )
    fixed, q3 = (np.array(each) for each in zip(*pairs, strict=True))
    labels = np.zeros(1, dtype=np.int16)
    codes = quantise_fixed_point(
        fixed[None].astype(np.int32), labels, p, m, seed=draw(st.integers(0, 99)), epoch=0, rows=[0]
    )
    against = draw(st.sampled_from([0, 1, -1]))
    if against:
        fraction = fixed - codes.base[0].astype(np.int64) * LEVEL
        up = np.where(fraction == LEVEL, 1, np.where(fraction == 0, 0, q3 * against > 0))
        codes = Codes(codes.base, up[None].astype(np.uint8), labels, p, 1)
    return Sample(build, fixed, q3, codes)


@given(samples(), st.lists(st.integers(-LABEL_ONE, LABEL_ONE), max_size=4))
def test_certain_trusts_no_sample_on_the_wrong_side(sample: Sample, more: list[int]) -> None:
    below, above = score_bounds(sample.q3, Refetch.CERTAIN)
    near = sample.labels_near(sample.base_z - below, sample.base_z, sample.base_z + above)
    labels = np.concatenate([near, [LABEL_ONE, -LABEL_ONE], more]).astype(np.int64)
    trusted = sample.trusted(labels, (below, above))
    same = sample.sides(labels, exact=True) == sample.sides(labels, exact=False)
    assert np.all(same[trusted])


@pytest.mark.parametrize("side", [0, 1])
def test_no_smaller_bound_is_certain(side: int) -> None:
    """z_1 is at the end of the range that the base planes allow. The sample is next to it, with the margin between the two."""
    build = BUILDS[0]
    rng = np.random.default_rng(1)
    for p in range(1, build.p_max + 1):
        q3 = rng.integers(-300, 300, 40)
        levels = rng.integers(-(1 << (p - 1)), 1 << (p - 1), 40)
        up = (q3 > 0) == (side == 1)
        fixed = levels * LEVEL + np.where(up, LEVEL - 1, 1)
        label = np.zeros(1, dtype=np.int16)
        codes = Codes(levels[None].astype(np.int8), up[None].astype(np.uint8), label, p, 1)
        sample = Sample(build, fixed, q3, codes)
        below, above = score_bounds(q3, Refetch.CERTAIN)
        end = sample.base_z + (above if side else -below)
        assert end == sample.z[0, 0]
        edge = sample.labels_near(end)
        wrong = sample.sides(edge, exact=True) != sample.sides(edge, exact=False)
        assert not np.any(wrong & sample.trusted(edge, (below, above)))
        smaller = (below, above - 1) if side else (below - 1, above)
        assert np.any(wrong & sample.trusted(edge, smaller))


@pytest.mark.parametrize("p", [1, 3])
def test_likely_trusts_hardly_a_sample_on_the_wrong_side(p: int) -> None:
    """Features half way between levels, of a sample so close to the margin that its side is random. Half the bound is too
    small.
    """
    build, count, features = BUILDS[0], 100_000, 48
    rng = np.random.default_rng(2)
    q3 = rng.choice([-7, 7], features)
    half = (rng.integers(-(1 << (p - 1)), 1 << (p - 1), features) + 0.5) * 2.0 ** (1 - p)
    score = int(fixed_point(half, p).astype(np.int64) @ q3) << build.z_shift(p) >> FRACTION_BITS
    labels = np.full(count, score - 1, dtype=np.int16)
    codes = quantise(np.tile(half, (count, 1)), labels, p, 1, seed=3, epoch=0, rows=np.arange(count))
    z = dot(codes, q3)
    below = (z[:, 0] << build.z_shift(p)) < labels
    assert 0.4 < below.mean() < 0.6

    def wrong(bound: int) -> float:
        return float((below & ~doubtful(z[:, 0], labels, p, (bound, bound), build)).mean())

    likely, _ = score_bounds(q3, Refetch.LIKELY)
    assert likely < sum(score_bounds(q3, Refetch.CERTAIN))
    assert wrong(likely) < RARE
    assert wrong(likely // 2) > 10 * RARE
    base = dot(replace(codes, m=0), q3)[:, 0]
    trusted = ~doubtful(base, labels, p, score_bounds(q3, Refetch.CERTAIN), build)
    assert not np.any(below & trusted)


@given(
    st.integers(6, 18).flatmap(lambda bits: st.lists(st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)))
)
def test_the_bound_without_a_square_root(words: list[int]) -> None:
    q3 = np.array(words, dtype=np.int64)
    squares = sum(word * word for word in words)
    below, above = score_bounds(q3, Refetch.CERTAIN)
    assert (above - below, above + below) == (sum(words), sum(map(abs, words)))
    bound, same = score_bounds(q3, Refetch.LIKELY)
    assert bound == same
    assert bound**2 >= 4 * squares
    assert bound <= 1.07 * 2 * math.sqrt(squares) + 2
