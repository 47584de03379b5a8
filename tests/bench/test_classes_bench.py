"""The sets of classes that are made, and the bench's own arithmetic."""

import numpy as np
import pytest

from zipsgd.training.two_values import two_valued
from zipsgd_bench import classes
from zipsgd_bench.hard_sets import binary_features, heavy_tails
from zipsgd_bench.joint_softmax import JointSoftmax


def test_heavy_tails_are_as_described() -> None:
    X, y = heavy_tails()
    shares = 100 * np.bincount(y) / y.size
    np.testing.assert_allclose(shares, [79, 13, 6.4, 0.65, 0.58, 0.075, 0.05], rtol=0.06)
    assert X.shape == (20_000, 9)
    assert np.array_equal(X, np.rint(X))
    assert np.all(np.abs(X - X.mean(axis=0)).max(axis=0) > 4 * X.std(axis=0))
    again, _ = heavy_tails()
    other, _ = heavy_tails(seed=1)
    assert np.array_equal(X, again)
    assert not np.array_equal(X, other)


def test_binary_features_are_zeros_and_ones() -> None:
    X, y = binary_features(500)
    assert two_valued(X)
    assert set(np.unique(X)) == {0, 1}
    assert y.mean() == pytest.approx(0.5)


def test_the_joint_softmax_finds_a_class_between_others() -> None:
    X, _ = heavy_tails(600)
    y = np.digitize(X[:, 0], [40, 50])
    model = JointSoftmax(step=4).fit(X, y)
    assert np.mean(model.predict(X) == y) > 0.9


def test_a_row_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "SPLITS", (0,))
    X, y = heavy_tails(800)
    begun: list[str] = []
    rows = classes.compare("few", X[y < 3], y[y < 3], begun.append)
    assert begun == [f"few: {row['model']}" for row in rows]
    assert len(rows) == 15
    estimators = {row["model"]: row["estimator"] for row in rows}
    assert estimators[classes.DEFAULT] == "one-draw"
    assert estimators[f"{classes.DEFAULT}, double sampling"] == estimators["zipsgd, logistic"] == "double"
    assert estimators[classes.REFERENCE] is None
    reference = next(row for row in rows if row["model"] == classes.REFERENCE)
    for row in rows:
        assert row["below the reference"] == reference["accuracy"] - row["accuracy"]
        assert 30 < row["balanced accuracy"] <= 100
    monkeypatch.setattr(classes, "SETS", {"binary features": lambda: binary_features(400)})
    result = classes.run()
    assert [row["bits a value"] for row in result["rows"]] == [32, 32, 4, 4, 8, 4, 4, 4, 1]
    one_bit = result["rows"][-1]
    assert result["met"] == (one_bit["below the reference"] <= classes.NEAR)
