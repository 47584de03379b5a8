"""Warnings of runs that went wrong, and the epoch that is kept, on the command line."""

import json

import numpy as np
import pytest

RNG = np.random.default_rng(1)
X = RNG.normal(size=(400, 4)) * [1, 10, 0.1, 3] + [0, 4, 0, -7]
Y = X @ [2, -0.1, 3, 0.1] + RNG.normal(size=400) * 0.1
TOO_LARGE = ("--step-size", 8, "--schedule", "constant")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.column_stack([X, Y]))
    return path


def test_one_line_and_an_entry_in_the_record(run, file, tmp_path):
    status, text, err = run("train", file, *TOO_LARGE, "--json", tmp_path / "run.json")
    assert status == 0
    (line,) = (line for line in text.splitlines() if line.startswith("warning: "))
    assert "the model is worse than a constant" in line
    assert "This may help: the automatic step size, or a smaller one than 8" in line
    assert "Warning" not in err
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["warnings"][0]["kind"] == "diverged"
    assert content["warnings"][0]["text"] in line
    status, text, err = run("train", file, *TOO_LARGE, "--quiet")
    assert (status, text) == (0, "")
    assert line in err.splitlines()


def test_a_healthy_run_has_none(run, file, tmp_path):
    _, text, err = run("train", file, "--json", tmp_path / "run.json")
    assert "warning" not in text + err
    content = json.loads((tmp_path / "run.json").read_text())
    assert (content["warnings"], content["kept_epoch"]) == ([], 20)
    assert run("train", file, "--quiet") == (0, "", "")


def test_which_epoch_is_kept(run, file, tmp_path):
    words = ("--base-bits", 1, "--step-size", 1.5, "--schedule", "constant", "--epochs", 12)
    kept = {}
    for keep in ("last", "best"):
        _, text, _ = run("train", file, *words, "--keep", keep, "--json", tmp_path / f"{keep}.json")
        kept[keep] = json.loads((tmp_path / f"{keep}.json").read_text())
        told = f"the model of epoch {kept[keep]['kept_epoch']} is kept, the best one" in text
        assert told == (keep == "best")
    assert kept["last"]["kept_epoch"] == 12
    assert kept["best"]["kept_epoch"] < 12
    assert kept["best"]["final_loss"] < kept["last"]["final_loss"]


def test_a_verification_warns(run, file):
    status, text, err = run("verify", file, *TOO_LARGE)
    assert status == 0
    assert "warning: the model is worse than a constant" in text
    assert text.endswith("identical\n")
    assert "Warning" not in err


def test_a_resumed_run_warns(run, file, tmp_path):
    words = ("train", file, *TOO_LARGE, "--checkpoint", tmp_path / "run.part.json")
    _, whole, _ = run(*words)
    _, again, _ = run(*words, "--resume")
    told = [[line for line in text.splitlines() if line.startswith("warning: ")] for text in (whole, again)]
    assert told[0] == told[1] != []
