"""The bench of one draw at a small size; its goals are for ``zipsgd bench``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zipsgd.data import Table
from zipsgd_bench import one_draw
from zipsgd_bench.few_bits import Trials
from zipsgd_bench.one_draw_goals import equal_bits, fewest, goals


def test_small_run(small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signs = replace(small_table, labels=(small_table.labels > np.median(small_table.labels)) * 1.0)
    monkeypatch.setattr(one_draw, "SETS", ("small",))
    monkeypatch.setattr(one_draw, "CLASS_SETS", ("classes",))
    monkeypatch.setattr(one_draw, "SEEDS", (1,))
    monkeypatch.setattr(one_draw, "CLASS_SEEDS", (1,))
    monkeypatch.setattr(one_draw, "OPTIONS", replace(one_draw.OPTIONS, epochs=3))
    monkeypatch.setattr(one_draw, "load", lambda name: signs if name == "classes" else small_table)
    result = one_draw.run()
    found = [
        (row["estimator"], row["levels"], row["bits"], row["draws"] == "each epoch") for row in result["rows"]
    ]
    tried = list(one_draw.configurations())
    assert [each for each in tried if each[2] < one_draw.BITS[-1]] == [
        each for each in found if each[2] < one_draw.BITS[-1]
    ]
    assert set(found) <= set(tried)
    assert {(row["estimator"], row["bits"]) for row in result["rows"]} >= {
        ("one-draw", 1),
        ("double", 2),
        ("naive", 1),
        ("truncated", 1),
    }
    assert ("truncated", "optimal") not in {each[:2] for each in found}
    for row in result["rows"]:
        assert row["lowest"] <= row["ratio"] <= row["highest"]
        assert row["bytes a row"] == 2 + row["bits"]  # seven features take a byte a plane
        assert row["less than float32"] == 28 / row["bytes a row"]
    assert result["met"] == all(goal["met"] for goal in result["goals"])
    assert {row["set"] for row in result["classes"]} == {"classes"}
    assert all(0 < row["accuracy"] <= 1 for row in result["classes"])
    one_draw.plot(result, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_trials_are_remembered(small_table: Table) -> None:
    trials = Trials(small_table, replace(one_draw.OPTIONS, epochs=2), (1,))
    first = trials.measure(bits=8, estimator="double")
    assert first["ratio"] == pytest.approx(1, abs=0.01)
    assert trials.measure(estimator="double", bits=8, fresh=True) is first
    assert trials.measure(0.5, bits=8, estimator="double")["step"] == first["step"] / 2


def _row(estimator: str, bits: int, ratio: float, **changes: Any) -> dict[str, Any]:
    common = {"set": "cadata", "levels": "uniform", "draws": "each epoch", "less than float32": 32 / bits}
    return {**common, "estimator": estimator, "bits": bits, "ratio": ratio, **changes}


def test_equal_bits_are_of_new_draws() -> None:
    rows = [
        _row("double", 3, 1.01),
        _row("one-draw", 3, 1.01),
        _row("one-draw", 2, 1.0),
        _row("naive", 3, 0.5),
    ]
    rows += [_row("double", 4, 1.01), _row("one-draw", 4, 1.0101), _row("double", 5, 1.0, draws="once")]
    assert [(row["bits"], row["at most as high"]) for row in equal_bits(rows)] == [(3, True), (4, False)]


def test_the_fewest_bits_are_on_the_better_levels() -> None:
    rows = [_row("one-draw", 3, 1.0), _row("one-draw", 2, 1.03), _row("one-draw", 2, 1.04, levels="optimal")]
    (found,) = fewest(rows)
    assert (found["bits within 1.02"], found["bits within 1.05"]) == (3, 2)
    assert (found["levels within 1.05"], found["less than float32 within 1.05"]) == ("uniform", 16)
    assert fewest([_row("naive", 2, 2.0)])[0]["bits within 1.05"] is None


def test_a_goal_that_is_missed_is_counted() -> None:
    few = fewest(
        _row("one-draw", bits, 1.04, set=name)
        for name, bits in (("cadata", 1), ("cpusmall", 2), ("mnist49", 2))
    )
    *_, two, one = goals([], few)
    assert (two["is"], two["met"]) == (3, True)
    assert (one["is"], one["met"]) == (1, False)
