"""Saved models: what is saved comes back, and nothing else is taken for one."""

import json

import numpy as np
import pytest

from zipsgd import ClassifierResult, DataError, Options, load_model, train
from zipsgd.training.sample_record import SampleRecord


@pytest.fixture(scope="module")
def result(small_table):
    return train(small_table, options=Options(epochs=2))


def test_round_trip(result, small_table, tmp_path):
    result.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert loaded == result
    np.testing.assert_array_equal(loaded.predict(small_table.features), result.predict(small_table.features))


def test_what_is_to_be_known_is_in_it(result):
    content = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert len(content["loss"]) == 2
    assert len(content["coef"]) == 6
    assert len(content["model_words"]) == 7
    assert all(isinstance(word, int) for word in content["model_words"])
    assert content["bits_per_value"] == 4
    assert content["cycles"] is None
    assert content["flags"] == []
    assert content["options"] == Options(epochs=2).resolved(diagonal=True).as_dict()
    assert content["label"] == "label"


@pytest.fixture
def classifier(result):
    """Of three classes and two columns: the first where x is the largest, the second where y is, else the third."""
    return ClassifierResult(
        **{
            **vars(result),
            "model_words": [[1, 0, 0]] * 3,
            "loss_name": "hinge",
            "train_score": 0.5,
            "columns": ["x", "y"],
            "classes": [-7.0, 0.5, 1e10],
            "coef": [[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]],
            "intercept": [0.0, 0.0, 1.0],
            "samples": SampleRecord(
                [0.0, 1.0],
                [1.0, 2.0],
                [0.0] * 3,
                [1.0] * 3,
                1,
                1,
                0.5,
                2,
                [[-1, 0, 1], [-2, 0, 1], [-1, 0, 1]],
            ),
        },
    )


POINTS = np.array([[3.0, 0.0], [0.0, 3.0], [1.0, 1.5], [5.0, 4.5]])


def test_round_trip_of_a_classifier(classifier, tmp_path):
    classifier.evaluate(POINTS, np.array([-7.0, 0.5, 1e10, -7.0]))
    assert (classifier.held_out, classifier.held_out_score) == (4, 0.75)
    classifier.save(tmp_path / "m.json")
    loaded = load_model(tmp_path / "m.json")
    assert loaded == classifier
    predicted = loaded.predict(POINTS)
    assert predicted.tolist() == [-7, 0.5, 1e10, 1e10]
    assert list(loaded.texts(predicted)) == ["-7", "0.5", "10000000000", "10000000000"]
    with pytest.raises(DataError, match=r"takes 2 columns, and X has 5"):
        loaded.predict(np.zeros((2, 5)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("final_loss"), "has no final_loss"),
        (lambda c: c.pop("classes"), "has no classes"),
        (lambda c: c.update(classes=["ant", "bee", "bee"]), "classes are not"),
        (lambda c: c.update(classes=["ant", "bee", 3]), "classes are not"),
        (lambda c: c.update(categories={"town": "Rome"}), "categories are not"),
        (lambda c: c.update(classes=[1, 2, 2]), "classes are not"),
        (lambda c: c.update(classes=[1]), "classes are not"),
        (lambda c: c.update(classes=[1, 2]), "takes 1 models"),
        (lambda c: c.update(intercept=[1.0]), "takes 3 models"),
        (lambda c: c.update(intercept=3), "not numbers"),
        (lambda c: c.update(coef=[1.0, 2.0, 3.0]), "not numbers"),
        (lambda c: c.update(coef=3), "not numbers"),
        (lambda c: c.update(coef=[[1.0], [1.0, 2.0], [1.0, 2.0]]), "a column for each"),
        (lambda c: c.pop("samples"), "has no samples"),
        (lambda c: c.update(samples=None), "how rows become samples"),
        (lambda c: c["samples"].pop("scale"), "how rows become samples"),
        (lambda c: c["samples"].update(more=1), "how rows become samples"),
        (lambda c: c["samples"].update(centre=[0.0]), "its centre is not a list of 2 numbers"),
        (lambda c: c["samples"].update(spread=[1.0, 0.0]), "its spread is not a list of 2 numbers above 0"),
        (
            lambda c: c["samples"].update(label_spread=[1.0, "a", 2.0]),
            "its label_spread is not a list of 3 numbers above 0",
        ),
        (lambda c: c["samples"].update(label_centre=[1.0]), "its label_centre is not a list of 3 numbers"),
        (lambda c: c["samples"].update(base_planes=9), "planes or scale"),
        (lambda c: c["samples"].update(up_planes=1.5), "planes or scale"),
        (lambda c: c["samples"].update(scale=0), "planes or scale"),
        (lambda c: c["samples"].update(levels=[[0, 1, 200]] * 3), "its levels are not"),
        (lambda c: c["samples"].update(levels=[]), "its levels are not"),
        (lambda c: c["samples"].update(level_bits=0), "its levels are not"),
        (lambda c: c["samples"].update(levels=[[1, 0, -1]] * 3), "must not decrease"),
        (lambda c: c["samples"].update(levels=[[-1, 0, 1]] * 2), "its levels are not those of 2 columns"),
        (lambda c: c["samples"].update(base_planes=2), "its levels are not those of 2 columns"),
    ],
)
def test_broken_classifiers_are_named(classifier, tmp_path, change, says):
    content = {"format": ClassifierResult.FORMAT, **classifier.as_dict()}
    change(content)
    (tmp_path / "m.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"m\.json is no model of 'zipsgd train --save': .*{says}"):
        load_model(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("format"), "does not say"),
        (lambda c: c.update(format="zipsgd model 0"), "does not say"),
        (lambda c: c.pop("coef"), "has no coef"),
        (lambda c: c.update(coef=["1"] * 6), "not numbers"),
        (lambda c: c.update(coef=[True] * 6), "not numbers"),
        (lambda c: c.update(intercept=float("nan")), "not numbers"),
        (lambda c: c.update(intercept=10**400), "not numbers"),
        (lambda c: c.update(coef=3), "not numbers"),
        (lambda c: c.update(coef=[1.0]), "a column for each"),
        (lambda c: c.update(columns=None), "a column for each"),
        (lambda c: c.update(options=[]), "options are not"),
        (lambda c: c.update(clipped=None), "clipped columns are not some of 6"),
        (
            lambda c: c.update(clipped=[{"column": 6, "name": "a", "low": 0, "high": 1, "share": 0.1}]),
            "clipped columns",
        ),
        (
            lambda c: c.update(clipped=[{"column": 5, "name": "a", "low": 2, "high": 1, "share": 0.1}]),
            "clipped columns",
        ),
    ],
)
def test_broken_models_are_named(result, tmp_path, change, says):
    path = tmp_path / "m.json"
    result.save(path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=rf"m\.json is no model of 'zipsgd train --save': .*{says}"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_other_files_are_no_models(tmp_path, content):
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(DataError, match="is no model"):
        load_model(tmp_path / "m.json")


def test_no_model(tmp_path):
    with pytest.raises(DataError, match=r"no model file .*none\.json; 'zipsgd train --save' writes one"):
        load_model(tmp_path / "none.json")
    with pytest.raises(DataError, match="is no model"):
        load_model(tmp_path)


def test_features_of_another_shape(result):
    with pytest.raises(DataError, match=r"takes 6 columns, and X has 5"):
        result.predict(np.zeros((2, 5)))
