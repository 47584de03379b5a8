"""The bench of the step size that nobody chose."""

import pytest

from zipsgd.data import Table, load_set
from zipsgd_bench import automatic_step


@pytest.mark.parametrize(("near", "met"), [(100.0, True), (-1.0, False)])
def test_small_run(small_table: Table, near: float, met: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic_step, "NAMES", ("diabetes", "breast_cancer"))
    monkeypatch.setattr(automatic_step, "SPLITS", (0,))
    monkeypatch.setattr(automatic_step, "NEAR", near)
    monkeypatch.setattr(
        automatic_step, "load_set", lambda name: small_table if name == "diabetes" else load_set(name)
    )
    monkeypatch.setattr(automatic_step, "departures", lambda: small_table)
    result = automatic_step.run()
    regression, double, classes, _, hard, _ = result["rows"]
    assert [row["estimator"] for row in result["rows"]] == ["one-draw", "double"] * 3
    assert hard == {**regression, "set": "departures"}
    assert regression["x 1"] != double["x 1"]
    assert (regression["measure"], classes["measure"]) == ("R2", "accuracy")
    assert len({regression[f"x {size:.2g}"] for size in automatic_step.SIZES}) == len(automatic_step.SIZES)
    for row in result["rows"]:
        assert row["below best"] == max(row[f"x {size:.2g}"] for size in automatic_step.SIZES) - row["x 1"]
    assert result["met"] == met
