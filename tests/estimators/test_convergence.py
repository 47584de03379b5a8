"""The warnings of the estimators: the rule of ``zipsgd.train``, in a class that is scikit-learn's, too."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning as SklearnWarning

import zipsgd
from zipsgd.estimators import ZipClassifier, ZipRegressor

RNG = np.random.default_rng(1)
X = RNG.normal(size=(400, 4)) * [1, 10, 0.1, 3] + [0, 4, 0, -7]
Y = X @ [2, -0.1, 3, 0.1] + RNG.normal(size=400) * 0.1
CLASSES = np.digitize(Y, [-2, 1]).astype(float)


@pytest.mark.parametrize("kind", [zipsgd.ConvergenceWarning, SklearnWarning])
def test_one_warning_of_either_class_with_the_words_of_train(kind):
    options = {"step_size": 8.0, "schedule": "constant", "batch_size": 16}
    with pytest.warns(kind, match="worse than a constant") as raised:
        fitted = ZipRegressor(random_state=0, **options).fit(X, Y)
    assert len(raised) == 1
    assert raised[0].filename == __file__
    with pytest.warns(zipsgd.ConvergenceWarning) as same:
        result = zipsgd.train(X, Y, sort_rows=True, **options)
    assert str(same[0].message) == str(raised[0].message)
    assert fitted.warnings_ == result.warnings


def test_wide_saturation_in_the_last_epoch_is_warned_of():
    wide = RNG.normal(size=(400, 30))
    labels = wide @ RNG.normal(size=30)
    with pytest.warns(SklearnWarning, match="of the residuals were saturated in the last epoch"):
        ZipRegressor(base_bits=1, step_size=8.0, schedule="constant", random_state=0).fit(wide, labels)
    with pytest.warns(SklearnWarning, match="reached the end of the range"):
        ZipClassifier(step_size=3.0, schedule="constant", random_state=0).fit(X, CLASSES)


def test_the_best_epoch_is_kept():
    schedule = (1, 1, 1, 1, 1, 1, 1, 15)
    seen = []
    fitted = ZipRegressor(step_size=0.5, schedule=schedule, max_iter=8, random_state=0)
    fitted.set_callbacks(lambda report: seen.append(report.model.words.tolist()))
    with pytest.warns(SklearnWarning, match="got worse after epoch"):
        fitted.fit(X, Y)
    assert fitted.kept_epoch_ < 8
    assert fitted.model_words_.tolist() == seen[fitted.kept_epoch_ - 1]
    assert (fitted.n_iter_, fitted.n_epochs_) == (8, 8)
    with pytest.warns(SklearnWarning):
        last = ZipRegressor(step_size=0.5, schedule=schedule, max_iter=8, random_state=0, keep="last").fit(
            X, Y
        )
    assert last.model_words_.tolist() == seen[-1]
    assert last.kept_epoch_ == 8


def test_classes_that_a_plane_nearly_separates_need_no_warning():
    rows, labels = load_breast_cancer(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for base_bits in (1, 2, 4):
            for loss in ("squared_hinge", "hinge", "logistic"):
                ZipClassifier(base_bits=base_bits, loss=loss, random_state=0).fit(rows, labels)


def test_parts_in_the_order_of_their_labels_need_no_warning():
    order = np.argsort(Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regressor, classifier = ZipRegressor(random_state=0), ZipClassifier(random_state=0)
        for part in np.array_split(order, 8):
            regressor.partial_fit(X[part], Y[part])
            classifier.partial_fit(X[part], CLASSES[part], classes=[0, 1, 2])
    with pytest.warns(SklearnWarning, match="saturated in the last epoch"):
        ZipRegressor(random_state=0, step_size=11.0).partial_fit(X, Y)
