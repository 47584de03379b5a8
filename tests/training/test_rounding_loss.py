"""The loss that a device sums with one draw, without what quantisation adds to it."""

import numpy as np
import pytest

from zipsgd import train
from zipsgd.training.epochs import EpochReport

RNG = np.random.default_rng(3)
X = RNG.normal(size=(8000, 6))
Y = X @ RNG.normal(size=6) + 2 * RNG.normal(size=8000)


@pytest.mark.parametrize("given", [{}, {"classify": True}, {"levels": "optimal"}], ids=str)
def test_it_is_the_exact_loss_of_a_model_that_does_not_move(given: dict[str, bool | str]) -> None:
    labels = np.sign(Y) if "classify" in given else Y
    reports: list[EpochReport] = []
    schedule = [1.0, 1.0, 1.0, 1e-4, 1e-4, 1e-4, 1e-4]
    train(
        X, labels, estimator="one-draw", bits=3, epochs=7, schedule=schedule, measure=True, **given,
        callbacks=[reports.append],
    )  # fmt: skip
    exact = reports[3].exact_loss
    assert exact is not None
    assert np.mean([report.loss for report in reports[3:]]) == pytest.approx(exact, rel=0.04)
    naive: list[EpochReport] = []
    train(
        X, labels, estimator="naive", bits=3, epochs=7, schedule=schedule, measure=True, **given,
        callbacks=[naive.append],
    )  # fmt: skip
    assert naive[3].loss > 1.08 * (naive[3].exact_loss or 0)
