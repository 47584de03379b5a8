"""``zipsgd build --verilog``."""

import pytest

from zipsgd.cli import build as command
from zipsgd_hw.verilog import KINDS


def test_the_command_line_knows_every_kind() -> None:
    assert tuple(KINDS) == command._KINDS


def test_verilog_on_the_command_line(run, tmp_path):
    words = ("build", "--verilog", "--out", tmp_path / "a b", "--set", "max_features=64")
    status, out, _ = run(*words)
    assert status == 0
    text = (tmp_path / "a b" / "zipsgd_accelerator.v").read_text()
    assert "max_features=64 " in text
    assert "clk         input      1     clock; everything happens at its rising edge\n" in out
    assert "holds the module zipsgd_accelerator: the accelerator behind a UART" in out
    status, out, _ = run(
        "build", "--verilog", "streams", "--board", "icebreaker", "--out", tmp_path, "--set", "lanes=4"
    )
    assert status == 0
    text = (tmp_path / "zipsgd_streams.v").read_text()
    assert "// clk has 24 MHz by the build" in text
    assert "lanes=4 update_lanes=2 max_features=1024" in text
    assert {path.name for path in tmp_path.iterdir()} == {"a b", "zipsgd_streams.v"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "build needs --board NAME, see 'zipsgd boards'; or --verilog"),
        (("--verilog", "--seeds", "1", "2"), "--verilog runs no tools: leave out --seeds"),
        (("--verilog", "--seed-budget", "3"), "--verilog runs no tools: leave out --seed-budget"),
        (("--verilog", "--jobs", "2"), "leave out --jobs"),
        (("--verilog", "--allow-slow"), "leave out --allow-slow"),
        (("--verilog", "--no-cache"), "leave out --no-cache"),
        (("--verilog", "--prepare-only"), "leave out --prepare-only"),
        (("--verilog", "--data", "diabetes"), "leave out --data"),
        (("--verilog", "--set", "lane=4"), "no parameter lane: a build has lanes, "),
        (("--verilog", "--set", "lanes=12"), "lanes must be a power of two"),
        (("--verilog", "--board", "arty"), "no board 'arty'"),
        (("--verilog", "--baud", "12000000"), "must be at most clock_hz / 5 = 9600000"),
    ],
)
def test_what_makes_no_verilog_is_refused(words, says, run, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(run("build", *words), says)
