"""``zipsgd build`` as a process: two at once, Ctrl-C, a sudden end, and paths with blanks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zipsgd_hw.boards import build_board

StandIns = Callable[[str], Callable[[], list[str]]]
LONGEST = 120


@contextmanager
def started(folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A build in a folder; it is killed at the end."""
    command = [sys.executable, "-m", "zipsgd", "build", "--board", "icebreaker", "--out", str(folder), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: "subprocess.Popen[str]", says: str) -> str:
    """The line that contains these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if says in line:
            return line
    raise AssertionError(f"it ended without saying {says!r}")


def helpers(*logs: Path) -> list[int]:
    """The processes of the stand-ins that wait, as their logs tell."""
    found: list[int] = []
    for log in logs:
        end = time.monotonic() + LONGEST
        while not (told := re.findall(r"processes (\d+) (\d+)", log.read_text() if log.exists() else "")):
            assert time.monotonic() < end
            time.sleep(0.05)
        found += map(int, told[-1])
    return found


def running(process: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(processes: list[int]) -> bool:
    """Whether processes end soon."""
    end = time.monotonic() + 10
    while any(map(running, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(running, processes))


def whole(folder: Path) -> bool:
    """Whether a build in the folder gives what it should."""
    report = build_board("icebreaker", out_dir=folder)
    return (folder / report["bitstream"]).read_text().startswith("routed with seed 1")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_what_ends_a_build_ends_its_tools_and_leaves_nothing_half_done(
    number: int, status: int, tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, a request to end, and a terminal that is closed."""
    stand_ins("26,26")
    monkeypatch.setenv("STAND_IN_WAITS", "nextpnr-1 nextpnr-2")
    folder = tmp_path / "b"
    with started(folder, "--jobs", "2") as process:
        tools = helpers(folder / "seed-1.log", folder / "seed-2.log")
        assert all(map(running, tools))
        process.send_signal(number)
        out, err = process.communicate(timeout=LONGEST)
    assert (process.returncode, out) == (status, "")
    assert "Traceback" not in err
    assert gone(tools)
    assert not list(folder.glob(".zipsgd*"))
    assert not {"build.json", "icebreaker.bin", "top.asc", "seed-1.asc"} & {
        path.name for path in folder.iterdir()
    }
    monkeypatch.delenv("STAND_IN_WAITS")
    assert whole(folder)


@pytest.mark.parametrize("tool", ["yosys", "nextpnr-1", "icepack"])
def test_nothing_of_a_killed_build_is_taken_for_whole(
    tool: str, tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = stand_ins("26")
    monkeypatch.setenv("STAND_IN_WAITS", tool)
    folder = tmp_path / "b"
    log = {"yosys": "synthesis", "nextpnr-1": "seed-1", "icepack": "packing"}[tool]
    with started(folder) as process:
        tools = helpers(folder / f"{log}.log")
        process.kill()
        process.wait()
        assert not {"build.json", "icebreaker.bin"} & {path.name for path in folder.iterdir()}
        before = ran()
        monkeypatch.delenv("STAND_IN_WAITS")
        try:
            assert whole(folder), "while what the killed build has started still runs"
        finally:
            for helper in tools:
                os.kill(helper, signal.SIGKILL)
    steps = ["yosys", "nextpnr-1", "icepack"]
    assert before == steps[: steps.index(tool) + 1]
    assert ran() == steps[steps.index(tool) :], "what was done is in the cache, and nothing else"
    assert not list(folder.glob(".zipsgd*"))


def test_a_second_build_in_a_folder_waits_for_the_first(
    tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins("26")
    monkeypatch.setenv("STAND_IN_WAITS", "nextpnr-1")
    folder = tmp_path / "b"
    with started(folder) as first:
        tools = helpers(folder / "seed-1.log")
        monkeypatch.delenv("STAND_IN_WAITS")
        with started(folder) as second:
            assert "waiting for its end" in until(second, f"another build writes to {folder}")
            assert second.poll() is None
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=LONGEST)
            out, err = second.communicate(timeout=LONGEST)
    assert second.returncode == 0, err
    assert gone(tools)
    assert "next: zipsgd program --board icebreaker" in out
    assert not list(folder.glob(".zipsgd*"))


def test_two_builds_of_one_design_do_not_disturb_each_other(tmp_path: Path, stand_ins: StandIns) -> None:
    stand_ins("26")
    folders = [tmp_path / "one", tmp_path / "two"]
    with started(folders[0]) as first, started(folders[1]) as second:
        for process in (first, second):
            _, err = process.communicate(timeout=LONGEST)
            assert process.returncode == 0, err
    one, two = ((folder / "icebreaker.bin").read_bytes() for folder in folders)
    assert one == two


def test_paths_may_have_blanks(tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools are in such a path, too; they themselves get a folder for temporary files without blanks."""
    stand_ins("26")
    blank = tmp_path / "temporary files"
    blank.mkdir()
    nextpnr = Path(os.environ["NEXTPNR_ICE40"])
    nextpnr.write_text(nextpnr.read_text().replace("exec ", 'echo "temporary: $TMPDIR"\nexec '))
    monkeypatch.setenv("TMPDIR", str(blank))
    folder = tmp_path / "a folder of mine"
    with started(folder) as process:
        _, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, err
    assert json.loads((folder / "build.json").read_text())["bitstream"] == "icebreaker.bin"
    told = re.search(r"^temporary: (.+)$", (folder / "seed-1.log").read_text(), re.MULTILINE)
    assert told is not None
    assert not re.search(r"\s", told[1])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, stand_ins: StandIns) -> None:
    from zipsgd.output import OutputError

    stand_ins("26")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to .*file/b: .*; name another folder"):
        build_board("icebreaker", out_dir=tmp_path / "file" / "b")
