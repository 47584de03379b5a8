"""Regularisers: what they converge to, and the same bits everywhere."""

from dataclasses import replace

import numpy as np
import pytest

from zipsgd import Options, train
from zipsgd.backends import BackendOptions, LimitError, build_for
from zipsgd.data import Scaling, Table
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.preparation import prepare
from zipsgd.training.regulariser import Regulariser

FEATURES = 6


def noisy_table(rows: int = 3000) -> Table:
    """Of six columns, three do nothing."""
    rng = np.random.default_rng(4)
    features = rng.uniform(-1, 1, (rows, FEATURES))
    labels = features @ [1.0, -0.6, 0.3, 0, 0, 0] + rng.normal(0, 0.3, rows)
    return Table(features, labels, [f"x{j}" for j in range(FEATURES)], "y", "noise")


OPTIONS = Options(base_bits=4, batch_size=8, step_size=0.05, epochs=12, seed=1)


def scaled(table: Table, options: Options, **arguments: object) -> np.ndarray:
    """The trained model of scaled features, and its intercept."""
    result = train(table, options=options, **arguments)
    words = np.array(result.model_words)
    build = result.build
    return words * 2.0 ** -(build["model_bits"] - 4)


def normal_equations(table: Table) -> tuple[np.ndarray, np.ndarray]:
    scaling = Scaling.fit(table)
    values = scaling.features(table.features).astype(np.float64)
    targets = scaling.labels(table.labels) * 2.0**-15
    return values.T @ values / len(values), values.T @ targets / len(values)


@pytest.mark.parametrize("strength", [0.003, 0.03, 0.3])
def test_l2_gives_the_ridge_solution(strength: float) -> None:
    table = noisy_table()
    gram, product = normal_equations(table)
    penalty = np.diag([strength] * FEATURES + [0])
    ridge = np.linalg.solve(gram + penalty, product)
    np.testing.assert_allclose(scaled(table, replace(OPTIONS, l2=strength)), ridge, atol=0.012)
    plain = np.linalg.solve(gram, product)
    if strength >= 0.03:
        assert np.abs(ridge - plain).max() > 0.03, "the penalty shows"


def test_l1_gives_sparse_models_and_the_lasso_solution() -> None:
    table = noisy_table()
    gram, product = normal_equations(table)
    strength = 0.03
    lasso = np.zeros(FEATURES + 1)
    for _ in range(5000):  # proximal gradient descent
        lasso -= 0.2 * (gram @ lasso - product)
        lasso[:-1] = np.sign(lasso[:-1]) * np.maximum(np.abs(lasso[:-1]) - 0.2 * strength, 0)
    assert np.count_nonzero(lasso[:-1]) == 3 or np.count_nonzero(lasso[:-1]) == 2
    model = scaled(table, replace(OPTIONS, l1=strength))
    np.testing.assert_allclose(model, lasso, atol=0.012)
    assert np.abs(model[3:6]).max() < 0.003, "columns that do nothing"


def test_a_ball_holds_the_model_at_the_projected_solution() -> None:
    table = noisy_table()
    gram, product = normal_equations(table)
    radius = 0.4
    held = np.zeros(FEATURES + 1)
    for _ in range(5000):  # projected gradient descent
        held -= 0.2 * (gram @ held - product)
        held[:-1] *= min(1.0, radius / np.linalg.norm(held[:-1]))
    model = scaled(table, replace(OPTIONS, radius=radius))
    np.testing.assert_allclose(model, held, atol=0.015)
    assert np.linalg.norm(model[:-1]) == pytest.approx(radius, rel=0.02)
    exact = float_sgd(prepare(table, options=replace(OPTIONS, radius=radius))).models[0]
    assert np.linalg.norm(exact[:-1]) <= radius * (1 + 1e-9)
    with pytest.raises(
        LimitError,
        match=r"cannot limit the length of the model \(radius\): take a build with prox=1 and ball=1",
    ):
        train(
            table,
            options=replace(OPTIONS, radius=radius),
            backend=BackendOptions(build=build_for(7, prox=True)),
        )


def test_a_bound_holds_and_spares_the_intercept() -> None:
    table = noisy_table()
    table = Table(table.features, table.labels + 5, table.names, table.label_name, table.source)
    model = scaled(table, replace(OPTIONS, bound=0.125))
    assert np.abs(model[:-1]).max() == 0.125
    free = scaled(table, OPTIONS)
    assert np.abs(free[:-1]).max() > 0.2


@pytest.mark.parametrize("levels", ["uniform", "optimal"])
def test_golden_model_and_emulator_agree(levels: str) -> None:
    table = noisy_table(200)
    options = replace(OPTIONS, epochs=2, l2=0.02, l1=0.001, bound=0.3, levels=levels)
    golden, emulator = (train(table, options=options, backend=name) for name in ("golden", "emulator"))
    assert (golden.model_words, golden.loss) == (emulator.model_words, emulator.loss)


def test_float_sgd_has_the_same_regulariser() -> None:
    table = noisy_table()
    options = replace(OPTIONS, l2=0.05, l1=0.01)
    (model,) = float_sgd(prepare(table, options=options)).models
    np.testing.assert_allclose(scaled(table, options), model, atol=0.012)
    assert np.abs(float_sgd(prepare(table, options=replace(OPTIONS, bound=0.1))).models[0][:-1]).max() == 0.1


def test_what_cannot_be_is_named() -> None:
    for name in ("l2", "l1", "bound"):
        with pytest.raises(ValueError, match=f"{name} must be 0 or a positive number, not -1"):
            Options(**{name: -1.0})
    with pytest.raises(LimitError, match="does not support regularisers: take a build with prox=1"):
        train(
            noisy_table(50),
            options=replace(OPTIONS, l2=0.1),
            backend=BackendOptions(build=build_for(FEATURES + 1)),
        )
    with pytest.raises(ValueError, match="step size times L2 strength must be"):
        train(noisy_table(50), options=replace(OPTIONS, l2=50.0))
    assert not Regulariser().any


def test_weights_that_are_not_negative() -> None:
    """The solution of non-negative least squares; the intercept may be negative."""
    table = noisy_table()
    table = replace(table, labels=table.labels - 2 * table.features[:, 1] - 1)
    gram, product = normal_equations(table)
    wanted = np.zeros(FEATURES + 1)
    for _ in range(5000):  # projected gradient descent
        wanted -= 0.2 * (gram @ wanted - product)
        wanted[:-1] = np.maximum(wanted[:-1], 0)
    options = replace(OPTIONS, nonnegative=True)
    model = scaled(table, options)
    np.testing.assert_allclose(model, wanted, atol=0.012)
    assert min(model[:-1]) == 0
    result = train(table, options=options)
    assert result.intercept < -0.9
    short = replace(options, epochs=1)
    assert (
        train(table, options=short, backend="golden").model_words == train(table, options=short).model_words
    )
    exact = float_sgd(prepare(table, options=options)).models[0]
    np.testing.assert_allclose(exact, wanted, atol=0.012)
    bounded = scaled(table, replace(options, bound=0.05))
    assert min(bounded[:-1]) == 0
    assert 0.049 < max(bounded[:-1]) <= 0.05
    with pytest.raises(LimitError, match="prox"):
        train(table, options=options, backend=BackendOptions("emulator", build_for(FEATURES + 1)))
