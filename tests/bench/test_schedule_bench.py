"""The bench of schedules of bits."""

import pytest

from zipsgd.data import Table
from zipsgd_bench import schedule


def test_small_run(small_table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "SETS", ("a small one",))
    monkeypatch.setattr(schedule, "SEEDS", (1,))
    monkeypatch.setattr(schedule, "FIXED", (2, 4))
    monkeypatch.setattr(schedule, "load", lambda name: small_table)
    result = schedule.run()
    assert [row["bits"] for row in result["rows"]] == ["2", "4", "list", "auto"]
    two, four, listed, _ = result["rows"]
    assert two["bytes of samples"] < listed["bytes of samples"] <= four["bytes of samples"]
    assert listed["bits in the mean"] == 3
    assert result["met"] == all(row["over the best fixed one"] <= schedule.NEAR for row in result["rows"][2:])
