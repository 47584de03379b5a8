"""The bench of scaling: its sets, its comparison, and a goal that can be missed."""

import pytest

from zipsgd.data import load_set
from zipsgd_bench import scaling
from zipsgd_bench.hard_sets import far_row
from zipsgd_bench.scaling import Trial, compare_kinds, compare_levels


@pytest.fixture
def diabetes() -> Trial:
    return Trial("diabetes", [load_set("diabetes").split(0.25, seed) for seed in scaling.SEEDS])


def test_a_far_row_needs_clipping() -> None:
    row = compare_kinds(Trial("far", [far_row(1000)]), 4)
    assert row["estimator"] == "one-draw"
    assert row["chosen"] == "quantile"
    assert row["met"]
    assert row["least squares"] - row["auto"] < 1 < row["least squares"] - row["range"]


def test_a_choice_that_is_bad_misses_the_goal(diabetes: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compare_kinds(diabetes, 4)["met"]
    monkeypatch.setitem(scaling.BITS, 4, -1.0)
    assert not compare_kinds(diabetes, 4)["met"]


def test_levels(diabetes: Trial) -> None:
    row = compare_levels(diabetes, 4)
    assert row["chosen"] == "uniform"
    assert row["auto"] == row["uniform"] != row["optimal"]


def test_all_sets_are_compared(diabetes: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "trials", lambda: iter([diabetes]))
    monkeypatch.setattr(scaling, "BITS", {4: 1.0})
    result = scaling.run()
    assert result["met"]
    assert [row["set"] for row in (*result["rows"], *result["levels"])] == ["diabetes", "diabetes"]
