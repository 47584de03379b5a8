"""Columns of two values: one bit a value holds them exactly."""

from dataclasses import replace

import numpy as np
import pytest

from zipsgd import Options, Table, compare, prepare, train
from zipsgd.training.two_values import one_bit_hint, two_valued

RNG = np.random.default_rng(6)
X = (RNG.random((2000, 12)) < RNG.uniform(0.1, 0.9, 12)).astype(float)
X[:, 3] = X[:, 3] * 7 - 100
Y = X @ RNG.normal(size=12) + RNG.normal(size=2000) * 0.3
ONE_BIT = Options(base_bits=0, estimator="naive", levels="optimal")


def test_one_bit_holds_two_values_exactly() -> None:
    """The values on the device are the scaled ones: there is nothing to round."""
    task = prepare(X, Y, ONE_BIT)
    assert task.config.levels is not None
    levels = task.config.levels.values / 2 ** (task.config.levels.bits - 1)
    for column in range(12):
        assert np.isin(np.asarray(task.values)[:, column], levels[column]).all()


@pytest.mark.parametrize("words", [{}, {"classify": True}, {"classify": True, "loss": "logistic"}])
def test_one_bit_trains_as_full_precision_does(words: dict) -> None:
    labels = (np.median(Y) < Y).astype(float) if words else Y
    options = replace(ONE_BIT, **words, epochs=15)
    result = train(X, labels, options)
    found = compare(X, labels, options, result)
    assert result.bits_per_value == 1
    assert found.over_float == pytest.approx(1, abs=0.01)
    assert result.train_score == pytest.approx(found.float_score, abs=0.005)


def test_the_hint_is_for_columns_of_two_values_alone() -> None:
    hint = one_bit_hint(prepare(X, Y))
    assert hint is not None
    assert "loses nothing, at 1 bit a value in place of 4" in hint
    assert one_bit_hint(prepare(X, Y, Options(base_bits=3))) is None
    assert one_bit_hint(prepare(X, Y, ONE_BIT)) is None
    third = X.copy()
    third[-1, 5] = 0.5
    assert one_bit_hint(prepare(third, Y)) is None


def test_two_values_are_found_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zipsgd.rows._BLOCK_VALUES", 12 * 16)
    assert two_valued(X)
    assert two_valued(np.repeat([[1.0, 2.0], [3.0, 2.0]], 200, axis=0))
    for value in (-101, -99, -94, -92):
        third = X.copy()
        third[1000, 3] = value
        assert not two_valued(third)
    table = Table.from_arrays(np.arange(900.0)[:, None] > 450, np.arange(900.0))
    assert two_valued(table.features)
