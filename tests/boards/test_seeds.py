"""Seeds of the placer: which are tried, which one becomes the bitstream, and what is said of a clock that is missed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zipsgd_hw.boards import BuildFailed, SeedSearch, build_board

StandIns = Callable[[str], Callable[[], list[str]]]


def test_seeds_are_tried_until_one_meets_the_clock(tmp_path: Path, stand_ins: StandIns) -> None:
    stand_ins("23,26,25,29")
    report = build_board("icebreaker", out_dir=tmp_path / "tried")
    assert [row["seed"] for row in report["seeds"]] == [1, 2]
    assert (report["seed"], report["seeds_tried"], report["clock_met"]) == (2, 2, True)
    assert (tmp_path / "tried" / report["bitstream"]).read_text() == "routed with seed 2 True True"
    assert report["utilisation"]["ff"] == {"used": 7, "available": 100, "percent": 7.0}
    assert report["cells_per_lane"] == 10
    assert report["tools"] == {"yosys": "yosys 1.0", "nextpnr-ice40": "nextpnr 1.0"}
    sidecar = json.loads((tmp_path / "tried" / "icebreaker.json").read_text())
    assert (sidecar["bitstream"], sidecar["seed"], sidecar["link_baud"]) == ("icebreaker.bin", 2, 3_000_000)
    assert sidecar["clock_met"] is True
    swept = build_board("icebreaker", out_dir=tmp_path / "swept", search=SeedSearch([1, 2, 3, 4], sweep=True))
    assert (swept["seed"], swept["seeds_tried"]) == (4, 4)
    assert swept["fmax_spread"] == {"min_mhz": 23.0, "median_mhz": 25.5, "max_mhz": 29.0}


@pytest.mark.parametrize("name", ["ulx3s-85f", "tang-nano-9k"])
def test_other_families_go_the_same_way(name: str, tmp_path: Path, stand_ins: StandIns) -> None:
    """Their files have other names."""
    ran = stand_ins("26,26")
    small = {"lanes": 4, "update_lanes": 4, "max_features": 64}
    for again in (False, True):
        report = build_board(name, out_dir=tmp_path, changes=small)
        bitstream = tmp_path / report["bitstream"]
        assert bitstream.read_text() == f"routed with seed {report['seed']} True True"
        assert report["from_cache"]["synthesis"] is again
    assert len(ran()) == 4


def test_a_design_that_is_too_slow_has_a_report_and_no_bitstream(tmp_path: Path, stand_ins: StandIns) -> None:
    stand_ins("21,23")
    folder = tmp_path / "slow"
    with pytest.raises(
        BuildFailed, match=r"too slow at its best seed 2: clk reaches 23\.0 of 24\.0 MHz"
    ) as told:
        build_board("icebreaker", out_dir=folder, search=SeedSearch([1, 2]))
    for remedy in ("--seed-budget", "--set clock_hz=", "--allow-slow", str(folder / "build.json")):
        assert remedy in str(told.value)
    assert not (folder / "icebreaker.bin").exists()
    assert not (folder / "icebreaker.json").exists()
    report = json.loads((folder / "build.json").read_text())
    assert (report["seed"], report["clock_met"], report["bitstream"]) == (2, False, None)
    assert report["fmax_spread"] == {"min_mhz": 21.0, "median_mhz": 22.0, "max_mhz": 23.0}


def test_a_slow_bitstream_is_written_only_when_asked_for_and_says_so(
    tmp_path: Path, stand_ins: StandIns
) -> None:
    stand_ins("21,23")
    lines: list[str] = []
    report = build_board(
        "icebreaker",
        out_dir=tmp_path / "b",
        search=SeedSearch([1, 2]),
        allow_slow=True,
        progress=lines.append,
    )
    assert (tmp_path / "b" / "icebreaker.bin").read_text().startswith("routed with seed 2")
    sidecar = json.loads((tmp_path / "b" / "icebreaker.json").read_text())
    written = json.loads((tmp_path / "b" / "build.json").read_text())
    assert written == report
    for told in (report, sidecar):
        assert (told["clock_met"], told["seed"]) == (False, 2)
        assert told["clocks"] == [{"name": "clk", "fmax_mhz": 23.0, "target_mhz": 24.0, "met": False}]
    assert lines[-1].startswith(
        "warning: iCEBreaker is too slow at its best seed 2: clk reaches 23.0 of 24.0"
    )


def test_no_seed_is_begun_when_the_budget_is_over(tmp_path: Path, stand_ins: StandIns) -> None:
    ran = stand_ins("21,22,26")
    lines: list[str] = []
    search = SeedSearch(budget_minutes=1e-9)
    with pytest.raises(BuildFailed, match="best seed 1"):
        build_board("icebreaker", out_dir=tmp_path / "b", search=search, progress=lines.append)
    assert ran() == ["yosys", "nextpnr-1"]
    assert "no further seed is begun: the budget of 1e-09 minutes is over" in lines
    report = build_board("icebreaker", out_dir=tmp_path / "b", search=SeedSearch(budget_minutes=1))
    assert (report["seed"], report["seeds_tried"]) == (3, 3)
    assert ran() == ["nextpnr-2", "nextpnr-3", "icepack"], "the same command goes on where it ended"


def test_the_boards_own_seed_is_the_first_and_no_seed_comes_twice() -> None:
    from zipsgd_hw.boards import BOARDS

    board = BOARDS["ulx3s-85f-store"]
    assert board.seed != 1
    order = SeedSearch().order(board)
    assert order[:2] == [board.seed, 1]
    assert len(order) == len(set(order)) == 100
    assert SeedSearch([3, 1, 3]).order(board) == [3, 1]


def test_what_is_no_search_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        SeedSearch([])
    with pytest.raises(ValueError, match="must be above 0 minutes, not 0"):
        SeedSearch(budget_minutes=0)
    with pytest.raises(ValueError, match="jobs must be at least 1, not 0"):
        SeedSearch(jobs=0)


def test_side_by_side_the_first_seed_in_the_order_wins(
    tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a later one is done before it; and seeds behind it are ended."""
    ran = stand_ins("21,26,27,29")
    monkeypatch.setenv("STAND_IN_SLOW", "nextpnr-2")
    monkeypatch.setenv("STAND_IN_WAITS", "nextpnr-4")
    report = build_board("icebreaker", out_dir=tmp_path / "b", search=SeedSearch(jobs=3))
    assert report["seed"] == 2
    assert [row["seed"] for row in report["seeds"]] == [1, 2, 3]
    assert (tmp_path / "b" / "icebreaker.bin").read_text().startswith("routed with seed 2")
    assert set(ran()) - {"nextpnr-4"} == {"yosys", "nextpnr-1", "nextpnr-2", "nextpnr-3", "icepack"}
    assert not list((tmp_path / "b").glob(".zipsgd*"))


def test_all_seeds_of_a_sweep_run_side_by_side(tmp_path: Path, stand_ins: StandIns) -> None:
    stand_ins("25,28,26")
    search = SeedSearch([1, 2, 3], sweep=True, jobs=2)
    report = build_board("icebreaker", out_dir=tmp_path, search=search)
    assert report["seed"] == 2
    assert [row["seed"] for row in report["seeds"]] == [1, 2, 3]
