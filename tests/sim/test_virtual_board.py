"""The virtual board as a process: it starts, serves, is traced, ends, and is killed."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from zipsgd import Options, train
from zipsgd.backends import BackendOptions, open_backend
from zipsgd.driver import Device, LinkLost, NoDevice
from zipsgd_hw.link.physical import Uart
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.mishaps import after_bytes
from zipsgd_sim.verilate import BuildFailed
from zipsgd_sim.waves import GROUPS

OPTIONS = Options(epochs=2, batch_size=8, seed=3)
LONG = replace(OPTIONS, epochs=10_000)
LONGEST = 60.0
"""Seconds after which something hangs, on a busy machine as well."""


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    """Whether the process ends."""
    end = time.monotonic() + LONGEST
    while alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def in_mid_epoch(board, act):
    return after_bytes(board, 20_000, act)


def test_tcp_serves_one_host_after_another(board, small_build, small_table):
    expected = train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build))
    for _ in range(2):
        assert train(small_table, options=OPTIONS, backend=board.url).model_words == expected.model_words
    assert board.running
    board.close()
    assert not board.running


def test_pseudo_terminal(small_build, small_table):
    expected = train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build))
    with VirtualBoard(small_build, pty=True, optimise=1) as board:
        assert os.path.exists(board.url)
        assert not board.url.startswith("socket")
        for _ in range(2):
            result = train(small_table, options=OPTIONS, backend=board.url)
            assert (result.loss, result.model_words) == (expected.loss, expected.model_words)
        with Device(board.url), pytest.raises(NoDevice, match="in use by another program"):
            Device(board.url)
    assert not os.path.exists(board.url)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_gaps_change_no_bit(seed, small_build, small_table):
    expected = train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build))
    with VirtualBoard(small_build, stall_seed=seed, optimise=1) as board:
        result = train(small_table, options=OPTIONS, backend=board.url)
    assert (result.loss, result.model_words) == (expected.loss, expected.model_words)


@pytest.mark.parametrize("baud", [1_000_000, 3_000_000])
def test_the_link_takes_its_time_in_cycles(baud, small_build, small_table):
    byte_cycles = small_build.clock_hz * 10 // baud
    with VirtualBoard(small_build, baud=baud, optimise=1) as board:
        result = train(small_table, options=OPTIONS, backend=board.url)
        counts = board.statistics()
    assert counts["line_busy"] == byte_cycles * counts["received"]
    assert counts["cycles"] >= counts["line_busy"]
    assert 1 <= result.cycles / (byte_cycles * result.sample_bytes) < 1.1
    assert result.starved_cycles > 0.9 * result.cycles


def test_at_full_speed_the_link_takes_a_byte_a_cycle(board, small_table):
    train(small_table, options=OPTIONS, backend=board.url)
    counts = board.statistics()
    assert counts["line_busy"] == counts["received"]


def test_a_waveform_with_groups(small_build, small_table, tmp_path):
    trace = tmp_path / "board.vcd"
    with VirtualBoard(small_build, trace=trace, optimise=1) as board:
        result = train(small_table, options=replace(OPTIONS, epochs=1), backend=board.url)
    lines = trace.read_text().splitlines()
    assert "$timescale 1ps $end" in [line.strip() for line in lines]
    last = max(int(line[1:]) for line in lines if line.startswith("#"))
    assert last * 1e-12 >= result.cycles / small_build.clock_hz
    saved = trace.with_suffix(".gtkw").read_text().splitlines()
    assert saved[0] == f'[dumpfile] "{trace}"'
    shown = {}
    for line in saved[1:]:
        if line.startswith("-"):
            group = line[1:]
            shown.setdefault(group, [])
        elif not line.startswith("@"):
            shown[group].append(line)
    assert shown.keys() == GROUPS.keys()
    assert all(len(names) > 4 for names in shown.values())
    assert any(name.endswith("dot.scores__valid") for name in shown["dot"])


def test_bad_arguments(small_build, tmp_path):
    with pytest.raises(ValueError, match=r"written as VCD: call .*a\.fst a\.vcd"):
        VirtualBoard(small_build, trace=tmp_path / "a.fst")
    with pytest.raises(ValueError, match=r"written as VCD: call .*a\.fst a\.vcd"):
        open_backend(BackendOptions("sim", small_build, trace=str(tmp_path / "a.fst")))
    with pytest.raises(ValueError, match=r"baud must be from 480000, .* to 240000000"):
        VirtualBoard(small_build, baud=9600)
    with pytest.raises(ValueError, match="port must be in"):
        VirtualBoard(small_build, port=1 << 16)
    with pytest.raises(ValueError, match="baud rate of a UART must be positive"):
        VirtualBoard(small_build, uart=Uart(0))
    (tmp_path / "folder.vcd").mkdir()
    with pytest.raises(RuntimeError, match="did not start: cannot write the waveform: Is a directory"):
        VirtualBoard(small_build, trace=tmp_path / "folder.vcd", optimise=1)


def test_a_port_in_use(small_build):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            RuntimeError, match="did not start: cannot listen on the port: Address already in use"
        ):
            VirtualBoard(small_build, port=port, optimise=1)
    with VirtualBoard(small_build, port=port, optimise=1) as board:
        assert board.url == f"socket://127.0.0.1:{port}"


def test_missing_tools_are_named(small_build, monkeypatch, tmp_path):
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BuildFailed, match="g\\+\\+, make cannot be found: install it"):
        VirtualBoard(small_build, optimise=1)


def test_a_compiler_that_fails_is_shown(small_build, monkeypatch, tmp_path):
    monkeypatch.setenv("ZIPSGD_CACHE", str(tmp_path))
    (tmp_path / "bin").mkdir()
    for name in ("g++", "c++"):
        compiler = tmp_path / "bin" / name
        compiler.write_text("#!/bin/sh\necho this compiler is broken >&2\nexit 3\n")
        compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}:{os.environ['PATH']}")
    with pytest.raises(BuildFailed, match=r"(?s)this compiler is broken.*full log: .*build.log"):
        VirtualBoard(small_build, optimise=1)


def test_a_second_host_is_turned_away(board):
    with Device(board.url):
        begun = time.monotonic()
        with pytest.raises(
            NoDevice, match="a virtual board serves one host at a time, so end the other one first"
        ):
            Device(board.url)
        assert time.monotonic() - begun < LONGEST
    with Device(board.url) as again:
        assert again.build == board.build


@pytest.mark.parametrize("pty", [False, True])
def test_killed_in_mid_epoch(pty, small_build, small_table):
    with VirtualBoard(small_build, pty=pty, optimise=1) as board:
        with in_mid_epoch(board, board.kill) as times, pytest.raises(LinkLost, match="lost the board on"):
            train(small_table, options=LONG, backend=board.url)
        assert times[1] - times[0] < LONGEST
        assert not board.running
        with pytest.raises(RuntimeError, match="has ended"):
            board.statistics()


def test_frozen_in_mid_epoch(small_build, small_table):
    with VirtualBoard(small_build, optimise=1) as board:
        pid = board._process.pid
        freeze = in_mid_epoch(board, lambda: os.kill(pid, signal.SIGSTOP))
        with freeze as times, pytest.raises(LinkLost, match="it no longer answers"):
            train(small_table, options=LONG, backend=board.url)
        assert times[1] - times[0] < LONGEST
    assert not alive(pid)


def test_a_host_that_vanished_leaves_a_board_for_the_next(board, small_build, small_table):
    """Killed in mid-epoch, with samples half sent."""
    program = f"""
        import numpy as np
        from zipsgd import Device
        from zipsgd.backends import RunConfig
        device = Device({board.url!r})
        device.begin(np.zeros(7, dtype=np.int64), RunConfig(7, 2, 2, 8))
        device.write("samples", 100)
        device.link.send(5, bytes(333))
        device.link._port.write(b"\\x55" * 50)
        print("sent", flush=True)
        input()
    """
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert host.stdout.readline() == b"sent\n"
    host.kill()
    host.communicate()
    expected = train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build))
    assert train(small_table, options=OPTIONS, backend=board.url).model_words == expected.model_words


def test_the_board_goes_with_the_process_that_started_it(small_build):
    program = """
        import os, signal
        from zipsgd.protocol.formats import Build
        from zipsgd_sim.board import VirtualBoard
        board = VirtualBoard(Build(**BUILD), optimise=1)
        print(board._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    code = textwrap.dedent(program).replace("BUILD", repr(small_build.as_dict()), 1)
    code = code.replace("Build(**BUILD)", f"Build(**{small_build.as_dict()!r})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert ends(int(done.stdout))


def test_an_interrupted_compilation_leaves_nothing(small_build, tmp_path):
    program = f"""
        from zipsgd.protocol.formats import Build
        from zipsgd_sim.board import VirtualBoard
        VirtualBoard(Build(**{small_build.as_dict()!r}), progress=lambda text: print(text, flush=True))
    """
    environment = {**os.environ, "ZIPSGD_CACHE": str(tmp_path)}
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert b"building the virtual board" in host.stdout.readline()
    time.sleep(1.0)
    host.send_signal(signal.SIGINT)
    _, told = host.communicate(timeout=LONGEST)
    assert b"KeyboardInterrupt" in told
    end = time.monotonic() + LONGEST
    while (
        str(tmp_path)
        in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    ):
        assert time.monotonic() < end, "a compiler still runs"
        time.sleep(0.1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
