"""The loss that is expected of a run, and the automatic step that follows from it."""

import logging

import numpy as np
import pytest

import zipsgd.training.expected_loss as module
from zipsgd import Options, prepare, train
from zipsgd.golden.quantise import quantise
from zipsgd.training import automatic_step
from zipsgd.training.expected_loss import NoisyLeastSquares
from zipsgd.training.rounding_noise import rounding_variance
from zipsgd.training.steps import largest_step, spread_of, step_sizes
from zipsgd_bench.hard_sets import departures

ROWS, COLUMNS = 4000, 6


def data(collinear=True, rows=ROWS):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, COLUMNS))
    if collinear:
        X[:, 5] = X[:, 0] + X[:, 1]
    return X, X @ [1, -2, 3, 0.5, 0, 1] + rng.normal(size=rows)


def measured(task):
    values = np.asarray(task.exact_values(), dtype=np.float64)
    return values, rounding_variance(values, task.config.p, task.config.levels, task.scale)


def unexplained(result, X, y):
    return np.mean((result.predict(X) - y) ** 2) / y.var()


@pytest.mark.parametrize("collinear", [False, True])
@pytest.mark.parametrize("bits", [1, 3])
@pytest.mark.parametrize("one_sided", [False, True])
def test_it_is_the_mean_of_many_runs(collinear, bits, one_sided):
    X, y = data(collinear)
    options = Options(base_bits=bits, one_sided=one_sided, epochs=4, step_size=0.1)
    task = prepare(X, y, options)
    values, found = measured(task)
    noisy = NoisyLeastSquares.fit(values, task.labels / 2.0**15, found, both_orders=not one_sided)
    (expected,) = noisy.unexplained(np.array([task.step_sizes]), ROWS / 16, 16)
    runs = [train(X, y, options=options, seed=seed) for seed in range(12)]
    assert np.mean([unexplained(run, X, y) for run in runs]) == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("collinear", [False, True])
@pytest.mark.parametrize(("bits", "levels", "least"), [(2, "uniform", 0.9), (1, "optimal", 0.7)])
def test_it_is_the_mean_of_many_runs_of_one_draw(collinear, bits, levels, least):
    """On two levels it is too high: there the square of the error of a draw varies little, and so adds less noise."""
    X, y = data(collinear)
    options = Options(bits=bits, estimator="one-draw", levels=levels, epochs=4, step_size=0.1)
    task = prepare(X, y, options)
    values, found = measured(task)
    noisy = NoisyLeastSquares.fit(values, task.labels / 2.0**15, found, both_orders=False)
    (expected,) = noisy.unexplained(np.array([task.step_sizes]), ROWS / 16, 16)
    runs = [train(X, y, options=options, seed=seed) for seed in range(6)]
    assert least < np.mean([unexplained(run, X, y) for run in runs]) / expected < 1.1


def test_one_draw_on_optimal_levels_takes_the_step_that_their_variance_allows(monkeypatch):
    """With a long tail, two even levels would have much more."""
    monkeypatch.setattr(automatic_step, "_NEAR_SHARE", 1e9)  # whatever noise costs
    rng = np.random.default_rng(4)
    X = rng.exponential(size=(2000, 40))
    y = X @ rng.normal(size=40) + rng.normal(size=2000)
    task = prepare(X, y, Options(bits=1, estimator="one-draw", levels="optimal", scaling="range"))
    values, found = measured(task)
    slope = spread_of(values, 1, 1).largest + 2 * (np.square(values).sum(axis=1).mean() + found.sum()) / 16
    assert task.step_sizes[0] == pytest.approx(0.5 / slope, rel=0.05)
    double = prepare(X, y, Options(bits=2, estimator="double", levels="optimal", scaling="range"))
    assert task.step_sizes[0] > 2 * double.step_sizes[0]


def test_some_directions_stand_for_all(monkeypatch):
    rng = np.random.default_rng(3)
    hidden = rng.normal(size=(ROWS, 4))
    X = hidden @ rng.normal(size=(4, 30)) + 0.3 * rng.normal(size=(ROWS, 30))
    task = prepare(X, hidden @ [1, 2, -1, 1], Options(base_bits=1, step_size=0.02, epochs=5))
    values, found = measured(task)

    def expected():
        noisy = NoisyLeastSquares.fit(values, task.labels / 2.0**15, found, both_orders=True)
        return noisy.counts, noisy.unexplained(np.array([task.step_sizes]), ROWS / 16, 16)

    _, exact = expected()
    monkeypatch.setattr(module, "_MOST_DIRECTIONS", 8)
    counts, near = expected()
    assert counts.tolist() == [*[1] * 8, 31 - 8]
    assert near == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize(
    "options",
    [
        Options(base_bits=2),
        Options(base_bits=1, levels="optimal", level_bits=5),
    ],
    ids=str,
)
def test_variances_are_those_of_the_quantiser(options):
    X, y = data(rows=300)
    task = prepare(X, y, options)
    values, found = measured(task)
    (p, m), table = (task.config.p, task.config.m), task.config.levels
    if table is None:
        codes = quantise(values, task.labels, p, m, seed=1, epoch=0, rows=np.arange(300))
        draws = np.stack([(codes.base + (codes.up >> i & 1)) * 2.0 ** (1 - p) for i in range(m)])
        assert found[:-1] == pytest.approx(((draws - values) ** 2).mean(axis=(0, 1))[:-1], rel=0.15)
    else:
        levels = table.values / 2.0**4 / task.scale
        wide = (np.diff(levels, axis=1).max(axis=1) ** 2)[:-1] / 4
        assert (found[:-1] < wide).all()
        assert (found[:-1] > 0.05 * wide).all()
    assert found[-1] == 0  # the intercept's column is exact


def test_a_run_that_diverges_is_expected_to():
    X, y = data()
    task = prepare(X, y, Options(base_bits=1))
    values, found = measured(task)
    noisy = NoisyLeastSquares.fit(values, task.labels / 2.0**15, found, both_orders=True)
    low, high = noisy.unexplained(np.array([[0.1] * 50, [10.0] * 50]), 1000, 16)
    assert low < 1 < 1000 < high < np.inf


def first_steps(X, y, **words):
    """The automatic step, and the largest one."""
    task = prepare(X, y, Options(**words))
    largest = largest_step(task.exact_values(), 16, task.config.p, task.config.m)
    return task.step_sizes[0], largest


def test_the_largest_step_is_taken_where_it_is_good():
    first, largest = first_steps(*data(collinear=False), base_bits=3)
    assert first == largest


def test_a_smaller_step_is_taken_where_noise_adds_up():
    first, largest = first_steps(*data(), base_bits=1, epochs=200)
    assert first <= 0.6 * largest


def test_no_step_is_too_small_for_a_device():
    X, y = data()
    task = prepare(X, y, Options(base_bits=1, epochs=201, schedule=[*[1.0] * 200, 2e-7]))
    assert task.steps[-1].value > 0


def test_few_rows_have_a_step():
    for rows in (1, 2, 5):
        X, y = data(rows=rows)
        y[0] = 7
        task = prepare(np.vstack([X, X + 1]), np.append(y, y - 1), Options())
        assert 0 < task.step_sizes[0] < 1


def test_columns_that_make_noise_are_named(caplog, monkeypatch):
    monkeypatch.setattr(automatic_step, "_NOTEWORTHY", 0.003)  # 0.015 takes 160,000 rows
    table = departures(20_000)
    with caplog.at_level(logging.INFO):
        prepare(table, options=Options(base_bits=1, epochs=100))
    (text,) = [record.getMessage() for record in caplog.records if "noise" in record.getMessage()]
    assert text.startswith("with 3 bits a value, noise is expected to lower R2 from 0.9")
    assert "leave out one of 'time', 'hour', which nearly" in text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        prepare(table, options=Options(base_bits=5))
    assert "noise" not in caplog.text


def test_steps_follow_the_schedule():
    X, y = data()
    sizes = prepare(X, y, Options(epochs=5, schedule="sqrt")).step_sizes
    assert sizes == step_sizes(sizes[0], "sqrt", 5)


def test_coarse_levels_and_expected_noise_are_one_warning(caplog, monkeypatch):
    table = departures(20_000)
    for options, noteworthy, told in (
        (Options(base_bits=1, epochs=100), 0.003, 1),
        (Options(base_bits=1, step_size=0.2), 0.003, 1),
        (Options(base_bits=2), 0.015, 0),  # coarse as well, but they cost nothing worth a line
    ):
        caplog.clear()
        monkeypatch.setattr(automatic_step, "_NOTEWORTHY", noteworthy)
        task = prepare(table, options=options)
        assert "delay" in task.coarse, options
        warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert len(warnings) == told, warnings
        assert all("most values of 'delay'" in text and "--levels auto" in text for text in warnings)
