"""Training on a virtual board that is served: the bits of the emulator, whatever happens to the connection."""

import socket
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest
from served_board import LONGEST, TOKEN, serving

from zipsgd import Options, predict, train
from zipsgd.backends import BackendOptions
from zipsgd.driver import Device, NoAccess
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.mishaps import after_bytes

pytestmark = pytest.mark.usefixtures("token")
OPTIONS = Options(base_bits=8, epochs=6, batch_size=8, seed=3)
LONG = replace(OPTIONS, epochs=60)
"""150,000 bytes of samples of the small table: something happens in the midst of them."""


@pytest.fixture(scope="module")
def expected_long(small_build, small_table):
    return bits(train(small_table, options=LONG, backend=BackendOptions(build=small_build)))


def bits(result):
    return result.loss, result.model_words, result.flags


class Cable:
    """Carries TCP connections to a server, until it is cut for a while. A context manager.

    ``url``: the URL that hosts open. ``silently``: whether the server does not see that the cable is cut.
    """

    def __init__(self, url: str, silently: bool) -> None:
        parts = urlsplit(url)
        self._server = parts.hostname, parts.port
        self._silently = silently
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._place = self._listener.getsockname()
        self.url = f"tcp://127.0.0.1:{self._place[1]}"
        self.connections = 0
        self._ends: list[tuple[socket.socket, socket.socket]] = []
        self._accept()

    def _accept(self) -> None:
        def accept(listener: socket.socket) -> None:
            with suppress(OSError):
                while True:
                    ends = (listener.accept()[0], socket.create_connection(self._server))
                    self._ends.append(ends)
                    self.connections += 1
                    for one, other in (ends, ends[::-1]):
                        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

        threading.Thread(target=accept, args=(self._listener,), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        if not self._silently:
            with suppress(OSError):
                other.shutdown(socket.SHUT_RDWR)

    def cut(self, seconds: float) -> None:
        """Nobody can connect for so many seconds."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for host, _ in self._ends:
            with suppress(OSError):
                host.shutdown(socket.SHUT_RDWR)
        time.sleep(seconds)
        self._listener = socket.create_server(self._place)
        self._accept()

    def __enter__(self) -> "Cable":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for end in (self._listener, *(each for ends in self._ends for each in ends)):
            end.close()


def test_a_served_board_has_the_bits_of_the_emulator(board, small_build, small_table) -> None:
    expected = train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build))
    told: list[str] = []
    with serving(board.url, told=told) as server:
        for _ in range(2):
            result = train(small_table, options=OPTIONS, backend=server.url)
            assert bits(result) == bits(expected)
            assert result.backend == server.url
    assert sum(message.endswith("has the board") for message in told) == 2


def test_a_served_board_predicts(level_board, small_table) -> None:
    model = train(small_table, options=OPTIONS)
    with serving(level_board.url) as server:
        found = predict(model, small_table.features, backend=server.url)
    expected = predict(model, small_table.features, backend=BackendOptions("golden", build=level_board.build))
    np.testing.assert_array_equal(found.outputs, expected.outputs)


@pytest.mark.parametrize("silently", [False, True])
def test_a_cable_that_is_cut_for_a_second(silently, board, small_table, expected_long) -> None:
    told: list[str] = []
    with serving(board.url, told=told) as server, Cable(server.url, silently) as cable:
        with after_bytes(board, 50_000, lambda: cable.cut(1.0)) as times:
            result = train(small_table, options=LONG, backend=cable.url)
        assert len(times) == 2, "it was over before the cut"
        assert times[1] - times[0] < LONGEST
        assert cable.connections == 2
    assert bits(result) == expected_long
    assert any("takes the place of its earlier" in message for message in told) == silently


@pytest.mark.parametrize("seconds", [0, 1])
def test_a_server_that_is_started_again(seconds, board, small_table, expected_long) -> None:
    """The board goes on; only its server was away."""
    with ExitStack() as later, ExitStack() as first:
        server = first.enter_context(serving(board.url))

        def restart() -> None:
            first.close()
            time.sleep(seconds)
            later.enter_context(serving(board.url, port=urlsplit(server.url).port))

        with after_bytes(board, 50_000, restart) as times:
            result = train(small_table, options=LONG, backend=server.url)
        assert len(times) == 2, "it was over before the end of the server"
    assert bits(result) == expected_long


def test_a_server_that_is_started_again_with_another_token(board, small_table) -> None:
    with ExitStack() as later, ExitStack() as first:
        server = first.enter_context(serving(board.url))

        def restart() -> None:
            first.close()
            later.enter_context(
                serving(board.url, port=urlsplit(server.url).port, token="another-token-of-20-c")
            )

        with (
            after_bytes(board, 50_000, restart),
            pytest.raises(NoAccess, match="refuses the token in ZIPSGD_TOKEN") as failure,
        ):
            train(small_table, options=LONG, backend=server.url)
    assert TOKEN not in str(failure.value)


def test_a_board_that_is_started_again_behind_its_server(small_build, small_table, expected_long) -> None:
    boards = []
    with VirtualBoard(small_build, optimise=1) as board, serving(board.url) as server:

        def exchange() -> None:
            board.kill()
            time.sleep(1)
            boards.append(VirtualBoard(small_build, port=urlsplit(board.url).port, optimise=1))

        with after_bytes(board, 50_000, exchange):
            result = train(small_table, options=LONG, backend=server.url)
    boards[0].close()
    assert bits(result) == expected_long


def test_a_pseudo_terminal_is_served(small_build, small_table) -> None:
    """As a serial port is: it is opened once, for all hosts."""
    expected = bits(train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build)))
    with VirtualBoard(small_build, pty=True, optimise=1) as board, serving(board.url) as server:
        for _ in range(2):
            assert bits(train(small_table, options=OPTIONS, backend=server.url)) == expected
        with Device(server.url) as device:
            assert device.build == small_build
