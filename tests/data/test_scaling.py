"""Scaling: nothing is clipped, the ends are exact levels, and the inverse returns to the units of the data."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zipsgd.data import DataError, Scaling, Table

VALUES = st.floats(-1e6, 1e6, width=32)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables whose columns and labels vary by more than rounding."""
    rows, columns = draw(st.integers(2, 8)), draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    features = draw(hnp.arrays(dtype, (rows, columns), elements=VALUES))
    labels = draw(hnp.arrays(np.float64, rows, elements=VALUES))
    for column in (*features.T, labels):
        assume(np.ptp(column) > 1e-3 * (1 + np.abs(column).max()))
    return Table.from_arrays(features, labels)


@given(tables())
def test_the_ends_are_exact_and_nothing_is_clipped(table: Table) -> None:
    scaling = Scaling.fit(table)
    scaled = scaling.features(table.features)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled[:, -1], 1)  # the intercept's column
    np.testing.assert_array_equal(np.abs(scaled[:, :-1]).max(axis=0), 1)
    back = scaled[:, :-1] * scaling.spread + scaling.centre
    np.testing.assert_allclose(back, table.features, rtol=1e-6, atol=1e-6 * scaling.spread.max())
    labels = scaling.labels(table.labels)
    assert labels.dtype == np.int16
    back = labels * 2.0**-15 * scaling.label_spread + scaling.label_centre
    np.testing.assert_allclose(back, table.labels, atol=scaling.label_spread * 2.0**-14)


@given(tables(), st.sampled_from([1, 3, 15, 127]))
def test_both_ends_on_a_grid(table: Table, steps: int) -> None:
    """Multiples of 1 / steps, one of them +-1, and the centre near the mean."""
    free, scaling = Scaling.fit(table), Scaling.fit(table, steps)
    scaled = scaling.features(table.features)
    np.testing.assert_array_equal(np.abs(scaled[:, :-1]).max(axis=0), 1)
    for ends in (scaled.min(axis=0), scaled.max(axis=0)):
        np.testing.assert_array_equal(ends, (np.rint(ends * np.float64(steps)) / steps).astype(np.float32))
    back = scaled[:, :-1] * scaling.spread + scaling.centre
    np.testing.assert_allclose(back, table.features, rtol=1e-6, atol=1e-6 * scaling.spread.max())
    assert np.all(np.abs(scaling.centre - free.centre) <= 0.5001 * free.spread / steps)


@given(tables(), st.data())
def test_coefficients_predict_in_the_datas_units(table: Table, data: st.DataObject) -> None:
    """For any model in scaled units, both ways to a prediction agree."""
    scaling = Scaling.fit(table)
    columns = table.features.shape[1]
    model = data.draw(hnp.arrays(np.float64, columns + 1, elements=st.floats(-8, 8)))
    coef, intercept = scaling.coefficients(model)
    assert coef.shape == (columns,)
    exact = (table.features - scaling.centre) / scaling.spread @ model[:-1] + model[-1]
    expected = exact * scaling.label_spread + scaling.label_centre
    predicted = table.features.astype(np.float64) @ coef + intercept
    size = np.abs(coef) @ np.abs(table.features).max(axis=0) + abs(intercept) + scaling.label_spread
    np.testing.assert_allclose(predicted, expected, atol=1e-12 * size)


def test_new_values_outside_are_clipped() -> None:
    scaling = Scaling.fit(Table.from_arrays([[0.0], [2.0]], [0, 1]))
    np.testing.assert_array_equal(scaling.features(np.array([[5.0], [-3.0], [1.5]]))[:, 0], [1, -1, 0.5])


def test_small_and_offset_columns_vary(caplog: pytest.LogCaptureFixture) -> None:
    """A column that varies only in its last places counts, and a constant one does not."""
    features = np.array([[1e-15, 1e9], [2e-15, 1e9 + 1], [4e-15, 1e9 + 3]])
    scaled = Scaling.fit(Table.from_arrays(features, [0, 1, 2])).features(features)
    np.testing.assert_array_equal(np.abs(scaled[:, :2]).max(axis=0), 1)
    constant = np.full((1000, 1), 0.1) * np.ones(2)
    constant[:, 1] = np.arange(1000)
    caplog.set_level("INFO", "zipsgd")
    scaling = Scaling.fit(Table.from_arrays(constant, np.arange(1000)))
    assert not scaling.features(constant)[:, 0].any()
    assert caplog.messages == ["the arrays: 1 of 2 columns never vary ('column 0'): their weights stay 0"]


def test_data_that_cannot_be_scaled_are_named() -> None:
    with pytest.raises(DataError, match="near the largest float64"):
        Scaling.fit(Table.from_arrays([[1.7e308], [1.6e308], [-1.7e308]], [1, 2, 3]))
    with pytest.raises(DataError, match="near the largest float64"):
        Scaling.fit(Table.from_arrays([[1], [2], [3]], [1.7e308, 1.6e308, -1.7e308]))


def test_without_constant_columns() -> None:
    table = Table.from_arrays([[1, 5, 2], [1, 6, 3]], [0, 1], ["a", "b", "c"])
    kept = table.without_constant_columns()
    assert kept.names == ("b", "c")
    np.testing.assert_array_equal(kept.features, [[5, 2], [6, 3]])
    with pytest.raises(DataError, match="all columns are constant"):
        Table.from_arrays([[1], [1]], [0, 1]).without_constant_columns()
