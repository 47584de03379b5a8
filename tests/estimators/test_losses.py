"""Estimators of other losses than the device's own, and of samples that come twice."""

import pickle

import numpy as np
import pytest
from sklearn import datasets
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.training.losses import compile_loss, logistic, pseudo_huber

RNG = np.random.default_rng(5)
X = RNG.normal(size=(400, 5)) * [1, 10, 0.1, 3, 1] + [0, 4, 0, -7, 2]
Y = X @ [2, -0.1, 30, 0.2, 0] + 5 + RNG.normal(size=400) * 0.3
CLASSES = np.digitize(X @ [2, 0, 3, 0.1, -1], [-3, 0])
EXPONENTIAL = compile_loss("exponential", lambda t: -np.exp(-t), of="margin", degree=4, radius=1)
SHARE = 0.8
QUANTILE = compile_loss(
    "quantile", lambda r: 1 / (1 + np.exp(-8 * r)) - SHARE, of="residual", degree=3, radius=1
)


def words(estimator):
    return estimator.model_words_.tolist()


# Logistic loss


@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_logistic_regression_is_near_that_of_scikit_learn(alpha):
    """Probabilities within a hundredth in the mean, and three at most, of the same penalty on the same scale."""
    values, labels = datasets.load_breast_cancer(return_X_y=True)
    values = values - values.mean(axis=0)
    values /= np.abs(values).max(axis=0)
    ours = ZipClassifier(
        loss="logistic", penalty="l2", alpha=alpha, base_bits=3, max_iter=60, random_state=0
    ).fit(values, labels)
    exact = LogisticRegression(C=1 / (alpha * labels.size), max_iter=1000).fit(values, labels)
    off = np.abs(ours.predict_proba(values) - exact.predict_proba(values))
    assert off.mean() < 0.01
    assert off.max() < 0.03
    assert ours.score(values, labels) == pytest.approx(exact.score(values, labels), abs=0.01)
    np.testing.assert_allclose(ours.coef_, exact.coef_, atol=0.03 * np.abs(exact.coef_).max())


def test_without_a_penalty_classes_are_told_apart_as_well_as_by_scikit_learn():
    values, labels = datasets.load_breast_cancer(return_X_y=True)
    ours = ZipClassifier(loss="logistic", random_state=0).fit(values, labels)
    assert ours.score(values, labels) > 0.97
    assert ours.history_[-1]["loss"] < 0.15


def test_logistic_probabilities():
    """They add up to 1, grow with the output, and are those of the outputs' odds."""
    both = ZipClassifier(loss="logistic", random_state=0).fit(X, CLASSES == 1)
    probabilities, outputs = both.predict_proba(X), both.decision_function(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.all(np.diff(probabilities[np.argsort(outputs), 1]) >= 0)
    np.testing.assert_allclose(np.log(probabilities[:, 1] / probabilities[:, 0]), outputs, atol=1e-9)
    three = ZipClassifier(loss="logistic", random_state=0).fit(X, CLASSES)
    probabilities = three.predict_proba(X)
    assert probabilities.shape == (400, 3)
    assert probabilities.min() > 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), three.predict(X))


def test_the_loss_by_name_is_the_compiled_one():
    named = ZipClassifier(loss="logistic", max_iter=2, random_state=0).fit(X, CLASSES)
    given = ZipClassifier(loss=logistic(), max_iter=2, random_state=0).fit(X, CLASSES)
    assert words(named) == words(given)
    assert hasattr(given, "predict_proba")
    huber = ZipRegressor(loss="huber", max_iter=2, random_state=0).fit(X, Y)
    assert words(huber) == words(ZipRegressor(loss=pseudo_huber(), max_iter=2, random_state=0).fit(X, Y))


# Compiled losses


def test_a_loss_of_the_users_own_for_classes():
    fitted = ZipClassifier(loss=EXPONENTIAL, base_bits=3, random_state=0).fit(X, CLASSES)
    assert fitted.score(X, CLASSES) > 0.75
    assert not hasattr(clone(fitted).set_params(calibrate=False).fit(X, CLASSES), "predict_proba")
    golden = ZipClassifier(loss=EXPONENTIAL, max_iter=1, random_state=0, backend="golden").fit(X, CLASSES)
    again = ZipClassifier(loss=EXPONENTIAL, max_iter=1, random_state=0).fit(X, CLASSES)
    assert words(golden) == words(again)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
    assert clone(fitted).loss == EXPONENTIAL


def test_a_loss_of_the_users_own_for_numbers():
    """Its mean derivative is 0 at the model, which is above most of the targets."""
    rows = X[:, :2]
    fitted = ZipRegressor(loss=QUANTILE, base_bits=4, max_iter=60, random_state=0).fit(rows, Y)
    above = fitted.predict(rows) - Y
    assert np.mean(above > 0) > 0.75
    slopes = QUANTILE.derivative(above / fitted.scalings_[0].label_spread)
    assert abs(slopes.mean()) < 0.01
    own = ZipRegressor(base_bits=4, max_iter=60, random_state=0).fit(rows, Y)
    assert np.mean(own.predict(rows) > Y) == pytest.approx(0.5, abs=0.05)


def test_least_squares_by_a_polynomial():
    """Of which samples of two quantisations are without bias, too: the same model, but for its noise."""
    squares = compile_loss("squares", lambda r: r, of="residual", degree=1, radius=2)
    ours = ZipRegressor(loss=squares, base_bits=4, max_iter=40, random_state=0).fit(X, Y)
    own = ZipRegressor(base_bits=4, max_iter=40, random_state=0).fit(X, Y)
    assert ours.history_[0]["bits"] == own.history_[0]["bits"]
    assert ours.history_[0]["step_size"] == own.history_[0]["step_size"]
    np.testing.assert_allclose(ours.predict(X), own.predict(X), atol=0.02 * np.std(Y))


def test_huber_is_less_moved_by_outliers():
    """And the less, the sooner it is no longer squared."""
    wild = Y.copy()
    wild[::20] += 20 * np.std(Y)
    moved = []
    for loss in ("squared_error", "huber", pseudo_huber(0.2)):
        fitted = ZipRegressor(loss=loss, base_bits=4, max_iter=40, random_state=0).fit(X, wild)
        moved.append(np.abs(fitted.predict(X) - Y).mean())
    assert moved[2] < 0.8 * moved[1] < 0.8 * 0.8 * moved[0]


@pytest.mark.parametrize(
    ("estimator", "loss", "samples"),
    [
        (ZipClassifier, "squared_hinge", 2),
        (ZipClassifier, "logistic", logistic().polynomial.degree + 1),
        (ZipClassifier, EXPONENTIAL, 5),
        (ZipRegressor, "huber", pseudo_huber().polynomial.degree + 1),
        (ZipRegressor, QUANTILE, 4),
    ],
)
def test_automatic_samples_are_as_many_as_are_without_bias(estimator, loss, samples):
    labels = CLASSES == 1 if estimator is ZipClassifier else Y
    fitted = estimator(loss=loss, base_bits=3, max_iter=1, random_state=0).fit(X, labels)
    label = (
        1 if loss == "squared_hinge" else 2
    )  # the sign takes a byte; polynomial losses and numbers take a word
    assert fitted.history_[0]["bits"] == 400 * 8 * (3 + samples + label)
    fewer = estimator(loss=loss, bits=3, estimator="naive", max_iter=1, random_state=0).fit(X, labels)
    assert fewer.history_[0]["bits"] == 400 * 8 * (3 + label)


def test_losses_of_the_wrong_kind_are_named():
    with pytest.raises(ValueError, match=r"^the loss 'quantile' must be compiled of=\"margin\" here$"):
        ZipClassifier(loss=QUANTILE).fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"^the loss 'exponential' must be compiled of=\"residual\" here$"):
        ZipRegressor(loss=EXPONENTIAL).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"^the loss 'logistic' is for classes: .* or choose one of squared_error, huber$"
    ):
        ZipRegressor(loss="logistic").fit(X, Y)
    with pytest.raises(ValueError, match=r"bits must be in 5\.\.12"):
        ZipRegressor(loss=QUANTILE, bits=4).fit(X, Y)


# Refetching


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_some_samples_come_twice(loss):
    """Of 40 columns, fewer where the odd one may be on the wrong side; the classes take turns."""
    rng = np.random.default_rng(6)
    rows = rng.normal(size=(200, 40))
    labels = np.digitize(rows @ rng.normal(size=40), [-4, 4])
    chosen = {"loss": loss, "base_bits": 4, "max_iter": 2, "random_state": 0}
    shares = []
    for refetch in ("certain", "likely"):
        fitted = ZipClassifier(refetch=refetch, **chosen).fit(rows, labels)
        golden = ZipClassifier(refetch=refetch, backend="golden", **chosen).fit(rows, labels)
        assert words(fitted) == words(golden)
        shares.append([entry["refetched"] for entry in fitted.history_])
        assert shares[-1] == [entry["refetched"] for entry in golden.history_]
        again = round(shares[-1][-1] * 3 * 200)
        assert fitted.history_[-1]["bits"] == 8 * (3 * 200 * (6 * 5 + 1) + again * (10 * 5 + 1))
        assert fitted.score(rows, labels) > 0.7
    for certain, likely in zip(*shares, strict=True):
        assert 1 > certain > likely > 0
    never = ZipClassifier(**chosen).fit(rows, labels)
    assert "refetched" not in never.history_[-1]
    assert words(never) == words(ZipClassifier(refetch="never", **chosen).fit(rows, labels))


def test_verbose_says_how_many_came_twice(capsys):
    ZipClassifier(refetch="certain", max_iter=1, random_state=0, verbose=1).fit(X, CLASSES)
    assert "% fetched again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"refetch": "often"}, "^refetch must be one of never, certain, likely, not 'often'$"),
        ({"refetch": 1}, "^refetch must be one of never, certain, likely, not 1$"),
        (
            {"refetch": "certain", "loss": "logistic"},
            "refetch does not work with the loss polynomial_margin, only",
        ),
        (
            {"refetch": "certain", "loss": "squared_error"},
            "refetch does not work with the loss squared, only with hinge",
        ),
        (
            {"refetch": "likely", "levels": "optimal"},
            'refetch does not work with levels="optimal", only with uniform',
        ),
        (
            {"refetch": "likely", "estimator": "truncated"},
            "refetch does not work with estimator='truncated', only with a quantisation",
        ),
    ],
)
def test_refetching_that_cannot_be_is_named(chosen, says):
    with pytest.raises(ValueError, match=says):
        ZipClassifier(**chosen).fit(X, CLASSES)


def test_a_loss_of_a_small_scale_takes_the_largest_steps() -> None:
    """The automatic step is one that the device has, whatever the loss's curvature."""
    small = compile_loss("small", lambda r: 1e-3 * r, of="residual", degree=1, radius=1)
    fitted = ZipRegressor(loss=small, random_state=0, max_iter=50).fit(X, Y)
    assert fitted.history_[0]["step_size"] == pytest.approx(0.9 * (400 // 32), rel=0.05)
    assert fitted.score(X, Y) > 0.3
