"""Models without an intercept: 0 stays 0, in columns, labels and predictions."""

import numpy as np
import pytest

import zipsgd
from zipsgd import Options
from zipsgd.data import Scaling, Table
from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.preparation import prepare

WEIGHTS = np.array([0.5, -0.25, 1.0, 0.0, 0.75])


@pytest.fixture
def sparse() -> Table:
    """Rows most of whose values are 0, and one column that is always 0; labels far from a mean of 0."""
    rng = np.random.default_rng(5)
    features = rng.uniform(0, 2, (800, 5)) * (rng.random((800, 5)) < 0.4)
    features[:, 3] = 0
    return Table(features, features @ WEIGHTS, tuple("abcde"), "sparse rows", "sum")


@pytest.mark.parametrize("levels", ["uniform", "optimal"])
def test_zero_stays_zero(sparse: Table, levels: str) -> None:
    options = Options(intercept=False, levels=levels, bits=4, epochs=15)
    task = prepare(sparse, options=options)
    values = np.asarray(task.values)
    np.testing.assert_array_equal(values[:, :-1] == 0, sparse.features == 0)
    assert not values[:, -1].any()
    assert not task.labels[~sparse.labels.astype(bool)].any()
    result = zipsgd.train(sparse, options=options)
    assert result.intercept == 0
    assert result.model_words[-1] == 0
    assert result.scaling == "none"
    np.testing.assert_allclose(result.coef, WEIGHTS, atol=0.03)
    assert result.predict(np.zeros((1, 5)))[0] == 0
    assert zipsgd.train(sparse, options=options, backend="golden").model_words == result.model_words
    centre = task.scalings[0].coefficients(float_sgd(task).models[0])
    assert centre[1] == 0


def test_a_device_predicts(sparse: Table) -> None:
    result = zipsgd.train(sparse, bits=4, intercept=False)
    found = zipsgd.predict(result, sparse.features, backend="emulator")
    np.testing.assert_allclose(found.predictions, result.predict(sparse.features), atol=0.05)
    as_trained = zipsgd.predict(result, sparse.features, backend="emulator", as_trained=True)
    assert np.corrcoef(as_trained.predictions, sparse.labels)[0, 1] > 0.9


def test_estimators(sparse: Table) -> None:
    model = ZipRegressor(fit_intercept=False, positive=True, random_state=0).fit(
        sparse.features, sparse.labels
    )
    assert model.intercept_ == 0
    assert model.coef_.min() == 0
    assert model.scaling_ == "none"
    with pytest.raises(ValueError, match="needs an intercept: call fit"):
        model.partial_fit(sparse.features, sparse.labels)
    classes = np.digitize(sparse.labels, [0.8, 1.6])
    several = ZipClassifier(fit_intercept=False, random_state=0).fit(sparse.features, classes)
    assert not several.intercept_.any()


def test_several_models_and_classes(sparse: Table) -> None:
    labels = np.stack([sparse.labels, sparse.features @ WEIGHTS[::-1]], axis=1)
    result = zipsgd.train(sparse.features, labels, bits=4, intercept=False)
    assert result.intercept == [0, 0]
    two = zipsgd.train(
        sparse.features, sparse.features[:, 0] > sparse.features[:, 1], intercept=False, classify=True
    )
    assert two.intercept == [0]
    assert two.train_score > 0.8


def test_nothing_is_centred() -> None:
    with pytest.raises(ValueError, match="choose scaling='none' instead of 'standard'"):
        Options(intercept=False, scaling="standard")
    assert Scaling.fit(Table(np.eye(3), np.arange(3.0), tuple("abc"), "t")).constant == 1
