"""What tests of the server of a board share: a stand-in for the board, and a server in a thread."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from zipsgd.driver import DeviceError
from zipsgd.driver.port import Port
from zipsgd.driver.server import BoardServer

__all__ = ["LONGEST", "TOKEN", "StandIn", "opened", "read_all", "refused", "serving", "until"]

TOKEN = "kept-out-of-all-output"
LONGEST = 60.0
"""Seconds after which something hangs, on a busy machine as well."""


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + LONGEST
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.005)


def opened(url: str) -> Port:
    """The port of a URL."""
    return Port(url, 3_000_000)


@contextmanager
def refused(kind: type[DeviceError], says: str) -> Iterator[None]:
    """The body raises ``kind`` itself, with a message that says so and does not hold the token."""
    with pytest.raises(kind, match=says) as failure:
        yield
    assert type(failure.value) is kind
    assert TOKEN not in str(failure.value)


def read_all(port: Port, count: int) -> bytes:
    """Read so many bytes of a port."""
    found = bytearray()

    def enough() -> bool:
        found.extend(port.read(0.1))
        return len(found) >= count

    until(enough)
    return bytes(found)


class StandIn:
    """A board of a few lines: it notes what it hears, and says what it is told to. A context manager.

    ``received``: bytes of all connections. ``echo``: whether it sends them back.
    """

    def __init__(self, echo: bool = False) -> None:
        self.received = b""
        self.echo = echo
        self.connections = 0
        self._server: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._thread.start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                self._server, _ = listener.accept()
                self.connections += 1
                with self._server, suppress(OSError):
                    while data := self._server.recv(65536):
                        self.received += data
                        if self.echo:
                            self._server.sendall(data)
                self._server = None

    @property
    def open(self) -> bool:
        """Whether somebody has the board open."""
        return self._server is not None

    def say(self, data: bytes) -> None:
        until(lambda: self.open)
        self._server.sendall(data)

    def unplug(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._server is not None:
            with suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(LONGEST)

    def plug_in(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", int(self.url.rpartition(":")[2])))
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()


@contextmanager
def serving(
    url: str, *, token: str = TOKEN, port: int = 0, told: list[str] | None = None
) -> Iterator[BoardServer]:
    """A server of the board on ``url``, in a thread. ``told`` gets its messages."""
    stop = threading.Event()
    with BoardServer(url, token, port=port, progress=[].append if told is None else told.append) as server:
        thread = threading.Thread(target=server.serve, args=(stop,))
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            thread.join(LONGEST)
