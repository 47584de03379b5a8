"""What converters' words stand for, the tables made for them, and models in the units of the data."""

import numpy as np
import pytest

from zipsgd import DataError, Scaling
from zipsgd.data import Converter
from zipsgd.data.table import Table
from zipsgd.golden.device_quantiser import DeviceQuantiser
from zipsgd.protocol.raw_words import SCALE_BITS, VALUE_SATURATED, value_frac


def data(seed: int = 0, rows: int = 400) -> np.ndarray:
    """Columns of different units, and a label that is linear in them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)) * [1, 30, 0.01, 1e5] + [5, -200, 0, 1e6]
    return np.column_stack([x, x @ [2, -0.1, 300, 1e-5] + rng.normal(size=rows)])


def fitted(values: np.ndarray) -> Scaling:
    return Scaling.fit(Table(values[:, :-1], values[:, -1], tuple("abcd"), "y", "here"))


@pytest.mark.parametrize("raw_bits", [8, 12, 16])
@pytest.mark.parametrize("binary", [False, True])
def test_the_model_comes_back_in_the_units_of_the_data(raw_bits: int, binary: bool) -> None:
    """Least squares on the device's values is least squares on what the words stand for."""
    values = data()
    low, high = values.min(axis=0) - 1, values.max(axis=0) + 1
    converter = Converter.of_ranges(low, high, raw_bits, offset_binary=binary)
    words = converter.words(values)
    assert words.min() >= (0 if binary else -(1 << (raw_bits - 1)))
    assert np.all(np.abs(converter.values(words) - values) <= converter.step * 0.5001)
    table = converter.table(fitted(values))
    scaled, over = table.scaled(words)
    assert not over.any()
    assert DeviceQuantiser(table, 2, 1, seeds=[1, 2]).quantise(words).labels.max() <= 32767
    a = scaled / (1 << value_frac(raw_bits))
    rows = np.column_stack([a[:, :-1], np.ones(len(a))])
    coef, intercept = converter.scaling(table).coefficients(np.linalg.lstsq(rows, a[:, -1])[0])
    real = converter.values(words)
    exact = np.linalg.lstsq(np.column_stack([real[:, :-1], np.ones(len(a))]), real[:, -1])[0]
    assert coef == pytest.approx(exact[:-1], rel=1e-6)
    assert intercept == pytest.approx(exact[-1], rel=1e-6)


def test_values_reach_nearly_one_and_labels_do_not_saturate() -> None:
    values = data(1)
    spread = np.ptp(values, axis=0)
    converter = Converter.of_ranges(values.min(axis=0) - spread, values.max(axis=0) + spread, 16)
    table = converter.table(fitted(values))
    golden = DeviceQuantiser(table, 2, 1, seeds=[1, 2])
    golden.quantise(converter.words(values))
    assert golden.saturated == 0
    reach = np.abs(table.scaled(converter.words(values))[0]).max(axis=0) / (1 << value_frac(16))
    assert reach.min() > 0.985
    golden.quantise(converter.words(values + np.array([0, 0.1, 0, 0, 0]) * spread))
    assert golden.flags == VALUE_SATURATED


def test_a_narrow_column_has_the_largest_scale() -> None:
    values = data(2)
    spread = np.ptp(values, axis=0)
    converter = Converter.of_ranges(values.min(axis=0) - 500 * spread, values.max(axis=0) + 500 * spread, 16)
    table = converter.table(fitted(values))
    assert set(table.scale.tolist()) == {(1 << SCALE_BITS) - 1}
    assert not table.scaled(converter.words(values))[1].any()


def test_impossible_ranges_are_refused() -> None:
    with pytest.raises(DataError, match="column 1 has the range 2 to 2: the low end must be below"):
        Converter.of_ranges([0, 2], [1, 2], 8)
    values = data(3)
    converter = Converter.of_ranges(values.min(axis=0), values.max(axis=0), 12)
    away = values + np.array([0, 1e4, 0, 0, 0])
    with pytest.raises(DataError, match=r"column 1: .* is far beyond the range of the converter"):
        converter.table(fitted(away))
    with pytest.raises(DataError, match="the labels: "):
        converter.table(fitted(values * np.array([1, 1, 1, 1, 1e9])))
