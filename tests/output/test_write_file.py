"""Files are written as a whole or not at all."""

import os
import resource
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from zipsgd.output import OutputError, Replacement, check_writable, is_standard, save_figure, write_file


@contextmanager
def full_disk(room=100):
    """No file may grow beyond ``room`` bytes: a write stops in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("content", ["ü" * 1000, b"\x00\xff" * 1000])
def test_a_full_disk_loses_nothing(tmp_path, content):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("as before")
    with (
        full_disk(),
        pytest.raises(
            OutputError, match=f"^cannot write {old}: File too large; it holds what it held before$"
        ),
    ):
        write_file(old, content)
    with full_disk(), pytest.raises(OutputError, match=f"^cannot write {new}: File too large$"):
        write_file(new, content)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "as before")]
    write_file(old, content)
    assert old.read_bytes() == (content.encode() if isinstance(content, str) else content)


def test_an_interruption_leaves_no_part(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "file", "text")
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_kept(tmp_path):
    path = tmp_path / "file"
    umask = os.umask(0o027)
    try:
        write_file(path, "text")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write_file(path, "other")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o604, "other")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "deep").mkdir()
    link, target = tmp_path / "link", tmp_path / "deep" / "file"
    link.symlink_to(target)
    for text in ("one", "two"):
        check_writable(link)
        write_file(link, text)
        assert link.is_symlink()
        assert target.read_text() == text


def test_pipes_and_devices_are_written_directly(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    check_writable(pipe)
    write_file(pipe, "text")
    reader.join(5)
    assert read == ["text"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_file("/dev/null", "text")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OutputError, match=r"^cannot write /dev/full: No space left on device$"):
        write_file("/dev/full", "text")


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output(tmp_path, name):
    """A name for standard output is written to it in order, whether it is a pipe or a file."""
    code = f"from zipsgd.output import write_file; print(1); write_file({name!r}, 'ü\\n'); print(3)"
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    words = {"args": [sys.executable, "-c", code], "check": True, "env": environment, "cwd": tmp_path}
    assert subprocess.run(**words, stdout=subprocess.PIPE).stdout.decode() == "1\nü\n3\n"
    with (tmp_path / "file").open("wb") as file:
        subprocess.run(**words, stdout=file)
    assert (tmp_path / "file").read_text() == "1\nü\n3\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_stands_for_standard_output(tmp_path):
    assert is_standard("-")
    assert not is_standard(None)
    assert not is_standard(tmp_path / "-")


def test_places_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("text")
    with pytest.raises(OutputError, match="Not a directory in the folder"):
        check_writable(tmp_path / "file" / "below")
    with pytest.raises(OutputError, match="No such file or directory"):
        write_file(tmp_path / "none" / "file", "text")
    (tmp_path / "file").chmod(0o400)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    with pytest.raises(OutputError, match="not permitted"):
        check_writable(tmp_path / "file")
    with pytest.raises(OutputError, match="it is read-only; it holds what it held before"):
        write_file(tmp_path / "file", "other")
    assert (tmp_path / "file").read_text() == "text"


def test_figures_are_whole(tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 2])
    path = tmp_path / "figure.png"
    save_figure(figure, path)
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")
    save_figure(figure, tmp_path / "figure.svg")
    assert "<svg" in (tmp_path / "figure.svg").read_text()
    with full_disk(), pytest.raises(OutputError, match=r"figure\.png"):
        save_figure(figure, path)
    assert path.read_bytes() == before


def test_a_file_is_replaced_a_part_at_a_time(tmp_path):
    path = tmp_path / "parts"
    path.write_text("before")
    with Replacement(path) as file:
        file.write(b"0123")
        file.write(b"45")
        file.seek(1)
        file.write(b"x")
        assert path.read_text() == "before"
    assert path.read_text() == "0x2345"
    with pytest.raises(FileNotFoundError, match="another"), Replacement(path) as file:
        file.write((tmp_path / "another").read_bytes())  # not an error of this file
    assert path.read_text() == "0x2345"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match=r"cannot write .*missing"):
        Replacement(tmp_path / "missing" / "parts").__enter__()
    full = pytest.raises(
        OutputError, match=f"^cannot write {path}: File too large; it holds what it held before$"
    )
    with full_disk(), full, Replacement(path) as file:
        for _ in range(100):
            file.write(b"z" * 1000)
    assert path.read_text() == "0x2345"
    assert list(tmp_path.iterdir()) == [path]
