"""Weights of classes, and rows without weight."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from zipsgd import Options, train
from zipsgd.estimators import ZipClassifier
from zipsgd.training.class_weights import class_weights

RNG = np.random.default_rng(9)
X = RNG.normal(size=(240, 3))
Y = np.repeat([0, 1, 2], [200, 30, 10])
ROWS = RNG.permutation(240)
X, Y = X[ROWS] + Y[ROWS, None], Y[ROWS]


def test_balanced_weights_are_scikit_learns() -> None:
    share = RNG.integers(1, 4, 240).astype(float)
    for weights in (None, share):
        expected = compute_class_weight("balanced", classes=np.arange(3), y=Y, sample_weight=weights)
        np.testing.assert_allclose(class_weights("balanced", [0, 1, 2], Y, weights), expected)
    assert class_weights({2: 5}, [0, 1, 2], Y).tolist() == [1, 1, 5]


def test_classes_are_named_by_number_or_by_text() -> None:
    runs = [
        train(X, Y, classify=True, class_weight=asked, epochs=2)
        for asked in ({1: 2.5, 2: 7}, {"1": 2.5, "2": 7.0}, {np.int64(1): np.float32(2.5), 2.0: 7})
    ]
    assert runs[0].options["class_weight"] == {"1": 2.5, "2": 7.0}
    assert len({str(run.model_words) for run in runs}) == 1
    assert runs[0].model_words != train(X, Y, classify=True, epochs=2).model_words


def test_weights_of_classes_multiply_those_of_rows() -> None:
    rows = RNG.uniform(0.5, 2, 240)
    both = rows * np.where(Y == 2, 3.5, 1)
    one = train(X, Y, classify=True, class_weight={2: 3.5}, weights=rows, epochs=2)
    assert one.model_words == train(X, Y, classify=True, weights=both, epochs=2).model_words


def test_a_class_without_weight_is_no_class() -> None:
    """On every interface alike, and with the bits of a set without its rows."""
    rows = np.where(Y == 1, 0.0, 1.5)
    ours = train(X, Y, classify=True, weights=rows, epochs=2, sort_rows=True, batch_size=6)
    assert ours.classes == [0, 2]
    fitted = ZipClassifier(max_iter=2, random_state=0, batch_size=6).fit(X, Y, rows)
    assert fitted.classes_.tolist() == [0, 2]
    assert ours.model_words == fitted.model_words_.tolist()


@pytest.mark.parametrize(
    ("asked", "classify", "says"),
    [
        ({0: 1}, False, "class_weight is for classes: set classify=True"),
        ("even", True, "class_weight must be a dict or \"balanced\", not 'even'"),
        ({0: 0}, True, "class_weight must be positive numbers, not 0 for the class 0"),
        ({0: "2"}, True, "class_weight must be positive numbers, not '2' for the class 0"),
    ],
)
def test_bad_weights_are_named(asked: object, classify: bool, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Options(classify=classify, class_weight=asked)
