"""``zipsgd train`` with workers."""

import json
import re

import pytest


def test_workers_of_this_computer(run, tmp_path) -> None:
    """They have the bits of the same shards without workers; and a saved run goes on without them."""
    path = tmp_path / "run.json"
    words = ("train", "cadata", "--epochs", 2, "--quiet", "--json", "-")
    status, out, err = run(*words, "--workers", 2, "--checkpoint", path)
    assert status == 0, err
    found = json.loads(out)
    assert found["options"]["shards"] == 2
    status, out, err = run(*words, "--shards", 2)
    assert (status, json.loads(out)["model_words"]) == (0, found["model_words"]), err
    status, out, err = run(*words, "--workers", 1, "--checkpoint", path, "--resume")
    assert (status, json.loads(out)["options"]["shards"]) == (0, 2), err  # of the saved run


def test_errors(run) -> None:
    for words, said in (
        (("--spool", "/tmp"), "--spool goes with workers: say --workers N, or --cluster ADDRESS"),
        (("--ports", "COM3"), "--ports goes with workers"),
        (("--workers", "0"), "--workers takes the number of workers, 1 or more, not 0"),
        (("--rounds", "2"), "set shards to 2 or more"),
        (("--shards", "0"), "shards must be in 1..65536, not 0"),
        (("--shards", "30000"), "20,640 rows cannot be dealt to 30,000 shards: take fewer shards"),
    ):
        status, out, err = run("train", "cadata", "--epochs", 1, *words)
        assert (status, out) == (2, ""), err
        assert said in re.sub(r"\s+", " ", err)
        assert "Traceback" not in err


def test_a_number_of_shards_that_is_none(run, capsys) -> None:
    with pytest.raises(SystemExit):
        run("train", "cadata", "--shards", "many")
    assert (
        "argument --shards: 'many' is no number of shards: give one such as 8, or auto"
        in capsys.readouterr().err
    )
