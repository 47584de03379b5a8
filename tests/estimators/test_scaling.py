"""Scaling in the estimators: parameters, attributes, and predictions that clip as training did."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from zipsgd.estimators import ZipClassifier, ZipRegressor

ROWS = 2000


@pytest.fixture(scope="module")
def glitch() -> tuple[np.ndarray, np.ndarray]:
    """Normal columns with a wrong reading of 300 in one of them, and labels that do not follow it."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, 3))
    labels = features @ [1, 2, -1] + rng.normal(size=ROWS)
    features[5, 1] = 300
    return features, labels


def test_the_default_is_chosen_from_the_data(glitch: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = glitch
    usual = np.arange(ROWS) != 5
    chosen = ZipRegressor(random_state=0).fit(X, y)
    kept = ZipRegressor(random_state=0, scaling="range").fit(X, y)
    assert chosen.scaling_ in ("standard", "quantile")
    assert kept.scaling_ == "range"
    assert chosen.score(X[usual], y[usual]) > 0.8 > kept.score(X[usual], y[usual]) + 0.1
    assert kept.scalings_[0].clipped == ()
    assert clone(chosen).get_params()["scaling"] == "auto"


def test_predictions_clip_dense_and_sparse_rows_alike(glitch: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = glitch
    model = ZipRegressor(random_state=0, scaling="quantile", clip=0.01).fit(X, y)
    assert {each.column for each in model.scalings_[0].clipped} == {0, 1, 2}
    within = X.copy()
    for each in model.scalings_[0].clipped:
        within[:, each.column] = np.clip(within[:, each.column], each.low, each.high)
    expected = within @ model.coef_ + model.intercept_
    np.testing.assert_allclose(model.predict(X), expected)
    np.testing.assert_allclose(model.predict(sparse.csr_matrix(X)), expected)
    classifier = ZipClassifier(random_state=0, scaling="quantile").fit(X, y > 0)
    np.testing.assert_array_equal(classifier.predict(X), classifier.decision_function(within) > 0)


def test_partial_fit_keeps_what_it_clips(glitch: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = glitch
    model = ZipRegressor(random_state=0, scaling="standard").fit(X[6:1000], y[6:1000])
    before = model.scalings_[0]
    model.partial_fit(X, y)
    after = model.scalings_[0]
    np.testing.assert_array_equal(after.spread, before.spread)
    assert 1 in {each.column for each in after.clipped}
    assert model.predict([[0, 300, 0]]) == model.predict([[0, 1e6, 0]])
    open_ended = ZipRegressor(random_state=0).partial_fit(X[6:1000], y[6:1000]).partial_fit(X, y)
    assert open_ended.scalings_[0].clipped == ()  # the first rows of many cannot tell
    assert open_ended.scalings_[0].spread[1] > 290


def test_partial_fit_cannot_begin_with_a_scaling_that_clips(glitch: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="cannot begin with scaling='standard'"):
        ZipRegressor(scaling="standard").partial_fit(*glitch)


def test_partial_fit_keeps_other_weights_where_a_column_is_widened(
    glitch: tuple[np.ndarray, np.ndarray],
) -> None:
    """A column that becomes 90 times as wide would take a weight 90 times as large. It becomes flatter, and others stay."""
    X, y = glitch
    model = ZipRegressor(random_state=0, base_bits=8)
    for _ in range(10):
        model.partial_fit(X[6:1000], y[6:1000])
    before = model.coef_.copy()
    model.set_params(step_size=1e-7).partial_fit(X, y)
    np.testing.assert_allclose(model.coef_[[0, 2]], before[[0, 2]], atol=0.02)
    assert 0 < model.coef_[1] < before[1]
    assert "model" not in model.history_[-1]["flags"]


@pytest.mark.parametrize(
    ("words", "says"), [({"scaling": "z"}, "scaling must be one of"), ({"clip": 2}, "clip must be")]
)
def test_wrong_parameters(words: dict[str, object], says: str, glitch: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=says):
        ZipRegressor(**words).fit(*glitch)
