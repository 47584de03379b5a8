"""``zipsgd serve``: a board that other processes reach, one at a time, with a token that nobody prints."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from zipsgd import Options, load, train
from zipsgd.protocol.greeting import DEFAULT_PORT

LONGEST = 60.0
"""Seconds after which something hangs, on a busy machine as well."""
ZIPSGD = [sys.executable, "-c", "import sys; from zipsgd.cli import main; sys.exit(main())"]
TOKEN = "kept-out-of-all-output"
HERE = ("--listen", "127.0.0.1:0")
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  "


def start(*words) -> subprocess.Popen:
    return subprocess.Popen(
        [*ZIPSGD, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(autouse=True)
def token(monkeypatch) -> None:
    monkeypatch.setenv("ZIPSGD_TOKEN", TOKEN)


class Served:
    """A server in a process of its own. ``end`` ends it by a signal, and returns its status and what it printed."""

    def __init__(self, url, *words) -> None:
        self.process = start("serve", url, *HERE, *words)
        self.url = self.process.stdout.readline().strip()
        assert re.fullmatch(r"tcp://127\.0\.0\.1:\d+", self.url), self.process.stderr.read()
        self.said = self.process.stderr.readline()

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LONGEST)
        return self.process.returncode, out, self.said + err


@contextmanager
def served(url, *words) -> Iterator[Served]:
    server = Served(url, *words)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def test_hosts_come_and_go(board, run) -> None:
    with served(board.url) as server:
        for _ in range(2):
            status, out, err = run("verify", "synthetic10", "--backend", server.url, "--epochs", 1)
            assert status == 0, err
            assert out.endswith("identical\n")
        status, out, err = server.end()
    assert (status, out) == (0, "")
    assert TOKEN not in err
    assert "hosts need the token in ZIPSGD_TOKEN; Ctrl-C ends it" in err
    came = re.findall(f"^{TIME}127.0.0.1:[0-9]+ has the board$", err, re.MULTILINE)
    # A host that leaves while the board still speaks resets the connection.
    left = re.findall(
        f"^{TIME}127.0.0.1:[0-9]+ left(?: \\([^)]+\\))? after [0-9]+ s; [0-9,]+ bytes", err, re.MULTILINE
    )
    assert len(came) == len(left) == 2, err
    assert re.search(f"{TIME}ended\n$", err)


def test_a_random_token_is_printed_once(board, run, monkeypatch) -> None:
    monkeypatch.delenv("ZIPSGD_TOKEN")
    seen = set()
    for number in (signal.SIGINT, signal.SIGTERM):
        with served(board.url) as server:
            name, _, word = server.process.stdout.readline().strip().partition("=")
            assert name == "export ZIPSGD_TOKEN"
            assert len(word) >= 32
            seen.add(word)
            with monkeypatch.context() as patch:
                patch.setenv("ZIPSGD_TOKEN", word)
                status, _, said = run("train", "synthetic10", "--backend", server.url, "--epochs", 1)
            assert status == 0, said
            status, out, err = server.end(number)
        assert (status, out) == (0, "")
        assert word not in err + said
    assert len(seen) == 2


def test_a_token_as_an_argument(board, run) -> None:
    with served(board.url, "--token", "another-token-of-20-c") as server:
        status, out, err = run("train", "synthetic10", "--backend", server.url)
        assert (status, out) == (1, "")
        assert f"the server on {server.url} refuses the token in ZIPSGD_TOKEN: set it" in err
        assert "Traceback" not in err
        _, out, log = server.end()
    assert "was refused: its token is wrong" in log
    for text in (err, out, log):
        assert "another-token" not in text
        assert TOKEN not in text


def test_a_host_that_is_killed_makes_room_for_the_next(board, run, tmp_path) -> None:
    table = load("synthetic10")
    expected = train(table, options=Options(epochs=2, seed=5), backend=board.url)
    with served(board.url) as server:
        host = start("train", "synthetic10", "--backend", server.url, "--epochs", "100000")
        assert any(line.startswith("epoch") for line in host.stderr)
        status, _, err = run("train", "synthetic10", "--backend", server.url, "--epochs", 2)
        assert status == 1
        assert re.search(
            f"zipsgd: the board on {server.url} is taken by 127.0.0.1:[0-9]+ since 20.*: wait", err
        )
        host.kill()
        host.wait()
        result = train(table, options=Options(epochs=2, seed=5), backend=server.url)
        assert (result.loss, result.model_words) == (expected.loss, expected.model_words)
        server.end()


def test_the_end_of_a_server_in_mid_run(board) -> None:
    with served(board.url) as server:
        host = start("train", "synthetic10", "--backend", server.url, "--epochs", "100000")
        assert any(line.startswith("epoch") for line in host.stderr)
        assert server.end(signal.SIGTERM)[0] == 0
        _, err = host.communicate(timeout=LONGEST)
    assert host.returncode == 1
    assert f"zipsgd: lost the board on {server.url}: " in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "words",
    [
        ("train", "synthetic10", "--backend"),
        ("train", "synthetic10", "--lanes", 8, "--backend"),
        ("verify", "synthetic10", "--backend"),
        ("verify", "synthetic10", "--against"),
        ("serve",),
    ],
)
def test_a_url_with_a_token_is_refused_and_not_repeated(words, run, refused) -> None:
    result = run(*words, f"tcp://{TOKEN}@127.0.0.1:1")
    refused(result, "must not hold a token", "ZIPSGD_TOKEN")
    assert TOKEN not in result[2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("/dev/none",), "cannot open /dev/none"),
        (("socket://127.0.0.1:1",), "cannot open socket://127.0.0.1:1"),
        (("loop://", "--token", "short"), "at least 16 characters and no blanks"),
        (("loop://", "--listen", "no.such.host.invalid"), f"no.such.host.invalid:{DEFAULT_PORT}: "),
    ],
)
def test_what_cannot_be_served(words, says, run) -> None:
    status, out, err = run("serve", *words)
    assert status in (1, 2)
    assert out == ""
    assert err.startswith("zipsgd: ")
    assert says in err


@pytest.mark.parametrize("place", ["", ":4000", "here:port", "[::1", "here:65536"])
def test_places_that_are_none(place, run, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        run("serve", "loop://", "--listen", place)
    assert ended.value.code == 2
    assert f"it takes HOST or HOST:PORT, such as 0.0.0.0:9474, not {place!r}" in capsys.readouterr().err


def test_a_port_that_is_in_use(run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        status, _, err = run("serve", "loop://", "--listen", place)
    assert status == 1
    assert f"cannot listen on {place}: Address already in use; name another place with --listen" in err
