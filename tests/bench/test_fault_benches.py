"""The benches of faults and recovery at a small size; their goals are for ``zipsgd bench``."""

from pathlib import Path

import pytest

from zipsgd.protocol.formats import Build
from zipsgd_bench import faults, recovery


def test_faults_at_a_small_size(small_build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "RATES", (0.0, 0.003))
    result = faults.run(runs=4, repeats=1, build=small_build)
    assert len(result["runs"]) == sum(row["runs"] for row in result["rows"]) == 4
    assert all(run["identical"] and run["error"] is None for run in result["runs"].values())
    assert sum(run["hits"] for run in result["runs"].values()) > 0
    assert not result["met"], "four runs are not enough"
    assert [row["rate of hits"] for row in result["throughput"]] == [0, 0.003] * len(faults.LINES)
    for clean, hit in zip(result["throughput"][::2], result["throughput"][1::2], strict=True):
        assert clean["share of clean"] == 1 > hit["share of clean"] > 0
    faults.plot(result, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_a_difference_is_seen(small_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = iter(range(1000))
    monkeypatch.setattr(faults, "bits", lambda result: next(kept))
    result = faults.run(runs=1, repeats=0, build=small_build)
    assert [run["identical"] for run in result["runs"].values()] == [False]


def test_recovery_at_a_small_size(small_build: Build) -> None:
    result = recovery.run(kills=1, build=small_build)
    assert {row["killed"] for row in result["rows"]} == {"host", "board"}
    assert [point["identical"] for point in result["points"].values()] == [True, True]
    assert not result["met"], "two are not enough"


def test_recovery_of_a_host_that_has_given_up(
    small_build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recovery, "GIVEN_UP", 1)
    result = recovery.run(kills=1, build=small_build)
    (board,) = (row for row in result["rows"] if row["killed"] == "board")
    assert (board["then"], board["times"], board["identical"]) == ("resumed", 1, 1)
