"""The commands on data files as people have them: pipes, text classes, categories, other columns."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import zipsgd

RNG = np.random.default_rng(3)
X = RNG.normal(size=(240, 3))
TOWNS = np.array(["Oslo", "Paris", "Rome"])[np.arange(240) % 3]
KINDS = np.array(["ant", "bee"])[(X @ [3, -1, 1] > 0).astype(int)]
Y = X @ [1, -2, 0.5] + 2 * (TOWNS == "Rome")


def write(path, header, *columns):
    """A CSV file of columns of numbers or text."""
    rows = zip(*(column.tolist() for column in columns))
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


@pytest.fixture
def csv(tmp_path):
    return write(tmp_path / "t.csv", "a,b,c,y", *X.T, Y)


def words_of(path):
    return json.loads(path.read_text())["model_words"]


@pytest.fixture
def standard_input(monkeypatch):
    def give(path):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(path).read_bytes())))

    return give


def test_standard_input_is_read_once(run, csv, tmp_path, standard_input):
    quick = ("--epochs", 2, "--save")
    assert run("train", csv, *quick, tmp_path / "m.json")[0] == 0
    standard_input(csv)
    status, _, err = run("train", "-", *quick, tmp_path / "again.json")
    assert status == 0
    assert err.startswith("standard input: 240 rows of 3 features, label 'y'; header: yes (a, b, c, y)\n")
    assert words_of(tmp_path / "again.json") == words_of(tmp_path / "m.json")
    expected = run("predict", csv, "--model", tmp_path / "m.json")[1]
    standard_input(csv)
    assert run("predict", "-", "--model", tmp_path / "m.json")[1] == expected
    standard_input(csv)
    assert run("verify", "-", "--epochs", 1)[1].endswith("identical\n")


def test_classes_of_text(run, tmp_path):
    path, model = write(tmp_path / "iris.csv", "a,b,c,kind", *X.T, KINDS), tmp_path / "m.json"
    status, text, err = run("train", path, "--classify", "--validation", 0.2, "--save", model)
    assert status == 0
    assert "label 'kind'; header: yes (a, b, c, kind)" in err
    assert "on 48 rows held out" in text
    saved = zipsgd.load_model(model)
    assert saved.classes == ["ant", "bee"]
    assert saved.classes_.tolist() == ["ant", "bee"]
    status, text, err = run("predict", path, "--model", model)
    right = np.mean(np.array(text.split()) == KINDS)
    assert right > 0.9
    assert err.endswith(f"accuracy {right:.4f} over 240 rows\n")
    assert saved.held_out_score > 0.85
    # numbers, by the same bits
    numbers = write(tmp_path / "n.csv", "a,b,c,kind", *X.T, (KINDS == "bee").astype(int))
    assert run("train", numbers, "--classify", "--validation", 0.2, "--save", tmp_path / "n.json")[0] == 0
    assert words_of(tmp_path / "n.json") == words_of(model)
    assert "no accuracy: the labels of the model are text" in run("predict", numbers, "--model", model)[2]


def test_a_run_on_classes_of_text_goes_on(run, tmp_path):
    path, kept = write(tmp_path / "iris.csv", "a,b,c,kind", *X.T, KINDS), tmp_path / "run.json"
    words = ("train", path, "--classify", "--epochs", 3, "--json")
    assert run(*words, tmp_path / "o.json")[0] == 0
    assert run(*words, tmp_path / "p.json", "--checkpoint", kept)[0] == 0
    renamed = write(tmp_path / "iris.csv", "a,b,c,kind", *X.T, np.where(KINDS == "ant", "a fly", "bee"))
    status, _, err = run(*words, tmp_path / "p.json", "--checkpoint", kept, "--resume")
    assert renamed == path
    assert status == 2
    assert "zipsgd: " in err
    assert words_of(tmp_path / "o.json") == words_of(tmp_path / "p.json")


def test_two_values_without_classify_get_a_hint(run, tmp_path):
    path = write(tmp_path / "t.csv", "a,b,c,y", *X.T, (KINDS == "bee").astype(int))
    hint = "the label 'y' is 0 or 1: if these are classes, --classify trains a classifier on them"
    assert hint in run("train", path, "--epochs", 1)[1].splitlines()
    assert "--classify" not in run("train", path, "--epochs", 1, "--classify")[1]


def test_categories(run, tmp_path, refused):
    path, model = (
        write(tmp_path / "t.csv", "a,town,b,c,y", X[:, 0], TOWNS, X[:, 1], X[:, 2], Y),
        tmp_path / "m.json",
    )
    fix = "--one-hot town makes a column of 0 and 1 of each value, --ignore town leaves the column out"
    refused(
        run("train", path), f"{path}, line 2, column 'town': text, such as 'Oslo', 'Paris', 'Rome': {fix}"
    )
    assert run("train", path, "--one-hot", "town", "--save", model)[0] == 0
    saved = zipsgd.load_model(model)
    assert saved.columns == ["a", "town=Oslo", "town=Paris", "town=Rome", "b", "c"]
    assert saved.categories == {"town": ["Oslo", "Paris", "Rome"]}
    known = np.column_stack([X[:, 0], *(town == TOWNS for town in ("Oslo", "Paris", "Rome")), X[:, 1:]])
    new = write(tmp_path / "new.csv", "c,town,b,a", X[:, 2], TOWNS, X[:, 1], X[:, 0])
    status, text, _ = run("predict", new, "--model", model)
    assert status == 0
    np.testing.assert_allclose([float(line) for line in text.split()], saved.predict(known), rtol=1e-8)
    unknown = np.where(TOWNS == "Oslo", "Bonn", TOWNS)
    other = write(tmp_path / "new.csv", "c,town,b,a", X[:, 2], unknown, X[:, 1], X[:, 0])
    status, text, err = run("predict", other, "--model", model)
    assert "column 'town' has 80 values that the model was not trained on, such as 'Bonn' in row 1" in err
    known[:, 1] = 0
    np.testing.assert_allclose([float(line) for line in text.split()], saved.predict(known), rtol=1e-8)
    gap = write(
        tmp_path / "gap.csv", "c,town,b,a", X[:, 2], np.where(TOWNS == "Oslo", "", TOWNS), X[:, 1], X[:, 0]
    )
    refused(run("predict", gap, "--model", model), "line 2, column 'town': the cell is empty; fill it in")


def test_predict_reads_the_models_columns_alone(run, csv, tmp_path):
    model = tmp_path / "m.json"
    assert run("train", csv, "--save", model)[0] == 0
    expected = run("predict", csv, "--model", model)[1]
    labels = np.array([*map(str, Y[:-1]), ""])
    path = write(
        tmp_path / "n.csv",
        "day,a,town,b,c,y",
        np.full(240, "2020-01-01"),
        X[:, 0],
        TOWNS,
        *X[:, 1:].T,
        labels,
    )
    status, text, err = run("predict", path, "--model", model)
    assert (status, text) == (0, expected)
    assert "the label is missing in some rows, so that there is no score" in err
    assert "R2" not in err


@pytest.mark.parametrize("suffix", ["csv", "npy"])
def test_made_up_names_never_match(suffix, run, tmp_path):
    """A LIBSVM file counts columns from 1, and other files from 0."""
    lines = (f"{y} 1:{a} 2:{b} 3:{c}" for (a, b, c), y in zip(X.tolist(), Y.tolist()))
    (tmp_path / "t.libsvm").write_text("\n".join(lines))
    assert run("train", tmp_path / "t.libsvm", "--save", tmp_path / "m.json")[0] == 0
    expected = run("predict", tmp_path / "t.libsvm", "--model", tmp_path / "m.json")
    table = np.column_stack([X, Y])
    for columns in (table, X):
        path = tmp_path / f"t.{suffix}"
        np.save(path, columns) if suffix == "npy" else np.savetxt(path, columns, delimiter=",", fmt="%.17g")
        status, text, err = run("predict", path, "--model", tmp_path / "m.json")
        assert (status, text) == expected[:2]
        assert ("R2" in err) == (columns is table)


def test_columns_left_out_and_headers(run, tmp_path):
    path = write(tmp_path / "t.csv", ",2019,2020,2021", np.arange(240), *X[:, :2].T, Y)
    words = ("train", path, "--ignore", "Unnamed: 0", "--epochs", 1, "--json", tmp_path / "o.json")
    status, _, err = run(*words)
    assert status == 0
    assert "240 rows of 2 features, label '2021'; header: yes (Unnamed: 0, 2019, 2020, 2021)\n" in err
    assert json.loads((tmp_path / "o.json").read_text())["columns"] == ["2019", "2020"]
    np.savetxt(tmp_path / "n.csv", np.column_stack([X, Y]), delimiter=",")
    assert (
        "240 rows of 2 features"
        in run("train", tmp_path / "n.csv", "--no-header", "--ignore", 0, "--epochs", 1)[2]
    )
    assert "239 rows of 3 features" in run("train", tmp_path / "n.csv", "--header", "--epochs", 1)[2]


def test_values_too_small_for_a_model_are_refused_before_training(run, tmp_path, refused):
    path = write(tmp_path / "t.csv", "a,b,y", X[:, 0] * 1e-310, X[:, 1], Y)
    refused(
        run("train", path, "--save", tmp_path / "m.json"),
        "column 'a' varies by",
        "multiply the column by a constant",
    )
    assert not (tmp_path / "m.json").exists()
    path = write(tmp_path / "t.csv", "a,b,y", X[:, 0] * 1e-290, X[:, 1], Y)
    assert run("train", path, "--save", tmp_path / "m.json")[0] == 0
    assert float(run("predict", path, "--model", tmp_path / "m.json")[2].split()[-4]) > 0
