"""What users choose for classes: hold-out, scores, weights, calibration, and bits."""

import json

import numpy as np
import pytest

import zipsgd
from zipsgd.estimators import ZipClassifier
from zipsgd.training.scores import CLASS_SCORES

RNG = np.random.default_rng(2)
X = RNG.normal(size=(150, 4)) * [1, 10, 0.1, 3] + [0, 4, 0, -7]
Y = np.digitize(X @ [2, 0, 3, 0.1], [-2, 1]) * 5.0 - 5  # -5, 0 and 5


def save_csv(path, labels, features=X):
    header = ",".join([*(f"x{i}" for i in range(features.shape[1])), "species"])
    rows = np.column_stack([features, labels])
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.17g")
    return path


@pytest.fixture
def csv(tmp_path):
    return save_csv(tmp_path / "three.csv", Y)


@pytest.fixture
def trained(run, csv, tmp_path):
    """Train on the three classes; what --json writes."""

    def call(*words):
        out = tmp_path / "o.json"
        status, _, err = run("train", csv, "--classify", *words, "--json", out)
        assert status == 0, err
        return json.loads(out.read_text())

    return call


def test_a_class_of_one_row_keeps_its_row(run, tmp_path):
    labels = Y.copy()
    labels[labels == 5] = -5
    labels[70] = 5
    path = save_csv(tmp_path / "rare.csv", labels)
    for seed in range(3):
        words = ("--classify", "--validation", 0.3, "--epochs", 1, "--seed", seed)
        status, text, err = run("train", path, *words)
        assert status == 0
        assert "no rows of 1 small class are held out, all are trained on: 5 (1)" in err
        assert "for 'species' on 105 rows x 4 columns, 3 classes, after 1 epoch" in text
        assert "on 45 rows held out" in text


@pytest.mark.parametrize("score", ["balanced-accuracy", "auc", "f1_macro"])
def test_the_score_is_a_choice(score, run, csv, tmp_path):
    model, out = tmp_path / "m.json", tmp_path / "o.json"
    words = (
        "--label",
        "species",
        "--classify",
        "--score",
        score,
        "--epochs",
        3,
        "--validation",
        0.3,
        "--measure",
    )
    status, text, _ = run("train", csv, *words, "--save", model, "--json", out)
    assert status == 0
    content = json.loads(out.read_text())
    found = CLASS_SCORES[score.replace("-", "_")]
    assert text.startswith(f"{found.title} {content['train_score']:.4f} for 'species' on 105 rows")
    assert content["scores"][-1] == content["train_score"]
    assert content["validation_scores"][-1] == pytest.approx(content["held_out_score"])
    loaded = zipsgd.load_model(model)
    numbers = np.searchsorted([-5, 0, 5], Y)
    assert loaded.score(X, Y) == found.function(loaded.outputs(X), numbers, None)
    _, _, err = run("predict", csv, "--model", model)
    assert err.splitlines()[-1] == f"{found.title} {loaded.score(X, Y):.4f} over 150 rows"


def test_weights_of_classes_are_those_of_the_estimator(trained):
    ours = ZipClassifier(batch_size=16, max_iter=2, random_state=0, class_weight={0: 2.5, 5: 0.25}).fit(X, Y)
    words = ("--epochs", 2, "--sort-rows")
    content = trained(*words, "--class-weight", "0=2.5", "--class-weight", "5.0=0.25")
    assert content["model_words"] == ours.model_words_.tolist()
    assert content["options"]["class_weight"] == {"0": 2.5, "5": 0.25}
    balanced = ZipClassifier(batch_size=16, max_iter=2, random_state=0, class_weight="balanced").fit(X, Y)
    content = trained(*words, "--class-weight", "balanced")
    assert content["model_words"] == balanced.model_words_.tolist()
    assert content["coef"] == balanced.coef_.tolist()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--class-weight", "7=3"),
            "class_weight names '7', which is not a class: the classes are '-5', '0', '5'",
        ),
        (
            ("--class-weight", "even"),
            "--class-weight takes 'balanced', or a class and its weight such as 1=2.5",
        ),
        (("--class-weight", "0=-1"), "class_weight must be positive numbers, not -1.0 for the class '0'"),
        (("--score", "r2"), "the score 'r2' is for numbers: leave out classify=True"),
        (("--epsilon", 1), "epsilon is the width of the loss 'huber'"),
    ],
)
def test_choices_for_classes_that_do_not_fit(words, says, run, csv):
    status, out, err = run("train", csv, "--classify", *words)
    assert (status, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) <= 2  # what was read, and the error


def test_calibration_is_a_choice(trained):
    plain, fitted = (trained("--epochs", 3, *words) for words in (("--no-calibrate",), ()))
    assert plain["model_words"] == fitted["model_words"]
    assert plain["calibration"] is None
    assert fitted["train_score"] > plain["train_score"]
    assert trained("--l1", 0.01, "--epochs", 1)["calibration"] is None
    assert trained("--l1", 0.01, "--epochs", 1, "--calibrate")["calibration"] is not None


def test_columns_of_two_values_get_a_hint(run, tmp_path):
    path = save_csv(tmp_path / "two.csv", Y, (X > 0).astype(float))
    words = ("--classify", "--epochs", 1)
    hint = "no column has more than two values: --levels optimal --bits 1 loses nothing"
    status, text, _ = run("train", path, *words)
    assert (status, hint in text) == (0, True)
    status, text, _ = run("train", path, *words, "--levels", "optimal", "--bits", 1)
    assert (status, hint in text) == (0, False)
    assert "1 bit a value" in text
