"""Bits of a value, and how they are split into base planes and quantisations."""

from typing import Any

import numpy as np
import pytest

from zipsgd import Options, train
from zipsgd.backends import BackendOptions
from zipsgd.golden.run import LimitError
from zipsgd.protocol.formats import Build
from zipsgd.training.preparation import prepare

RNG = np.random.default_rng(2)
X = RNG.uniform(-1, 1, (120, 4))
Y = X @ [1.0, -2.0, 0.5, 0.1] + 0.1 * RNG.normal(size=120)


@pytest.mark.parametrize(
    ("given", "diagonal", "estimator", "draws", "planes"),
    [
        ({}, True, "one-draw", 1, (3,)),
        ({}, False, "double", 2, (2,)),
        ({"bits": 3}, True, "one-draw", 1, (2,)),
        ({"bits": 3}, False, "double", 2, (1,)),
        ({"base_bits": 2}, True, "double", 2, (2,)),
        ({"base_bits": 2, "estimator": "one-draw"}, True, "one-draw", 1, (2,)),
        ({"bits": 3, "estimator": "naive"}, True, "naive", 1, (2,)),
        ({"bits": 3, "estimator": "truncated"}, True, "truncated", 0, (3,)),
        ({"bits": 1, "levels": "optimal"}, True, "one-draw", 1, (0,)),
        ({"bits": (2, 3, 5)}, True, "one-draw", 1, (1, 2, 4)),
        ({"bits": "auto"}, True, "one-draw", 1, (1, 2, 3, 4, 5, 6, 7, 8)),
        ({"bits": "auto", "base_bits": 3, "levels": "optimal"}, False, "double", 2, (3, 4)),
        ({"loss": "huber"}, True, "double", 6, (2,)),
        ({"loss": "huber", "bits": 9}, True, "double", 6, (3,)),
        ({"classify": True}, True, "one-draw", 1, (3,)),
        ({"classify": True, "loss": "hinge"}, True, "double", 2, (2,)),
        ({"classify": True, "refetch": "likely"}, True, "double", 2, (2,)),
        ({"one_sided": True}, True, "double", 2, (2,)),
    ],
)
def test_bits_are_split(
    given: dict[str, Any], diagonal: bool, estimator: str, draws: int, planes: tuple[int, ...]
) -> None:
    options = Options(**given)
    found = options.precision(diagonal=diagonal)
    assert (found.estimator, found.draws, found.planes) == (estimator, draws, planes)
    settled = options.resolved(diagonal=diagonal)
    assert (settled.estimator, settled.quantisations, settled.planes) == (estimator, draws, planes[0])
    assert settled.resolved(diagonal=not diagonal) == settled


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"bits": 1}, r"bits must be in 2..9 with estimator='one-draw' and uniform levels, not 1"),
        ({"bits": 2, "estimator": "double"}, r"bits must be in 3..10 .*: 2 of them are for draws, .*; with optimal"),
        ({"bits": 4, "base_bits": 4, "estimator": "double"}, "contradict each other"),
        ({"bits": "auto", "base_bits": 9}, r"base_bits must be in 1\.\.8, not 9"),
        ({"bits": 6, "loss": "huber"}, r"bits must be in 7..14"),
        ({"estimator": "one-draw", "loss": "huber"}, "does not work with the loss 'huber', only with squared losses"),
        ({"estimator": "one-draw", "one_sided": True}, "does not work with one_sided"),
        ({"estimator": "one-draw", "classify": True, "refetch": "likely"}, "does not work with refetch='likely'"),
    ],
)  # fmt: skip
def test_bits_that_do_not_fit_are_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Options(**given)


def test_bits_are_whole_numbers() -> None:
    wrong_ones: tuple[Any, ...] = (2.5, "many", (3, 2.5))
    for wrong in wrong_ones:
        with pytest.raises(ValueError, match="bits must be a whole number, one for each epoch, or 'auto'"):
            Options(bits=wrong)


def test_one_draw_follows_the_device() -> None:
    plain = Build(lanes=4, update_lanes=4, max_features=32)
    assert train(X, Y, epochs=1).options["estimator"] == "one-draw"
    assert train(X, Y, epochs=1, backend=BackendOptions(build=plain)).options["estimator"] == "double"
    with pytest.raises(LimitError, match="diagonal=1"):
        train(X, Y, epochs=1, estimator="one-draw", backend=BackendOptions(build=plain))


def test_golden_model_and_emulator_give_the_same_bits() -> None:
    labels = np.digitize(Y, [-0.5, 0.5])
    for given in (
        {"bits": 3},
        {"bits": 2, "levels": "optimal", "shared_levels": True},
        {"bits": 3, "l2": 0.05, "l1": 0.01},
        {"bits": 3, "classify": True},
        {"bits": 3, "classify": True, "loss": "squared_error"},
    ):
        y = labels if given.get("classify") else Y
        one, other = (
            train(X, y, epochs=3, estimator="one-draw", **given, backend=name)
            for name in ("golden", "emulator")
        )
        assert one.model_words == other.model_words
        assert one.loss == other.loss


def test_one_draw_has_no_bias_where_naive_quantisation_has() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-1, 1, (4000, 6))
    labels = values @ [1.0, -1.0, 0.5, 0.2, -0.3, 0.8] + 0.05 * rng.normal(size=4000)
    naive, one = (
        train(values, labels, base_bits=1, estimator=each, epochs=30) for each in ("naive", "one-draw")
    )
    least = np.linalg.lstsq(np.column_stack([values, np.ones(4000)]), labels, rcond=None)[0][:6]
    assert np.abs(naive.coef - least).max() > 0.2
    assert np.abs(one.coef - least).max() < 0.05


def test_the_diagonal_counts_rows_by_their_weights() -> None:
    weights = RNG.uniform(0.2, 3.0, 120)
    task = prepare(X, Y, Options(bits=3, scaling="range"), weights=weights)
    assert task.config.diagonal is not None
    assert task.shares is not None
    values = np.asarray(task.values, dtype=np.float64)
    distance = (values + 1) * 2 % 1  # to the level below, in steps of 1/2
    variances = task.shares @ (distance * (1 - distance) / 4) / task.shares.sum()
    found = task.config.diagonal.words * task.config.diagonal.unit
    np.testing.assert_allclose(found, variances, atol=1e-5)
    one, other = (
        train(X, Y, bits=3, epochs=3, weights=weights, backend=name) for name in ("golden", "emulator")
    )
    assert one.model_words == other.model_words
