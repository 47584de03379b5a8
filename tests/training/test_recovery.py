"""Training over bad lines, and through the end of a board or a host: the bits of an undisturbed run."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest

from zipsgd import Options, train
from zipsgd.backends import BackendOptions
from zipsgd.backends.device import DeviceBackend
from zipsgd.cli import main
from zipsgd.driver import Device, LinkLost, WrongBuild
from zipsgd.driver.coding import encode
from zipsgd.protocol.frames import Frame, Kind
from zipsgd.protocol.registers import REGISTERS
from zipsgd.training.checkpoint import load_checkpoint
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.faults import Fault, Faults, random_faults
from zipsgd_sim.faulty_link import FaultyLink
from zipsgd_sim.mishaps import after_bytes

OPTIONS = Options(base_bits=8, epochs=6, batch_size=8, seed=3)
"""15,000 bytes of samples of the small table."""
LONG = replace(OPTIONS, epochs=60)
"""Ten times as many: something happens in the midst of it."""
LONGEST = 120.0
"""Seconds after which something hangs, on a busy machine as well; a clean run takes a fraction of one."""
RATE = 0.003
KINDS = {
    **{kind: Faults(**{kind: RATE}, seed=5) for kind in ("corrupt", "drop", "insert", "duplicate")},
    "stalls": Faults(stall=5e-4, longest_stall=0.05, seed=1),
    "disconnections": Faults(disconnect=2e-4, seed=5),
    "disconnections, board opened anew": Faults(disconnect=2e-4, reopen=True, seed=6),
    "power-up in mid-frame": Faults(junk=700, seed=1),
    "all": Faults(
        corrupt=RATE, drop=RATE, insert=RATE, duplicate=RATE / 3, stall=1e-4, disconnect=1e-4, reopen=True, junk=99, seed=1
    ),
}  # fmt: skip


def bits(result):
    return result.loss, result.model_words, result.flags


@pytest.fixture(scope="module")
def expected(small_build, small_table):
    return bits(train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build)))


@pytest.fixture(scope="module")
def expected_long(small_build, small_table):
    return bits(train(small_table, options=LONG, backend=BackendOptions(build=small_build)))


@pytest.fixture(scope="module")
def served(small_build):
    with VirtualBoard(small_build, optimise=1) as board:
        yield board


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_line_changes_no_bit(kind, served, small_table, expected):
    faults = KINDS[kind]
    with FaultyLink(served.url, faults) as line:
        begun = time.monotonic()
        result = train(small_table, options=OPTIONS, backend=line.url)
        assert time.monotonic() - begun < LONGEST
        assert all(line.hits[fault] > 0 for fault in Fault if faults.rate(fault))
    assert bits(result) == expected
    if faults.hit:
        assert result.link_bytes > 1.05 * result.sample_bytes  # some were sent again


@pytest.mark.parametrize("seed", range(4))
def test_random_schedules_change_no_bit(seed, served, small_table, expected):
    with FaultyLink(served.url, random_faults(seed)) as line:
        assert bits(train(small_table, options=OPTIONS, backend=line.url)) == expected


def test_a_line_alone_never_begins_an_epoch_again(served, small_table):
    """However bad it is: that is for devices that were reset."""
    told = []
    with FaultyLink(served.url, Faults(corrupt=0.01, seed=2)) as line, Device(line.url) as device:
        result = train(small_table, options=OPTIONS, backend=DeviceBackend(device, progress=told.append))
        assert device.link.pace.copies > 1
    assert told == []
    assert result.sample_bytes == 6 * 210 * 12


@pytest.mark.parametrize("seed", range(3))
def test_disconnected_while_it_opens(seed, served):
    with FaultyLink(served.url, Faults(disconnect=0.01, seed=seed)) as line, Device(line.url) as device:
        assert device.build == served.build
        assert line.hits[Fault.DISCONNECT] > 0


# Boards that are reset, killed, exchanged, taken over


@pytest.mark.parametrize("count", [1, 7_300, 50_000, 90_000])
def test_a_device_reset_in_mid_epoch(count, board, small_table, expected_long):
    told = []
    with Device(board.url) as device:
        backend = DeviceBackend(device, progress=told.append)
        with after_bytes(board, board.statistics()["received"] + count, board.reset) as times:
            result = train(small_table, options=LONG, backend=backend)
        assert len(times) == 2, "it was over before the reset"
    assert bits(result) == expected_long
    assert len(told) == 1
    assert "was reset" in told[0] or "taken over" in told[0] or "does not go on" in told[0]
    assert "again" in told[0]


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_board_killed_and_started_again(seconds, small_build, small_table, expected_long, caplog):
    caplog.set_level("INFO", "zipsgd")
    boards = []
    with VirtualBoard(small_build, optimise=1) as board:

        def exchange():
            board.kill()
            time.sleep(seconds)
            boards.append(VirtualBoard(small_build, port=urlsplit(board.url).port, optimise=1))

        with after_bytes(board, 50_000, exchange):
            result = train(small_table, options=LONG, backend=board.url)
    boards[0].close()
    assert bits(result) == expected_long
    assert any("went away" in message for message in caplog.messages)
    assert any("beginning epoch" in message for message in caplog.messages)


def test_a_board_exchanged_for_another_build(small_build, small_table):
    other, boards = replace(small_build, q3_bits=10), []
    VirtualBoard(other, optimise=0).close()  # now it is compiled, and starts at once
    with VirtualBoard(small_build, optimise=0) as board:

        def exchange():
            board.kill()
            boards.append(VirtualBoard(other, port=urlsplit(board.url).port, optimise=0))

        with (
            after_bytes(board, 50_000, exchange),
            pytest.raises(WrongBuild, match=r"q3_bits 10 \(wanted 12\)"),
        ):
            train(small_table, options=LONG, backend=board.url)
    boards[0].close()


def test_a_board_that_does_not_come_back(small_build, small_table, expected_long, tmp_path):
    """The run goes on where another can do it."""
    path = tmp_path / "run.json"
    with VirtualBoard(small_build, optimise=1) as board:
        lost = pytest.raises(LinkLost, match=r"lost the board on .*plug it in or start it again")
        with after_bytes(board, 50_000, board.kill), lost:
            train(small_table, options=LONG, backend=board.url, checkpoint=path)
    assert 1 <= len(load_checkpoint(path).epochs) <= 59
    assert bits(train(small_table, options=LONG, checkpoint=path, resume=True)) == expected_long


def test_another_program_takes_the_board_over(small_build, small_table):
    """One that does not care for the lock on a serial port."""
    with VirtualBoard(small_build, pty=True, optimise=1) as board:

        def intrude():
            with open(board.url, "wb", buffering=0) as port:
                word = (REGISTERS["session"].address | 77 << 32).to_bytes(8, "little")
                port.write(b"\0" + encode(Frame(Kind.SYNC, 9)) + encode(Frame(Kind.WRITE, 10, word)))

        with (
            after_bytes(board, 9_000, intrude),
            pytest.raises(LinkLost, match="another program has taken over"),
        ):
            train(small_table, options=replace(OPTIONS, epochs=10000), backend=board.url)


# Hosts that are killed


@pytest.fixture
def csv(tmp_path, small_table):
    path = tmp_path / "small.csv"
    np.savetxt(path, np.column_stack([small_table.features, small_table.labels]), delimiter=",", fmt="%.17g")
    return path


def options(csv, path, *more):
    words = ["train", csv, "--base-bits", 8, "--batch-size", 8, "--seed", 3, "--checkpoint", path, *more]
    return [str(word) for word in words]


def start(*words):
    code = "import sys; from zipsgd.cli import main; sys.exit(main())"
    return subprocess.Popen([sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True)


def until_epoch(number, process):
    for line in process.stderr:
        if line.startswith(f"epoch {number:3}"):
            return
    pytest.fail(f"it ended before epoch {number} was over")


def test_a_host_killed_and_started_again(board, csv, small_table, small_build, tmp_path):
    path, out = tmp_path / "run.json", tmp_path / "out.json"
    words = options(csv, path, "--epochs", 400, "--backend", board.url)
    process = start(*words)
    until_epoch(3, process)
    process.kill()
    process.communicate()
    done = len(load_checkpoint(path).epochs)
    assert 3 <= done < 400
    assert main([*words, "--resume", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    whole = train(
        small_table, options=replace(OPTIONS, epochs=400), backend=BackendOptions(build=small_build)
    )
    assert (result["loss"], result["model_words"]) == (whole.loss, whole.model_words)


def test_ctrl_c_leaves_a_checkpoint_and_says_so(csv, small_table, tmp_path, capsys):
    """And the run goes on elsewhere, on the build that it was begun on."""
    path, out = tmp_path / "run.json", tmp_path / "out.json"
    words = options(csv, path, "--epochs", 1000)
    process = start(*words, "--lanes", "4")
    until_epoch(2, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    assert f"{path} keeps the run up to its last whole epoch: the same command with --resume goes on" in err
    assert err.endswith("interrupted; nothing is left running on this computer\n")
    assert 2 <= len(load_checkpoint(path).epochs) < 1000
    assert main(words) == 2
    assert "is there already: go on with the run in it with --resume" in capsys.readouterr().err
    assert main([*words, "--resume", "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["build"]["lanes"] == 4
    assert len(result["loss"]) == 1000
    assert len(list(tmp_path.glob("run.json*"))) == 1


def test_resume_needs_a_file(csv, capsys):
    assert main(["train", str(csv), "--resume"]) == 2
    assert "name its checkpoint (on the command line: --checkpoint FILE)" in capsys.readouterr().err
