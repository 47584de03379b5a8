"""The benches of levels at a small size; their goals are for ``zipsgd bench``."""

import json
from pathlib import Path

import pytest

from zipsgd_bench import levels, nearest_levels
from zipsgd_bench.registry import describe, save


def test_small_run(tmp_path: Path) -> None:
    result = levels.run(sizes=(1000, 2000), repeats=1)
    assert [row["levels"] for row in result["rows"]] == list(levels.COUNTS)
    assert [row["values"] for row in result["growth"]] == [1000, 2000]
    assert all(row["QUIVER ms"] is None for row in result["rows"])  # published for other values
    assert all(row["over optimum"] >= 1 for row in result["near-optimal"])
    assert all(row["right"] for row in result["robust"])
    assert "uniform" in describe(result)
    report, figure = save(levels.BENCH, result, tmp_path)
    assert json.loads(report.read_text())["rows"] == result["rows"]
    assert figure.stat().st_size > 1000


def test_small_run_of_nearest_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is not installed is shown as missing, and the goal as not met."""
    monkeypatch.setattr(nearest_levels, "find_spec", lambda name: None if name == "ckwrap" else True)
    monkeypatch.setattr(
        nearest_levels, "PEERS", {name: nearest_levels.PEERS[name] for name in ("ckwrap", "sklearn")}
    )
    result = nearest_levels.run(size=2000, repeats=1)
    assert len(result["rows"]) == 4 * 3
    assert all((row["ms"] is None) == ("not installed" in row["solver"]) for row in result["rows"])
    assert all(row.get("error over optimum", 1) >= 1 - 1e-9 for row in result["rows"])
    assert result["not installed"] == ["ckwrap"]
    assert not result["met"]
    assert "ckwrap (not installed)" in describe(result)
