"""Calibration of several classes against each other, and the softmax regression that it takes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from zipsgd import Options, train
from zipsgd.estimators import ZipClassifier
from zipsgd.training.calibration import Calibration
from zipsgd.training.softmax import fit_softmax

RNG = np.random.default_rng(4)
ROWS = 600
X = RNG.normal(size=(ROWS, 3)) * [1, 20, 0.1] + [0, 5, 0]
BETWEEN = np.digitize(X[:, 0] + 0.05 * RNG.normal(size=ROWS), [-0.4, 0.4])
"""Three intervals of a column. No plane separates the middle one from the others."""


def test_softmax_regression_is_scikit_learns() -> None:
    features = np.column_stack([RNG.normal(size=(ROWS, 4)), np.ones(ROWS)])
    numbers = (features[:, :4] @ RNG.normal(size=(4, 5)) + RNG.gumbel(size=(ROWS, 5))).argmax(axis=1)
    weights = RNG.uniform(0.5, 2, ROWS)
    ours = fit_softmax(features, numbers, weights, 0.02)
    theirs = LogisticRegression(C=1 / (0.02 * weights.sum()), tol=1e-8, max_iter=1000)
    theirs.fit(features[:, :4], numbers, weights)
    np.testing.assert_allclose(ours[:4].T, theirs.coef_, atol=2e-3)
    intercepts = ours[4] - ours[4].mean()
    np.testing.assert_allclose(intercepts, theirs.intercept_ - theirs.intercept_.mean(), atol=2e-3)


def test_softmax_regression_ends_where_classes_are_separated() -> None:
    features = np.column_stack([np.linspace(-1, 1, 30), np.ones(30)])
    numbers = np.repeat([0, 1, 2], 10)
    fitted = fit_softmax(features, numbers, np.ones(30), 1e-6)
    assert np.array_equal((features @ fitted).argmax(axis=1), numbers)


def test_models_of_calibrated_outputs() -> None:
    calibration = Calibration(RNG.normal(size=(3, 3)), RNG.normal(size=3))
    models, rows = RNG.normal(size=(3, 5)), np.column_stack([RNG.normal(size=(7, 4)), np.ones(7)])
    outputs = rows @ calibration.models(models).T
    np.testing.assert_allclose(outputs, calibration.outputs(rows @ models.T))


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge", "logistic", "squared_error"])
def test_a_class_between_others_is_found(loss: str) -> None:
    plain, fitted = (
        train(
            X,
            BETWEEN,
            classify=True,
            loss=loss,
            base_bits=2,
            calibrate=each,
            measure=True,
            validation=0.25,
            epochs=8,
        )
        for each in (False, None)
    )
    assert fitted.model_words == plain.model_words
    assert fitted.loss == plain.loss
    assert fitted.held_out_score is not None
    assert plain.held_out_score is not None
    assert fitted.held_out_score > 0.94 > 0.85 > plain.held_out_score
    assert fitted.validation_scores[-1] == pytest.approx(fitted.held_out_score)
    assert fitted.scores[-1] == fitted.train_score
    assert np.linalg.norm(plain.coef[1]) < np.linalg.norm(plain.coef[0]) / 4


@pytest.mark.parametrize("levels", ["uniform", "optimal"])
def test_coefficients_are_those_of_the_device_and_the_calibration(levels: str) -> None:
    plain, fitted = (
        train(X, BETWEEN, classify=True, levels=levels, calibrate=each, epochs=2) for each in (False, True)
    )
    assert plain.calibration is None
    calibration = Calibration(*(np.array(fitted.calibration[name]) for name in ("mix", "offset")))
    models = calibration.models(np.column_stack([plain.coef, plain.intercept]))
    np.testing.assert_allclose(fitted.coef, models[:, :-1])
    np.testing.assert_allclose(fitted.intercept, models[:, -1])


def test_probabilities_are_right_on_average() -> None:
    fitted = ZipClassifier(loss="hinge", random_state=0, max_iter=5).fit(X, BETWEEN)
    shares = fitted.predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares.mean(axis=0), np.bincount(BETWEEN) / ROWS, atol=1e-3)
    assert np.array_equal(shares.argmax(axis=1), fitted.predict(X))
    assert not hasattr(ZipClassifier(loss="hinge").fit(X, BETWEEN > 0), "predict_proba")


def test_what_is_not_calibrated() -> None:
    for words in ({"l1": 0.01}, {"bound": 1.0}, {"radius": 1.0}, {"calibrate": False}):
        assert not Options(classify=True, **words).calibrates
    assert Options(classify=True, l1=0.01, calibrate=True).calibrates
    assert train(X, BETWEEN > 0, classify=True, epochs=1).calibration is None
    many = np.arange(ROWS) % 33
    assert train(X, many, classify=True, epochs=1).calibration is None
    parts = ZipClassifier(random_state=0).fit(X, BETWEEN)
    assert parts.calibration_ is not None
    assert parts.partial_fit(X, BETWEEN).calibration_ is None


def test_weights_of_classes_count_in_the_calibration() -> None:
    """Nearly all rows are of one class: balanced weights move the bounds of the others towards it."""
    rare = np.digitize(X[:, 0] + 0.5 * RNG.normal(size=ROWS), [-1.5, 1.5])
    words = {"classify": True, "score": "balanced_accuracy", "epochs": 5}
    plain, balanced = (train(X, rare, class_weight=each, **words).train_score for each in (None, "balanced"))
    assert balanced > plain + 0.05


def test_a_class_of_many_rows_gives_evenly_spaced_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(X, BETWEEN, classify=True, epochs=3)
    monkeypatch.setattr("zipsgd.training.calibration._MOST_ROWS", 300)
    part = train(X, BETWEEN, classify=True, epochs=3)
    assert part.coef != whole.coef
    assert part.train_score == pytest.approx(whole.train_score, abs=0.02)
