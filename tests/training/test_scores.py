"""Scores, held against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from zipsgd.training.scores import CLASS_SCORES, REGRESSION_SCORES, find_score

RNG = np.random.default_rng(5)
ROWS = 400
WEIGHTS = RNG.integers(1, 5, ROWS).astype(float)


def outputs_of(heads: int) -> np.ndarray:
    """Outputs; those of a single head have ties."""
    return RNG.normal(size=(ROWS, heads)) if heads > 1 else np.round(RNG.normal(size=(ROWS, 1)), 1)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("heads", [1, 4])
def test_scores_of_classes_are_scikit_learns(heads: int, weights: np.ndarray | None) -> None:
    outputs = outputs_of(heads)
    numbers = RNG.choice(max(heads, 2), ROWS, p=[0.6, 0.4] if heads == 1 else [0.6, 0.3, 0.08, 0.02])
    said = outputs.argmax(axis=1) if heads > 1 else (outputs[:, 0] > 0).astype(int)
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    expected = {
        "accuracy": metrics.accuracy_score(numbers, said, sample_weight=weights),
        "balanced_accuracy": metrics.balanced_accuracy_score(numbers, said, sample_weight=weights),
        "f1_macro": metrics.f1_score(numbers, said, average="macro", sample_weight=weights),
        "auc": metrics.roc_auc_score(numbers, outputs[:, 0], sample_weight=weights)
        if heads == 1
        else np.mean(
            [metrics.roc_auc_score(numbers == c, shares[:, c], sample_weight=weights) for c in range(heads)]
        ),
    }
    assert expected.keys() == CLASS_SCORES.keys()
    for name, value in expected.items():
        assert CLASS_SCORES[name].function(outputs, numbers, weights) == pytest.approx(value, abs=1e-12), name
    if heads > 1 and weights is None:
        assert expected["auc"] == pytest.approx(metrics.roc_auc_score(numbers, shares, multi_class="ovr"))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("outputs", [1, 3])
def test_scores_of_numbers_are_scikit_learns(outputs: int, weights: np.ndarray | None) -> None:
    labels, said = RNG.gamma(1, size=(ROWS, outputs)), RNG.gamma(1, size=(ROWS, outputs))
    expected = {
        "r2": metrics.r2_score(labels, said, sample_weight=weights),
        "d2_absolute_error": metrics.d2_absolute_error_score(labels, said, sample_weight=weights),
    }
    assert expected.keys() == REGRESSION_SCORES.keys()
    for name, value in expected.items():
        assert REGRESSION_SCORES[name].function(said, labels, weights) == pytest.approx(value, abs=1e-12)


def test_scores_that_are_not_defined() -> None:
    constant = np.ones((5, 1))
    for score in REGRESSION_SCORES.values():
        assert np.isnan(score.function(constant, constant, None))
    assert np.isnan(CLASS_SCORES["auc"].function(constant, np.ones(5, dtype=int), None))
    assert np.isnan(CLASS_SCORES["auc"].function(np.ones((5, 3)), np.ones(5, dtype=int), None))


def test_a_class_that_the_models_do_not_know_is_predicted_wrongly() -> None:
    outputs, numbers = np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 2, -1])
    found = {name: score.function(outputs, numbers, None) for name, score in CLASS_SCORES.items()}
    assert found["accuracy"] == found["balanced_accuracy"] == 0.75
    assert found["f1_macro"] == metrics.f1_score(numbers, [0, 1, 2, 0], average="macro")
    assert found["auc"] == pytest.approx((2.5 / 3 + 1 + 1) / 3)


def test_a_class_without_rows_has_no_share_in_the_scores() -> None:
    outputs, numbers = np.eye(3)[[0, 1, 1, 0]], np.array([0, 1, 0, 1])
    assert CLASS_SCORES["balanced_accuracy"].function(outputs, numbers, None) == 0.5
    assert CLASS_SCORES["auc"].function(outputs, numbers, None) == 0.5


@pytest.mark.parametrize(
    ("asked", "classify", "says"),
    [
        ("r2", True, "the score 'r2' is for numbers: leave out classify=True"),
        ("auc", False, "the score 'auc' is for classes: set classify=True"),
        ("best", True, "score must be one of accuracy, balanced_accuracy, auc, f1_macro, not 'best'"),
    ],
)
def test_scores_of_other_labels_are_refused(asked: str, classify: bool, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        find_score(asked, classify=classify)
