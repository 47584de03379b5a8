"""The server of a board, with a stand-in for the board."""

import random
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from served_board import LONGEST, TOKEN, StandIn, opened, read_all, refused, serving, until

from zipsgd.driver import BoardTaken, Device, LinkLost, NoAccess, NoDevice, WrongDevice
from zipsgd.driver import server as server_module
from zipsgd.driver.port import PortGone
from zipsgd.driver.relay import keep_alive
from zipsgd.driver.server import BoardServer
from zipsgd.protocol.greeting import MOST_BYTES, Answer, Hello, new_number

EVERY_BYTE = bytes(range(256))
pytestmark = pytest.mark.usefixtures("token")


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A bare connection to a server."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), LONGEST) as connection:
        yield connection


# Bytes


def test_bytes_go_both_ways_unchanged() -> None:
    parts = [random.Random(k).randbytes(16_384) for k in range(64)]
    with StandIn(echo=True) as board, serving(board.url) as server:
        port = opened(server.url)
        for part in parts:
            port.write(part)
            assert read_all(port, len(part)) == part
        assert board.received == b"".join(parts)
        port.close()


def test_small_frames_are_sent_at_once() -> None:
    """Round trips of a byte: with Nagle's algorithm, each would take 40 ms."""
    with StandIn(echo=True) as board, serving(board.url) as server:
        port = opened(server.url)
        for connection in server._connections:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for byte in EVERY_BYTE[:20]:
            port.write(bytes([byte]))
            assert read_all(port, 1) == bytes([byte])
        port.close()


def test_a_computer_that_goes_without_a_word_is_noticed() -> None:
    with socket.socket() as connection:
        keep_alive(connection)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count, most = (
            connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}"))
            for name in ("KEEPIDLE", "KEEPINTVL", "KEEPCNT", "USER_TIMEOUT")
        )
        assert idle + interval * count <= 30
        assert 0 < most <= 30_000


def test_what_the_board_says_to_one_host_does_not_reach_the_next() -> None:
    with StandIn() as board, serving(board.url) as server:
        for turn in (b"first", b"second"):
            port = opened(server.url)
            assert port.read(0.1) == b""
            port.write(turn)
            board.say(b"to the " + turn)
            assert read_all(port, 7 + len(turn)) == b"to the " + turn
            port.close()
            until(lambda: server._holder is None)
            board.say(b"late")
        assert board.received == b"firstsecond"
        assert board.connections == 1  # the board is not opened anew for each


def test_a_server_of_a_served_board() -> None:
    with StandIn(echo=True) as board, serving(board.url) as inner, serving(inner.url) as outer:
        port = opened(outer.url)
        port.write(EVERY_BYTE)
        assert read_all(port, 256) == EVERY_BYTE
        port.close()


# Who may come


def test_a_wrong_token_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with StandIn() as board, serving(board.url, told=told) as server:
        monkeypatch.setenv("ZIPSGD_TOKEN", "another-token-of-20-c")
        with refused(NoAccess, f"the server on {server.url} refuses the token in ZIPSGD_TOKEN: set it to"):
            opened(server.url)
        for nothing in ("", "  "):
            monkeypatch.setenv("ZIPSGD_TOKEN", nothing)
            with refused(NoAccess, f"{server.url} asks for a token, and there is none: set the environment"):
                opened(server.url)
        monkeypatch.setenv("ZIPSGD_TOKEN", f"{TOKEN}\n")  # as from a file
        opened(server.url).close()
        assert board.received == b""
    assert sum(message.endswith("was refused: its token is wrong") for message in told) == 1
    assert not any(TOKEN in message or "another-token" in message for message in told)


@pytest.mark.parametrize("bad", ["", "fifteen-letters", "two words of a token", " leading-blank-of-it"])
def test_a_token_that_is_too_short_or_has_blanks(bad: str) -> None:
    with (
        StandIn() as board,
        pytest.raises(ValueError, match="at least 16 characters and no blanks") as failure,
    ):
        BoardServer(board.url, bad, port=0)
    assert not bad or bad not in str(failure.value)


def test_a_second_host_is_told_who_has_the_board() -> None:
    told: list[str] = []
    with StandIn(echo=True) as board, serving(board.url, told=told) as server:
        first = opened(server.url)
        address = f"127.0.0.1:{first._pipe._socket.getsockname()[1]}"
        with refused(BoardTaken, rf"the board on {server.url} is taken by {address} since 20.*: wait") as _:
            opened(server.url)
        with pytest.raises(NoDevice) as failure:
            Device(server.url)
        since = re.search(r"since (\S+):", str(failure.value))
        assert since
        age = datetime.now().astimezone() - datetime.fromisoformat(since[1])
        assert -2 < age.total_seconds() < LONGEST
        first.write(EVERY_BYTE)  # and is not disturbed
        assert read_all(first, 256) == EVERY_BYTE
        first.close()
        second = opened(server.url)
        second.write(b"x")
        assert read_all(second, 1) == b"x"
        second.close()
        until(lambda: server._holder is None)
    assert board.received == EVERY_BYTE + b"x"
    assert f"{address} has the board" in told
    left = f"{address} left after 0 s; 256 bytes to the board, 256 from it"
    assert any(re.sub(r"after \d+ s", "after 0 s", message) == left for message in told)
    assert sum(message.endswith(f"was refused: {address} has the board") for message in told) == 2


def test_a_host_that_connects_again_takes_its_own_place() -> None:
    """Its earlier connection is not closed, as when a computer between them was cut off."""
    told: list[str] = []
    with StandIn(echo=True) as board, serving(board.url, told=told) as server:
        port = opened(server.url)
        half_open = socket.fromfd(port._pipe.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with half_open:
            with refused(BoardTaken, "is taken by"):
                opened(server.url)
            port.open()
            half_open.setblocking(True)
            assert half_open.recv(100) == b""  # the server has closed it
            with suppress(OSError):
                half_open.sendall(b"late")
            port.write(b"again")
            assert read_all(port, 5) == b"again"
        port.close()
    assert board.received == b"again"
    assert sum("takes the place of its earlier connection" in message for message in told) == 1


def test_a_host_finds_the_board_free_as_soon_as_the_one_before_has_left() -> None:
    with StandIn() as board, serving(board.url) as server:
        for _ in range(10):
            opened(server.url).close()


# Whatever else connects


def test_a_host_that_takes_the_server_for_a_board() -> None:
    with StandIn(echo=True) as board:
        with serving(board.url) as server:
            plain = server.url.replace("tcp://", "socket://")
            with refused(WrongDevice, r"that of 'zipsgd serve' is tcp://HOST:PORT"):
                Device(plain)
        assert board.received == b""


@pytest.mark.parametrize(
    "says",
    [
        b"GET / HTTP/1.1\r\nHost: board\r\n\r\n",
        b"\n",
        bytes(MOST_BYTES),
        EVERY_BYTE * 4096,
        b"answer " + b"0" * 64 + b" \xff\n",
    ],
)
def test_garbage_is_sent_away(says: bytes) -> None:
    told: list[str] = []
    with StandIn(echo=True) as board, serving(board.url, told=told) as server:
        with connected(server.url) as stranger, suppress(OSError):
            stranger.sendall(says)
            while stranger.recv(4096):
                pass
        until(lambda: bool(told))
        assert told[0].endswith("was sent away: it does not greet as a zipsgd host does")
        opened(server.url).close()
        assert board.received == b""


def test_silence_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with StandIn() as board, serving(board.url, told=told) as server:
        port = opened(server.url)  # strangers disturb no one
        monkeypatch.setattr(server_module, "SECONDS", 0.3)
        with connected(server.url) as silent, connected(server.url) as slow:
            with suppress(OSError):
                for _ in range(20):  # a byte now and then does not prolong it
                    slow.sendall(b"a")
                    time.sleep(0.05)
            assert silent.recv(100).startswith(b"zipsgd-serve 1 ")
            assert silent.recv(100) == b""
        until(lambda: sum("sent away" in message for message in told) == 2)
        board.say(b"still here")
        assert read_all(port, 10) == b"still here"
        port.close()


def test_many_strangers_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_MOST_CONNECTIONS", 3)
    with StandIn() as board, serving(board.url) as server:
        with connected(server.url) as one, connected(server.url) as two, connected(server.url) as three:
            for each in (one, two, three):
                assert each.recv(9) == b"zipsgd-se"
            with connected(server.url) as four:
                assert four.recv(9) == b""
        until(lambda: not server._connections)
        opened(server.url).close()


def test_a_proof_serves_no_other_connection() -> None:
    with StandIn() as board, serving(board.url) as server:
        lines = []
        for _ in range(2):
            with connected(server.url) as host, host.makefile("rb") as answers:
                hello = Hello.parse(answers.readline())
                lines.append(Answer.of(TOKEN, hello, new_number()).line())
                host.sendall(lines[0])
                said = answers.readline()
        assert said == b"denied\n"


# Boards and servers that go


def test_a_board_that_is_unplugged_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_RETURN_SECONDS", 0.2)
    told: list[str] = []
    with StandIn(echo=True) as board, serving(board.url, told=told) as server:
        port = opened(server.url)
        board.unplug()
        with pytest.raises(PortGone):
            read_all(port, 1)
        with refused(NoDevice, f"the server on {server.url} cannot open its board: cannot open {board.url}"):
            port.open()
        board.plug_in()
        port.open()
        port.write(b"back")
        assert read_all(port, 4) == b"back"
        port.close()
    assert any(message.startswith("the board went away: ") for message in told)


def test_a_board_that_was_unplugged_while_no_host_was_there() -> None:
    with StandIn(echo=True) as board, serving(board.url) as server:
        board.unplug()
        board.plug_in()
        port = opened(server.url)
        port.write(b"back")
        assert read_all(port, 4) == b"back"
        port.close()


def test_the_end_of_a_server() -> None:
    with StandIn() as board:
        with serving(board.url) as server:
            port = opened(server.url)
            until(lambda: board.open)
        with pytest.raises(PortGone):
            read_all(port, 1)
        until(lambda: not board.open)
        with refused(NoDevice, f"cannot reach {server.url}: .*refused.*'zipsgd serve' run there"):
            opened(server.url)


def test_places_where_a_server_cannot_listen() -> None:
    with StandIn() as board, serving(board.url) as server:
        taken = urlsplit(server.url).port
        with pytest.raises(RuntimeError, match=f"cannot listen on 127.0.0.1:{taken}: .*in use; name another"):
            BoardServer(board.url, TOKEN, port=taken)
        with pytest.raises(RuntimeError, match=r"cannot listen on no\.such\.host\.invalid:0: "):
            BoardServer(board.url, TOKEN, host="no.such.host.invalid", port=0)
        with pytest.raises(ValueError, match=r"must be in 0\.\.65535, not 65536"):
            BoardServer(board.url, TOKEN, port=65536)
    with pytest.raises(NoDevice, match="cannot open /dev/none"):
        BoardServer("/dev/none", TOKEN, port=0)


def test_the_url_of_a_server_that_listens_everywhere() -> None:
    with StandIn() as board, BoardServer(board.url, TOKEN, host="0.0.0.0", port=0) as server:
        assert server.url.startswith(f"tcp://{socket.gethostname()}:")


def test_a_host_whose_board_another_has_taken_since(board) -> None:
    """It has lost its connection, and another one was faster."""
    with serving(board.url) as server, Device(server.url) as host:
        host.link._port._port.close()
        until(lambda: server._holder is None)
        other = opened(server.url)
        host.link._port.error = "cut"
        with pytest.raises(LinkLost, match=f"lost the board on {server.url}: .* is taken by 127"):
            host.read("features")
        other.close()
