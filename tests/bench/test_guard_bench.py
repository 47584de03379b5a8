"""The bench of the warnings."""

from typing import Any

import pytest

from zipsgd.data import load_set
from zipsgd_bench import guard
from zipsgd_bench.hard_sets import departures
from zipsgd_bench.registry import describe

SILENT = (0.01, False)


def small(name: str) -> tuple[Any, bool]:
    return load_set("diabetes" if name == "cadata" else "breast_cancer"), name != "cadata"


def test_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_table", small)
    monkeypatch.setattr(guard, "PROVOKED", ("cadata", "digits"))
    monkeypatch.setattr(guard, "HEALTHY", ("cadata",))
    monkeypatch.setattr(guard, "SEEDS", (0,))
    names = ("step x 10, constant", "single samples", "naive, 2 bits", "L1 of 10", "narrow build")
    monkeypatch.setattr(guard, "RECIPES", {name: guard.RECIPES[name] for name in names})
    result = guard.run()
    assert result["met"]
    assert len(result["rows"]) == 2 * len(guard.RECIPES)
    assert 0 < result["gone wrong"] == result["of these warned of"] < result["runs"]
    for row in result["rows"]:  # the same options give the same bits in Python and on the command line
        assert (row["train: loss"], row["train: warned"]) == (row["command: loss"], row["command: warned"])
    assert result["healthy"] == [{"set": "cadata", "runs": 2, "false alarms": 0, "kinds": "", "met": True}]
    assert "goal: every run whose loss" in describe(result)


def test_a_silent_interface_fails_the_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_table", small)
    monkeypatch.setattr(guard, "RECIPES", {"L1 of 10": guard.RECIPES["L1 of 10"]})
    monkeypatch.setattr(guard, "INTERFACES", {"train": lambda task, build: (3.0, False)})
    assert [row["met"] for row in guard.provoked("cadata")] == [False]
    monkeypatch.setattr(guard, "INTERFACES", {"train": lambda task, build: SILENT})
    assert [row["met"] for row in guard.provoked("cadata")] == [True]


def test_the_named_columns_of_departures() -> None:
    table = departures(100)
    values = table.features[slice(None)]
    assert (values[:, 1] == 100 * values[:, 2] + values[:, 3]).all()


def test_many_classes_have_the_same_loss_on_every_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration mixes the models, whose loss is not that of the mixtures."""
    recipe = {**guard.RECIPES["step x 10, constant"], "base_bits": 2}
    monkeypatch.setattr(guard, "RECIPES", {"step x 10, constant": recipe})
    (row,) = guard.provoked("digits")
    assert row["met"]
    assert row["train: loss"] == row["command: loss"] == pytest.approx(row["estimator: loss"], rel=0.2)
