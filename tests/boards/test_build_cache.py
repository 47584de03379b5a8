"""The cache of finished syntheses and routings."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zipsgd_hw.boards import BuildFailed, SeedSearch, build_board, build_report
from zipsgd_hw.boards.build_cache import BuildCache, key_of
from zipsgd_hw.boards.steps import Step, run_step

StandIns = Callable[[str], Callable[[], list[str]]]
ALL = ["yosys", "nextpnr-1", "icepack"]


def build(folder: Path, **options: Any) -> tuple[bytes, dict[str, Any]]:
    """The bitstream of a build, and what the report says of the cache."""
    report = build_board("icebreaker", out_dir=folder, **options)
    return (folder / "icebreaker.bin").read_bytes(), report["from_cache"]


def test_what_was_made_once_is_taken_from_the_cache(
    tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another folder, of another revision, and with the same bits as without a cache."""
    ran = stand_ins("26")
    bits, told = build(tmp_path / "first")
    assert (ran(), told) == (ALL, {"synthesis": False, "seeds": []})
    monkeypatch.setattr(build_report, "_revision", lambda: "another-dirty")
    lines: list[str] = []
    assert build(tmp_path / "second", progress=lines.append) == (bits, {"synthesis": True, "seeds": [1]})
    assert ran() == ["icepack"]
    assert "the cache has the synthesis" in lines
    assert "seed 1, from the cache, reaches 26 of 24 MHz" in lines
    for name in ("synthesis.log", "seed-1.log", "seed-1.json", "top.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert build(tmp_path / "third", cache=False) == (bits, {"synthesis": False, "seeds": []})
    assert ran() == ALL


def test_without_a_cache_nothing_is_kept(tmp_path: Path, stand_ins: StandIns) -> None:
    ran = stand_ins("26")
    build(tmp_path / "b", cache=False)
    build(tmp_path / "b", cache=False)
    assert ran() == [*ALL, *ALL]
    assert not list((tmp_path / "my cache").rglob("*.zip"))


def test_whatever_matters_is_in_the_key(
    tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = stand_ins("26,26")
    build(tmp_path / "b")
    ran()
    assert build(tmp_path / "b", search=SeedSearch([2]))[1] == {"synthesis": True, "seeds": []}
    assert ran() == ["nextpnr-2", "icepack"]
    build(tmp_path / "b", changes={"max_features": 512})
    assert ran() == ALL
    build(tmp_path / "b", baud=1_000_000)
    assert ran() == ALL
    monkeypatch.setenv("STAND_IN_VERSION", "1.1")
    build(tmp_path / "b")
    assert ran() == ALL


def test_each_part_of_a_key_counts() -> None:
    parts = (["tool", "a", "b"], "1.0", {"x": b"1", "y": b"2"})
    others = [
        (["tool", "ab"], "1.0", parts[2]),
        (["tool", "a"], "1.0", parts[2]),
        (parts[0], "1.1", parts[2]),
        (parts[0], "1.0", {"x": b"1"}),
        (parts[0], "1.0", {"x": b"1", "y": b"3"}),
        (parts[0], "1.0", {"x": b"1", "z": b"2"}),
        (parts[0], "1.0", {"x": b"1y", "y": b"2"}),
    ]
    keys = {key_of(*other) for other in others}
    assert len(keys) == len(others)
    assert key_of(*parts) not in keys
    assert key_of(parts[0], "1.0", {"y": b"2", "x": b"1"}) == key_of(*parts)


@pytest.mark.parametrize("harm", ["cut", "changed", "emptied"])
def test_a_damaged_archive_is_made_again(harm: str, tmp_path: Path, stand_ins: StandIns) -> None:
    ran = stand_ins("26")
    bits, _ = build(tmp_path / "b")
    ran()
    archives = sorted((tmp_path / "my cache" / "builds").glob("*.zip"))
    assert len(archives) == 2
    for path in archives:
        content = bytearray(path.read_bytes())
        content[45] ^= harm == "changed"
        path.write_bytes({"cut": content[: len(content) // 2], "changed": content, "emptied": b""}[harm])
    assert build(tmp_path / "b")[0] == bits
    assert ran() == ALL
    assert build(tmp_path / "b")[0] == bits
    assert ran() == ["icepack"]


def test_the_least_recently_used_are_deleted(tmp_path: Path) -> None:
    content = {"file": os.urandom(1000)}
    cache = BuildCache(tmp_path, limit_bytes=3500)
    for number, key in enumerate(("a", "b", "c")):
        cache.put(key, content)
        os.utime(tmp_path / f"{key}.zip", (number, number))
    assert cache.get("a", ["file"]) == content
    assert cache.get("a", ["file", "other"]) is None, "it lacks a file"
    cache.put("a", content)
    part = tmp_path / ".zipsgd-0.part"
    part.touch()
    os.utime(part, (0, 0))
    (tmp_path / ".zipsgd-1.part").touch()
    cache.put("d", content)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "c.zip", "d.zip", ".zipsgd-1.part"}
    assert time.time() - (tmp_path / "a.zip").stat().st_mtime < 60


def test_a_cache_that_cannot_be_written_stops_no_build(
    tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = stand_ins("26")
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path / "file"))
    build(tmp_path / "b")
    build(tmp_path / "b")
    assert ran() == [*ALL, *ALL]


def test_a_tool_without_a_version_is_not_cached(
    tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = stand_ins("26")
    monkeypatch.setattr("zipsgd_hw.boards.build.tool_version", lambda name: None)
    build(tmp_path / "b")
    build(tmp_path / "b")
    assert ran() == [*ALL, *ALL]


def test_a_failure_is_not_kept(tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = stand_ins("26")
    good = os.environ["NEXTPNR_ICE40"]
    bad = tmp_path / "bad"
    bad.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo nextpnr 1.0; exit; }\necho no room; exit 3\n')
    bad.chmod(0o755)
    monkeypatch.setenv("NEXTPNR_ICE40", str(bad))
    for _ in range(2):
        with pytest.raises(
            BuildFailed, match=r"(?s)nextpnr-ice40 failed with exit status 3.*seed-1\.log.*no room"
        ):
            build(tmp_path / "b")
    assert not (tmp_path / "b" / "build.json").exists()
    assert not list((tmp_path / "b").glob(".zipsgd*"))
    monkeypatch.setenv("NEXTPNR_ICE40", good)
    build(tmp_path / "b")
    assert ran() == ALL


def test_a_tool_that_writes_nothing_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOSYS", "true")
    step = Step(["yosys"], {}, {"top.json": tmp_path / "top.json"}, tmp_path / "log")
    with pytest.raises(
        BuildFailed, match=r"yosys has not written top\.json, though it did not fail: see .*log"
    ):
        run_step(step, tmp_path, None, lambda stage: None)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_the_report_on_the_command_line_says_what_came_from_the_cache(
    tmp_path: Path, stand_ins: StandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    from zipsgd.cli import main

    ran = stand_ins("26")
    words = ["build", "--board", "icebreaker", "--out", str(tmp_path / "a b")]
    assert main(words) == main(words) == 0
    out, err = capsys.readouterr()
    for line in (
        "seeds_tried                      1",
        "clock_met                        yes",
        "  synthesis  yes",
    ):
        assert line in out.splitlines()
    assert f"--bitstream '{tmp_path / 'a b'}'" in out
    assert "the cache has the synthesis" in err
    assert main([*words, "--no-cache"]) == 0
    assert json.loads((tmp_path / "a b" / "build.json").read_text())["from_cache"]["synthesis"] is False
    assert ran() == [*ALL, "icepack", *ALL]
