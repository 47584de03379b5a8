"""Training on levels placed where the data are: the table encloses them, every backend gives the same bits, units come back."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import zipsgd
from zipsgd import Build, Options, Table, train
from zipsgd.backends import BackendOptions, EpochSamples, LimitError
from zipsgd.golden.levels import LevelTable, transcode
from zipsgd.levels import levels, variance
from zipsgd.levels.placement import level_scale, level_table
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.preparation import prepare

OPTIONS = Options(epochs=3, batch_size=8, seed=5, levels="optimal")
CONFIGURATIONS = [
    OPTIONS,
    replace(OPTIONS, base_bits=0),
    replace(OPTIONS, base_bits=0, estimator="naive", fresh=False),
    replace(OPTIONS, base_bits=1, level_bits=5, shared_levels=True, one_sided=True),
    replace(OPTIONS, base_bits=2, level_bits=2, estimator="truncated", batch_size=32),
]


def bits(result: zipsgd.Result) -> tuple[list[float], list[int], list[str]]:
    return result.loss, result.model_words, result.flags


@pytest.fixture(scope="module")
def skewed() -> Table:
    """300 rows of 5 columns with heavy tails or few values, of different sizes, and a linear model plus noise."""
    rng = np.random.default_rng(4)
    columns = [rng.lognormal(size=300), rng.exponential(size=300) * 1e3, rng.integers(0, 2, 300)]
    columns += [rng.normal(size=300) ** 3 - 50, rng.poisson(0.5, 300) * 0.1]
    features = np.column_stack(columns)
    labels = features @ [1, -2e-3, 3, 0.5, 20] + rng.normal(size=300) + 4
    return Table.from_arrays(features, labels)


# Placing


@st.composite
def scaled(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Values within the range of levels of some bits, shape (rows, features), many alike in some columns; and the bits."""
    bits = draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.uniform(-1, 1, (draw(st.integers(1, 40)), draw(st.integers(1, 4))))
    values = values ** draw(st.sampled_from([1, 3, 9])) * draw(st.sampled_from([1, 0.3, 0.01]))
    distinct = draw(st.sampled_from([1, 2, 5, 1000]))
    values = values[rng.integers(0, min(distinct, len(values)), len(values))]
    return (values * level_scale(bits)).astype(np.float32), bits


@given(scaled(), st.integers(0, 4), st.booleans())
def test_levels_enclose_the_values_in_order_on_the_grid(drawn, p, shared):
    values, bits = drawn
    table = level_table(values, p, bits, shared=shared)
    assert (table.p, table.bits) == (p, bits)
    assert table.values.shape == (values.shape[1], 2**p + 1)
    places = values.astype(float) * 2 ** (bits - 1)
    for column, row in zip(places.T, table.values):
        assert np.all(np.diff(row) >= 0)
        low, high = (places if shared else column).min(), (places if shared else column).max()
        assert (row[0], row[-1]) == (np.floor(low), np.ceil(high))
        distinct = np.unique(row)
        np.testing.assert_array_equal(row[: distinct.size], distinct)
        np.testing.assert_array_equal(row[distinct.size :], row[-1])
    assert not shared or np.all(table.values == table.values[0])
    table.fixed_point(values)  # which refuses values outside


@given(scaled(), st.integers(0, 2))
def test_no_levels_on_the_grid_are_better(drawn, p):
    """Brute force, for grids that are not too fine."""
    values, bits = drawn
    assume(bits <= 4)
    places = values.astype(float) * 2 ** (bits - 1)
    for column, row in zip(places.T, level_table(values, p, bits).values):
        grid = range(int(np.floor(column.min())), int(np.ceil(column.max())) + 1)
        inner = min(2**p - 1, max(0, len(grid) - 2))
        least = min(
            variance(column, [grid[0], *chosen, grid[-1]]) for chosen in combinations(grid[1:-1], inner)
        )
        assert variance(column, row) == pytest.approx(least, rel=1e-9, abs=1e-9)


def test_a_fine_grid_loses_little(skewed):
    """Where values are many, the variance is within a few per cent of that of the best levels anywhere."""
    for p in range(4):
        task = prepare(skewed, options=replace(OPTIONS, base_bits=p))
        places = task.values.astype(float) * 128
        for column in (0, 1, 3):
            best = levels(places[:, column], 2**p + 1).variance
            assert (
                best
                <= variance(places[:, column], task.config.levels.values[column]) * (1 + 1e-9)
                <= 1.1 * best
            )


@pytest.mark.parametrize("level_bits", [2, 5, 8])
@pytest.mark.parametrize("shared", [False, True])
def test_the_ends_and_the_intercept_are_exact(level_bits, shared, skewed):
    task = prepare(skewed, options=replace(OPTIONS, level_bits=level_bits, shared_levels=shared))
    table, top = task.config.levels, 2 ** (level_bits - 1) - 1
    assert isinstance(table, LevelTable)
    places = task.values.astype(float) * 2 ** (level_bits - 1)
    np.testing.assert_array_equal(np.abs(places).max(axis=0), top)
    if not shared:
        np.testing.assert_array_equal(table.values[:, 0], places.min(axis=0))
        np.testing.assert_array_equal(table.values[:, -1], places.max(axis=0))
        np.testing.assert_array_equal(table.values[-1], top)
    rows = np.arange(task.labels.size)
    samples = EpochSamples(task.values, task.labels, rows, 1, 0)
    for codes in samples.blocks(task.config):
        for quantised in transcode(codes, table):
            np.testing.assert_array_equal(quantised.base[:, -1], top)


def test_values_that_are_few_are_all_levels():
    """Of two values a column, both are: nothing is rounded, and one sample a value is as good as two, and as float64."""
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.random(100) < 0.3, 5 + 4 * (rng.random(100) < 0.9)])
    table = Table.from_arrays(features, features @ [1, 2] + rng.normal(size=100))
    options = replace(OPTIONS, base_bits=2, epochs=20)
    task = prepare(table, options=options)
    places = task.values.astype(float) * 128
    for column, row in zip(places.T, task.config.levels.values):
        assert set(column) <= set(row)
    exact = float_sgd(prepare(table, options=options)).losses[-1]
    for estimator in ("truncated", "naive", "one-draw", "double"):
        result = train(table, options=replace(options, estimator=estimator))
        assert result.final_loss == pytest.approx(exact, rel=0.01)  # the model is still rounded


# Training


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
def test_golden_emulator_and_virtual_board_give_the_same_bits(options, level_board, small_table):
    golden = train(small_table, options=options, backend=BackendOptions("golden", level_board.build))
    emulator = train(small_table, options=options, backend=BackendOptions(build=level_board.build))
    device = train(small_table, options=options, backend=level_board.url)
    assert bits(golden) == bits(emulator) == bits(device)
    settled = options.resolved(diagonal=True, level_planes=2)
    p, m = settled.planes, settled.quantisations
    assert golden.bits_per_value == device.bits_per_value == p + m
    assert device.sample_bytes == 3 * 210 * (2 + -(-2 * (p + m) * 4 // 8))  # 7 features on 4 lanes
    assert device.plane_cycles == 3 * 210 * 2 * options.level_bits * max(1, m)


def test_even_levels_on_a_board_with_a_transcoder(level_board, small_table):
    options = replace(OPTIONS, levels="uniform")
    expected = train(small_table, options=options, backend=BackendOptions("golden", level_board.build))
    for between in (options, OPTIONS, options):  # the table of the run before does not matter
        result = train(small_table, options=between, backend=level_board.url)
    assert bits(result) == bits(expected)


@pytest.mark.parametrize("p", [3, 4])
def test_golden_and_emulator_on_many_levels(p, small_table):
    """More than the virtual board of these tests has room for."""
    options = replace(OPTIONS, base_bits=p, epochs=1)
    assert bits(train(small_table, options=options, backend="golden")) == bits(
        train(small_table, options=options)
    )


@pytest.mark.parametrize(
    ("options", "off"),
    [
        (replace(OPTIONS, base_bits=4), 0.05),
        (replace(OPTIONS, base_bits=0, step_size=0.05), 0.7),
        (replace(OPTIONS, base_bits=2, level_bits=4), 0.15),
        (replace(OPTIONS, base_bits=3, shared_levels=True), 0.15),
    ],
    ids=str,
)
def test_the_model_is_in_the_datas_units(options, off, small_table):
    """Least squares' predictions, but for the noise of ever fewer levels."""
    result = train(small_table, options=replace(options, epochs=100, batch_size=4))
    assert result.flags == []
    exact = np.column_stack([small_table.features, np.ones(210)])
    solution = np.linalg.lstsq(exact, small_table.labels, rcond=None)[0]
    predicted = result.predict(small_table.features)
    np.testing.assert_allclose(predicted, exact @ solution, atol=off * small_table.labels.std())
    np.testing.assert_allclose(predicted, small_table.features @ np.array(result.coef) + result.intercept)
    scaled_error = np.mean((predicted - small_table.labels) ** 2)
    spread = np.abs(small_table.labels - small_table.labels.mean()).max()
    assert result.final_loss == pytest.approx(scaled_error / spread**2, rel=1e-3)


@pytest.mark.parametrize("level_bits", [2, 4, 8])
def test_steps_do_not_depend_on_the_levels_bits(level_bits, small_table):
    """A device's features are scaled by less than 1, which its steps make up for."""
    options = replace(OPTIONS, base_bits=2, level_bits=level_bits, step_size=0.05, epochs=8)
    result = train(small_table, options=options)
    assert result.step_sizes[0] == pytest.approx(0.05, rel=1e-3)
    few = train(small_table, options=replace(options, epochs=1)).final_loss
    assert few == pytest.approx(
        float_sgd(prepare(small_table, options=replace(options, epochs=1))).losses[-1], rel=0.2
    )


def test_fewer_bits_for_the_same_loss(skewed):
    """Of the biased estimator, where levels' variance is what is lost."""
    options = Options(epochs=30, batch_size=8, estimator="naive")
    optimal = train(skewed, options=replace(options, base_bits=2, levels="optimal"))
    uniform = train(skewed, options=replace(options, base_bits=3))
    assert optimal.bits_per_value < uniform.bits_per_value
    assert float_sgd(prepare(skewed, options=options)).losses[-1] < optimal.final_loss < uniform.final_loss


# What cannot be


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("base_bits", 5, r"base_bits must be in 0\.\.4, not 5"),
        ("base_bits", -1, r"base_bits must be in 0\.\.4, not -1"),
        ("level_bits", 1, r"level_bits must be in 2\.\.8, not 1"),
        ("level_bits", 9, r"level_bits must be in 2\.\.8, not 9"),
        ("levels", "best", "levels must be one of uniform, optimal, auto, not 'best'"),
    ],
)
def test_bad_options_are_named(field, value, says):
    with pytest.raises(ValueError, match=says):
        replace(OPTIONS, **{field: value})


def test_no_bits_at_all():
    with pytest.raises(ValueError, match=r"base_bits must be in 1\.\.8, not 0"):
        Options(base_bits=0)
    with pytest.raises(ValueError, match=r"base_bits must be in 1\.\.4, not 0"):
        replace(OPTIONS, base_bits=0, estimator="truncated")


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (Build(), "no transcoder for optimal levels: use uniform levels, or take a build with level_bits=8"),
        (Build(level_bits=8, level_p_max=1), r"base planes p must be in 0\.\.1 on this build, not 2"),
        (Build(level_bits=6, level_p_max=4), r"bits of a level must be in 2\.\.6 on this build, not 8"),
    ],
    ids=["transcoder", "p", "bits"],
)
def test_limits_are_checked_before_anything_is_built(build, says, small_table, monkeypatch):
    monkeypatch.setattr("zipsgd.training.opening.open_backend", lambda *_, **__: pytest.fail("opened"))
    for name in ("emulator", "sim"):
        with pytest.raises(LimitError, match=says):
            train(small_table, options=OPTIONS, backend=BackendOptions(name, build))


def test_limits_of_a_board_hold(board, level_board, small_table):
    with pytest.raises(LimitError, match="no transcoder"):
        train(small_table, options=OPTIONS, backend=board.url)
    with pytest.raises(LimitError, match=r"base planes p must be in 0\.\.2"):
        train(small_table, options=replace(OPTIONS, base_bits=3), backend=level_board.url)
