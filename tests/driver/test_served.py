"""A host that opens ``tcp://HOST:PORT``, and finds no server of a board there."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from served_board import LONGEST, TOKEN, opened, refused

from zipsgd.backends import BackendOptions
from zipsgd.driver import Device, NoDevice, WrongDevice
from zipsgd.driver import served as served_module
from zipsgd.driver.server import BoardServer
from zipsgd.protocol.greeting import DEFAULT_PORT, MOST_BYTES, Hello, new_number

EVERY_BYTE = bytes(range(256))
pytestmark = pytest.mark.usefixtures("token")


@pytest.mark.parametrize("url", [f"tcp://{TOKEN}@127.0.0.1:1", f"TCP:{TOKEN}@x", f"socket://me:{TOKEN}@x:1"])
def test_a_url_must_not_hold_a_token(url: str) -> None:
    for use in (opened, Device, BackendOptions, lambda name: BoardServer(name, TOKEN, port=0)):
        with pytest.raises(ValueError, match=r"must not hold a token: write tcp://HOST:PORT") as failure:
            use(url)
        assert TOKEN not in str(failure.value)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP port on which ``answer`` gets one connection. Yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(LONGEST)


def test_a_server_of_another_version() -> None:
    says = "speaks version 2 of the greeting, this host version 1: use the same version of zipsgd on both"
    with answering(lambda host: host.sendall(b"zipsgd-serve 2 news\n")) as url, refused(WrongDevice, says):
        opened(url)


@pytest.mark.parametrize("says", [b"SSH-2.0-OpenSSH_9\r\n", b"zipsgd-serve one 1\n", EVERY_BYTE * 8])
def test_another_program_answers(says: bytes) -> None:
    with (
        answering(lambda host: host.sendall(says)) as url,
        refused(WrongDevice, f"something else than 'zipsgd serve' answers on {url}"),
    ):
        opened(url)


def test_a_server_that_answers_the_proof_with_nonsense() -> None:
    def answer(host: socket.socket) -> None:
        host.sendall(Hello(new_number()).line())
        host.recv(MOST_BYTES)
        host.sendall(b"perhaps\n")

    with answering(answer) as url, refused(WrongDevice, "something else than 'zipsgd serve' answers"):
        opened(url)


def test_nobody_greets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind the end of a tunnel, or on the port of a virtual board."""
    says = "does not greet as 'zipsgd serve' does .*({}).*virtual board is socket://HOST:PORT"
    with answering(lambda host: None) as url, refused(NoDevice, says.format("closed")):
        opened(url)
    monkeypatch.setattr(served_module, "SECONDS", 0.1)
    with answering(lambda host: host.recv(1)) as url, refused(NoDevice, says.format("timed out|in time")):
        opened(url)


def test_the_default_port_and_urls_without_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    with refused(NoDevice, "cannot reach tcp://lab: "):
        opened("tcp://lab")
    assert asked == [("lab", DEFAULT_PORT)]
    with refused(NoDevice, "cannot open tcp://: tcp:// is not of the form tcp://HOST:PORT"):
        opened("tcp://")
    with refused(NoDevice, "cannot open socket://lab: .* is not of the form socket://HOST:PORT"):
        opened("socket://lab")
