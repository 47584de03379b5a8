"""``zipsgd predict --backend``: predictions of a device from the command line."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from store_build import BUILD

import zipsgd
from zipsgd_sim.board import VirtualBoard


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with VirtualBoard(BUILD, optimise=1) as served:
        yield served.url


@pytest.fixture
def rows(small_table, tmp_path):
    """Numbers, and the same rows with three classes of text."""
    features, labels = np.asarray(small_table.features), small_table.labels
    kinds = np.array(["ant", "bee", "cat"])[np.digitize(labels, np.quantile(labels, [0.3, 0.6]))]
    for name, last in (("numbers", [f"{y:.17g}" for y in labels]), ("kinds", kinds)):
        lines = [",".join([*(f"{x:.17g}" for x in row), y]) for row, y in zip(features, last, strict=True)]
        header = ",".join([*(f"x{i}" for i in range(6)), "y"])
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    return tmp_path


@pytest.mark.parametrize(("name", "words"), [("numbers", ()), ("kinds", ("--classify",))])
def test_a_board_predicts_what_the_emulator_does(name, words, run, rows, url):
    data, model = rows / f"{name}.csv", rows / "m.json"
    trained = run("train", data, *words, "--backend", url, "--resident", "--epochs", 4, "--save", model)
    assert trained[0] == 0, trained[2]
    exact = run("predict", data, "--model", model)
    for how in ((), ("--bits", 3), ("--as-trained",), ("--resident",), ("--as-trained", "--resident")):
        found = run("predict", data, "--model", model, "--backend", url, *how)
        assert found[0] == 0, found[2]
        assert found[1] == run("predict", data, "--model", model, "--backend", "golden", *how)[1]
        assert len(found[1].split()) == 210
        told = re.search(
            r"210 rows in (\d+) epochs, (\d) bits a value, .* ([0-9,]+) cycles, ([0-9,]+) bytes", found[2]
        )
        assert told, found[2]
        assert int(told[2]) == {(): 8, ("--resident",): 8, ("--bits", 3): 3}.get(how, 4)
    assert "loaded 210 rows" in found[2], "the rows of other bits were there"
    again = run("predict", data, "--model", model, "--backend", url, *how)
    assert again[1] == found[1]
    assert "already holds the 210 rows" in again[2]
    score = [
        float(re.findall(r"(?:R2|accuracy) (-?[0-9.]+) over 210 rows", err)[0])
        for _, _, err in (exact, found)
    ]
    assert 0.3 < score[1] <= score[0] + 0.02
    plain = run("predict", data, "--model", model, "--backend", "emulator")
    if not words:
        np.testing.assert_allclose(
            np.array(plain[1].split(), dtype=float), np.array(exact[1].split(), dtype=float), rtol=0.05
        )


def test_rows_of_a_training_are_there(run, rows, url):
    data, model = rows / "kinds.csv", rows / "m.json"
    for _ in range(2):
        words = ("--classify", "--resident", "--epochs", 2, "--save", model)
        status, text, _ = run("train", data, "--backend", url, *words)
        assert status == 0
    assert "4 bits a value; no sample was sent, as the board held them all" in text
    _, _, err = run("predict", data, "--model", model, "--backend", url, "--resident", "--as-trained")
    assert "already holds the 210 rows" in err
    assert "loaded" not in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--bits", 3), "--bits is for predictions on a device: name one with --backend"),
        (("--resident",), "--resident is for predictions on a device"),
        (("--lanes", 16), "--lanes is for predictions on a device"),
        (("--trace", "t.vcd"), "--trace is for predictions on a device"),
        (("--backend", "emulator", "--bits", 9), "bits must be a whole number in 1..8, not 9"),
        (("--backend", "emulator", "--bits", 3, "--as-trained"), "leave out bits (on the command line"),
        (
            ("--backend", "emulator", "--scores", 48),
            "score_words must be 0 or a power of two from 32 on, not 48",
        ),
        (("--backend", "emulator", "--scores", 0), "take a build with score_words=1024"),
        (("--backend", "nobody"), "no backend 'nobody'"),
    ],
)
def test_what_cannot_be_is_named(words, says, run, rows, refused):
    run("train", rows / "numbers.csv", "--epochs", 1, "--save", rows / "m.json")
    refused(run("predict", rows / "numbers.csv", "--model", rows / "m.json", *words), says)


def test_a_model_of_an_earlier_format_is_named(run, rows, refused):
    path = rows / "m.json"
    run("train", rows / "numbers.csv", "--epochs", 1, "--save", path)
    path.write_text(path.read_text().replace(zipsgd.RegressionResult.FORMAT, "zipsgd model 2"))
    refused(
        run("predict", rows / "numbers.csv", "--model", path), "does not say that it is a 'zipsgd model 3'"
    )
