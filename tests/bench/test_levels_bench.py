"""The levels bench at a small size; its goals are for ``zipsgd bench``."""

import json
from pathlib import Path

from zipsgd_bench import levels
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
