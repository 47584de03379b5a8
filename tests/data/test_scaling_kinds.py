"""Kinds of scaling: what each keeps and clips, and predictions that clip alike."""

from statistics import NormalDist

import numpy as np
import pytest
from scipy import sparse

from zipsgd.data import Scaling, Table
from zipsgd.data.clipping import Clipped, clip_columns, describe_clipped, outputs_of
from zipsgd.data.spread import deviations, far, inner, sample_of
from zipsgd.golden.quantise import fixed_point
from zipsgd.rows import ranges

ROWS = 4000


@pytest.fixture(scope="module")
def table() -> Table:
    """Columns: normal, with a long tail, a rare event, constant, and normal with one value far out."""
    rng = np.random.default_rng(3)
    features = np.column_stack(
        [
            rng.normal(5, 2, ROWS),
            rng.lognormal(0, 1, ROWS),
            np.arange(ROWS) % 1999 == 0,
            np.full(ROWS, 7.0),
            np.where(np.arange(ROWS) == 9, 1e4, rng.normal(size=ROWS)),
        ]
    )
    return Table.from_arrays(features, rng.normal(size=ROWS), ["normal", "tail", "rare", "same", "far"])


def clipped_shares(scaling: Scaling) -> dict[str, float]:
    return {each.name: each.share for each in scaling.clipped}


def test_range_clips_nothing(table: Table) -> None:
    scaling = Scaling.fit(table)
    assert scaling.clipped == ()
    np.testing.assert_array_equal(scaling.centre, Scaling.fit(table, kind="range").centre)


def test_standard_keeps_as_many_deviations_as_a_normal_column_has_values(table: Table) -> None:
    scaling = Scaling.fit(table, kind="standard", clip=0.05)
    column = table.features[:, 0]
    reach = NormalDist().inv_cdf(0.975)
    assert scaling.centre[0] == pytest.approx(column.mean())
    assert scaling.spread[0] == pytest.approx(reach * column.std())
    shares = clipped_shares(scaling)
    assert shares["normal"] == pytest.approx(0.05, abs=0.015)
    assert shares["far"] == 1 / ROWS
    assert shares["rare"] == np.count_nonzero(table.features[:, 2]) / ROWS
    assert "same" not in shares
    assert not scaling.features(table.features)[:, 3].any()


@pytest.mark.parametrize("clip", [0.001, 0.1])
def test_quantile_clips_the_share_that_is_asked_for(table: Table, clip: float) -> None:
    scaling = Scaling.fit(table, kind="quantile", clip=clip)
    shares = clipped_shares(scaling)
    assert 0 < shares["normal"] <= clip * 1.01
    assert clip / 2.5 <= shares["tail"] <= clip * 1.01  # of a long tail, only its far end is clipped
    assert "rare" not in shares  # nearly all values are equal: the others are what the column says
    assert scaling.spread[4] < 10
    for each in scaling.clipped:
        assert each.low == scaling.centre[each.column] - scaling.spread[each.column]
        assert each.high == scaling.centre[each.column] + scaling.spread[each.column]


def test_one_scale_keeps_0_and_the_ratios(table: Table) -> None:
    features = table.features[:, :3] * [1, -1, 1]
    scaling = Scaling.fit(Table.from_arrays(features, table.labels), kind="none")
    np.testing.assert_array_equal(scaling.centre, 0)
    np.testing.assert_array_equal(scaling.spread, np.abs(features).max())
    scaled = scaling.features(features)
    np.testing.assert_array_equal(scaled[:, :-1], (features / np.abs(features).max()).astype(np.float32))
    zeros = scaled[features[:, 2] == 0, 2:3]
    assert zeros.size
    for base_bits in range(1, 9):  # 0 is an exact level: never rounded
        assert not (fixed_point(zeros, base_bits) & 0xFFFF).any()


@pytest.mark.parametrize("kind", ["standard", "quantile"])
@pytest.mark.parametrize("steps", [1, 15, 127])
def test_the_ends_of_clipped_columns_are_on_the_grid(table: Table, kind: str, steps: int) -> None:
    scaled = Scaling.fit(table, steps, kind).features(table.features)
    for ends in (scaled.min(axis=0), scaled.max(axis=0)):
        places = ends * np.float64(steps)
        np.testing.assert_allclose(places, np.rint(places), atol=1e-5 * steps)


def test_ranges_that_are_known_are_not_computed_again(table: Table) -> None:
    found = ranges(table.features)
    wider = found._replace(high=found.high * 2)
    assert Scaling.fit(table, found=wider).spread[1] > Scaling.fit(table).spread[1]


def test_deviations_of_tiny_and_huge_columns() -> None:
    values = np.array([[1.0, 2.0, 4.0]]).T * [1e-300, 1, 1e300, 0]
    expected = np.std([1, 2, 4]) * np.array([1e-300, 1, 1e300, 0])
    np.testing.assert_allclose(deviations(values, ranges(values)), expected, rtol=1e-12)


def test_inner_leaves_out_at_least_one_value_at_either_end() -> None:
    values = np.array([[9.0, 1, 5, 2, 1000]]).T
    low, high, mean = inner(values, 1e-6)
    assert (low[0], high[0], mean[0]) == (2, 9, (2 + 2 + 5 + 9 + 9) / 5)


def test_far_columns(table: Table) -> None:
    low, high, _ = ranges(table.features)
    assert far(table.features, low, high).tolist() == [False, False, False, False, True]
    assert not far(table.features[:50], low, high).any()  # of so few rows nothing can be said


def test_a_sample_depends_on_the_shape_alone_and_is_bounded() -> None:
    np.testing.assert_array_equal(sample_of(100, 5), np.arange(100))
    index = sample_of(10**6, 1000)
    assert index.size * 1000 <= 1 << 22
    np.testing.assert_array_equal(index, np.unique(index))
    np.testing.assert_array_equal(index, sample_of(10**6, 1000))


CLIPPED = (Clipped(0, "a", -1.0, 2.0, 0.25), Clipped(2, "c", 0.5, 3.0, 0.5))


def test_outputs_of_dense_and_sparse_rows_are_clipped_alike() -> None:
    rows = np.array([[5.0, 9, 0], [-7, 0, 1], [0, 0, 1e300]])
    coef, intercept = np.array([[1.0, 10, 100], [0, 1, -1]]), np.array([0.5, 0])
    expected = np.array([[2.0, 9, 0.5], [-1, 0, 1], [0, 0, 3]]) @ coef.T + intercept
    np.testing.assert_allclose(outputs_of(rows, coef, intercept, CLIPPED), expected)
    np.testing.assert_allclose(outputs_of(sparse.csr_matrix(rows), coef, intercept, CLIPPED), expected)
    np.testing.assert_allclose(
        outputs_of(sparse.csr_matrix(rows), coef, intercept, ()), rows @ coef.T + intercept
    )
    assert rows[0, 0] == 5  # the rows themselves stay
    assert clip_columns(rows, ()) is rows


def test_clipped_columns_as_text() -> None:
    assert describe_clipped(CLIPPED) == "50 % of 'c', 25 % of 'a'"
    many = [Clipped(j, f"x{j}", 0, 1, 0.001) for j in range(8)]
    assert describe_clipped(many).endswith("0.1 % of 'x4' and 3 more")
