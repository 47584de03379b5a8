"""One run at a time on a checkpoint."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from zipsgd import train
from zipsgd.training.lock import CheckpointInUse, locked

HOLD = """
import sys
from pathlib import Path
from zipsgd.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``run.json``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_told_who_holds_it(holder, small_table, tmp_path):
    path = tmp_path / "run.json"
    says = (
        rf"run\.json is in use by another run \(process {holder.pid} on {socket.gethostname()}, since 20..-"
    )
    for _ in range(2):  # to be refused does not change what the lock says
        with pytest.raises(CheckpointInUse, match=says):
            train(small_table, epochs=1, checkpoint=path)
    assert not path.exists()
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with pytest.raises(CheckpointInUse), locked(link):
        pass
    holder.communicate()
    train(small_table, epochs=1, checkpoint=path)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["link.json", "run.json"]


def test_a_killed_run_blocks_nobody(holder, small_table, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run.json.lock").exists()
    train(small_table, epochs=1, checkpoint=tmp_path / "run.json")
    assert [found.name for found in tmp_path.iterdir()] == ["run.json"]


def test_two_runs_of_one_process(tmp_path):
    with locked(tmp_path / "run.json"):
        with (
            pytest.raises(CheckpointInUse, match=rf"process {os.getpid()} on"),
            locked(tmp_path / "run.json"),
        ):
            pass
        with locked(tmp_path / "other.json"):
            pass
    with locked(tmp_path / "run.json"):
        pass
