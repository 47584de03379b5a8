"""The files that commands write: whole or not at all, all attempted, checked before any work."""

import json
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from zipsgd.training import api


@contextmanager
def full_disk(room):
    """No file may grow beyond ``room`` bytes: a write stops in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "t.csv"
    features = np.random.default_rng(3).normal(size=(120, 3))
    columns = np.column_stack([features, features @ [1, -2, 0.5]])
    np.savetxt(path, columns, delimiter=",", header="a,b,c,y", comments="", fmt="%.6g")
    return path


def test_a_full_disk_costs_no_model(run, data, tmp_path, monkeypatch):
    """The old model stays, the new one is kept elsewhere, and all that failed is named."""
    model, record, predicted = tmp_path / "m.json", tmp_path / "r.json", tmp_path / "p.txt"
    words = ("train", data, "--epochs", 2, "--save", model, "--json", record)
    assert run(*words)[0] == 0
    before = model.read_bytes()
    rescue = tmp_path / "rescue"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(rescue))
    with full_disk(1000):
        status, out, err = run(*words, "--seed", 1)
    assert status == 1
    assert "loss" in out
    assert "wrote" not in out
    for path in (model, record):
        assert f"zipsgd: cannot write {path}: File too large; it holds what it held before" in err
    assert model.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "r.json", "rescue"]
    with full_disk(1000):
        status, _, err = run("predict", data, "--model", model, "--out", predicted)
    assert (status, err.splitlines()[-1]) == (1, f"zipsgd: cannot write {predicted}: File too large")
    assert not predicted.exists()


def test_the_model_is_rescued(run, data, tmp_path, monkeypatch):
    """Where only its own place is full, the model goes to the folder of temporary files; other files are written."""
    rescue, record = tmp_path / "rescue", tmp_path / "r.json"
    rescue.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(rescue))
    status, out, err = run("train", data, "--epochs", 2, "--save", "/dev/full", "--json", record)
    assert (status, out.count("wrote")) == (1, 1)
    (kept,) = rescue.iterdir()
    assert f"cannot write /dev/full: No space left on device; the model is in {kept}" in err
    assert json.loads(kept.read_text())["coef"] == json.loads(record.read_text())["coef"]
    assert run("predict", data, "--model", kept)[0] == 0


def test_a_checkpoint_that_cannot_be_written_ends_a_run_that_can_be_resumed(run, data, tmp_path):
    path = tmp_path / "run.json"
    words = ("train", data, "--epochs", 30, "--checkpoint", path, "--resume")
    with full_disk(6000):
        status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert f"zipsgd: cannot write {path}: File too large" in err
    assert f"{path} keeps the run up to its last whole epoch" in err
    assert [found.name for found in tmp_path.iterdir()] == ["run.json"]
    assert run(*words)[0] == 0


def test_a_full_log_does_not_end_a_run(run, data, tmp_path):
    log, model = tmp_path / "log.csv", tmp_path / "m.json"
    status, out, err = run("train", data, "--epochs", 2, "--save", model, "--log", "/dev/full")
    assert status == 1
    assert f"wrote {model}" in out
    assert "zipsgd: the log /dev/full is incomplete: No space left on device" in err
    assert run("train", data, "--epochs", 2, "--log", log)[1].count(f"wrote {log}") == 1


@pytest.mark.parametrize("option", ["--json", "--save"])
def test_standard_output_has_the_file_alone(run, data, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    status, out, err = run("train", data, "--epochs", 2, option, "-")
    assert status == 0
    assert len(json.loads(out)["coef"]) == 3
    assert "loss" in err
    assert list(tmp_path.iterdir()) == []


def test_predictions_go_to_standard_output(run, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("train", data, "--epochs", 2, "--save", "m.json")[0] == 0
    plain = run("predict", data, "--model", "m.json")
    assert run("predict", data, "--model", "m.json", "--out", "-") == plain
    assert not Path("-").exists()


@pytest.mark.parametrize("option", ["--checkpoint", "--log", "--report", "--tensorboard"])
def test_what_does_not_go_to_standard_output(run, data, refused, option):
    refused(run("train", data, option, "-"), "cannot write -: only single texts")


@pytest.mark.parametrize("option", ["--save", "--json", "--checkpoint", "--log", "--report", "--tensorboard"])
def test_places_are_checked_before_training(run, data, tmp_path, refused, monkeypatch, option):
    monkeypatch.setattr(api, "train_task", lambda *task, **words: pytest.fail("it trained"))
    (tmp_path / "file").write_text("")
    refused(run("train", data, option, tmp_path / "file" / "below"), "cannot write", "name another")
