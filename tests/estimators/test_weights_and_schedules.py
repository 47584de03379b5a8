"""Weights of rows, partial fits, early stopping and averages."""

import numpy as np
import pytest

from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.training.weights import copies, draw

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 5)) * [1, 10, 0.1, 3, 1] + [0, 4, 0, -7, 2]
Y = X @ [2, -0.1, 30, 0.2, 0] + 5 + RNG.normal(size=300) * 0.3
CLASSES = np.digitize(X @ [2, 0, 3, 0.1, -1], [-3, 0])
NAMES = np.array(["ant", "bee", "cat"])[CLASSES]
ITERATED = ("constant", "sqrt", "inverse", [1.0, 0.5, 0.25])


def words(estimator):
    return estimator.model_words_.tolist()


def test_whole_weights_are_copies():
    weights = np.arange(300) % 3
    weighted = ZipRegressor(max_iter=3, random_state=0).fit(X, Y, sample_weight=weights)
    copied = ZipRegressor(max_iter=3, random_state=0).fit(X.repeat(weights, axis=0), Y.repeat(weights))
    assert words(weighted) == words(copied)


def test_weights_draw_rows_in_proportion():
    shares = np.array([0.25, 0.5, 3.25, 0.0, 1.0])
    counts = np.array([np.bincount(draw(shares, 1, epoch), minlength=5) for epoch in range(4000)])
    assert set(counts.sum(axis=1)) == {5}
    assert np.all(counts >= np.floor(shares))
    assert np.all(counts <= np.ceil(shares))
    np.testing.assert_allclose(counts.mean(axis=0), shares, atol=0.03)
    index, given = copies(np.arange(4), np.array([0.5, 0, 1, 1.5]))
    assert index.tolist() == [0, 2, 3]
    assert given.tolist() == [0.5, 1, 1.5]
    assert copies(np.arange(2), np.array([1000.0, 2000.0]))[1] is not None
    with pytest.raises(ValueError, match="non-zero"):
        copies(np.arange(2), np.zeros(2))


def test_weights_move_the_model():
    """Two halves that contradict each other: the weightier one wins, in proportion."""
    rows, slopes = np.vstack([X, X]), np.repeat([1.0, -1.0], 300)
    labels = slopes * rows[:, 0]
    weights = np.where(slopes > 0, 0.75, 0.25)
    found = ZipRegressor(max_iter=60, average=30, random_state=0).fit(rows, labels, weights).coef_[0]
    assert found == pytest.approx(0.75 - 0.25, abs=0.1)
    heavy = ZipClassifier(class_weight={0: 50, 1: 1}, random_state=0).fit(X, Y > 0)
    light = ZipClassifier(class_weight={0: 1, 1: 50}, random_state=0).fit(X, Y > 0)
    assert heavy.predict(X).mean() < (Y > 0).mean() < light.predict(X).mean()


def test_constant_columns_have_weight_0():
    widened = np.column_stack([np.full(300, 1e6), X, np.zeros(300)])
    for levels in ("uniform", "optimal"):
        fitted = ZipRegressor(random_state=0, levels=levels).fit(widened, Y)
        assert fitted.coef_[0] == fitted.coef_[-1] == 0
        assert fitted.score(widened, Y) > 0.9
    single = ZipRegressor().fit([[3.0, 4.0]], [7.0])
    assert single.predict([[1.0, 2.0]]).tolist() == [7.0]
    assert ZipRegressor().fit(X, np.full(300, 0.1)).predict(X).tolist() == [0.1] * 300


def test_partial_fit_widens_its_scale():
    """A first part of small values, a column that begins to vary, a class that comes late."""
    order = np.argsort(np.abs(X[:, 1]))
    rows = X[order].copy()
    rows[:50, 2] = 0
    labels = rows @ [2, -0.1, 30, 0.2, 0] + 5
    parts = ZipRegressor(schedule="constant", random_state=0)
    for _ in range(15):
        for start in range(0, 300, 50):
            parts.partial_fit(rows[start : start + 50], labels[start : start + 50])
    assert np.all(parts.scalings_[0].spread >= np.abs(rows - parts.scalings_[0].centre).max(axis=0) * 0.999)
    assert parts.score(rows, labels) > 0.95
    late = ZipClassifier(random_state=0).partial_fit(X[CLASSES < 2], CLASSES[CLASSES < 2], classes=[0, 1, 2])
    for _ in range(20):
        late.partial_fit(X, CLASSES)
    assert late.score(X, CLASSES) > 0.7
    outputs = late.decision_function(X)[:, 2]
    assert outputs[CLASSES == 2].mean() > outputs[CLASSES < 2].mean() + 0.3


def test_going_on_with_other_rows_keeps_the_model():
    fitted = ZipRegressor(schedule="constant", random_state=0, max_iter=20, warm_start=True).fit(X, Y)
    before = fitted.predict(X)
    fitted.set_params(step_size=1e-6, max_iter=1, backend="golden").fit(X[:100] * 1.01, Y[:100])
    np.testing.assert_allclose(fitted.predict(X), before, atol=0.01 * np.std(Y))
    with pytest.raises(ValueError, match="a model of 5 features and 1 outputs, and the data have 4 and 1"):
        fitted.fit(X[:, :4], Y)


def test_early_stopping_keeps_the_best_model():
    fitted = ZipClassifier(
        max_iter=200, early_stopping=True, schedule="constant", n_iter_no_change=4, random_state=0
    ).fit(X, NAMES)
    scores = [entry["validation_score"] for entry in fitted.history_]
    assert fitted.n_iter_ == len(scores) < 200
    last = fitted.n_iter_ - 5  # no later one is better by tol
    assert max(scores[last + 1 :]) < scores[last] + fitted.tol
    again = ZipClassifier(
        max_iter=last + 1,
        early_stopping=True,
        schedule="constant",
        n_iter_no_change=99,
        tol=-1,
        random_state=0,
    ).fit(X, NAMES)
    assert words(again) == words(fitted)
    assert (
        ZipRegressor(max_iter=30, early_stopping=True, random_state=0).fit(X, Y, Y - Y.min()).score(X, Y)
        > 0.9
    )
    with pytest.raises(ValueError, match="early_stopping must be False"):
        fitted.partial_fit(X, NAMES)


def test_the_average_is_of_the_models_after_each_epoch():
    chosen = {"schedule": "constant", "step_size": 0.1, "random_state": 0}
    single = ZipRegressor(**chosen)
    seen = []
    for _ in range(6):
        seen.append(single.partial_fit(X, Y).coef_)
    fitted = ZipRegressor(**chosen, max_iter=6, average=3).fit(X, Y)
    np.testing.assert_allclose(fitted.coef_, np.mean(seen[2:], axis=0), rtol=1e-12)
    assert words(fitted) == words(single)
