"""Bytes between a connection and a port, both ways, until one of them ends."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from .port import Port, PortGone

__all__ = ["Relay", "drain", "keep_alive", "shut"]

_MOST_BYTES = 1024
"""Most bytes of one write, which may take a second: few enough for 10,240 baud."""
_LOOK_SECONDS = 0.1
"""Time between two looks whether a connection has ended, while the port is silent."""
_SILENCE_SECONDS, _LONGEST_DRAIN = 0.02, 1.0
_ALIVE_OPTIONS = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}
"""Options of TCP, where the system has them: a computer that is gone without a word is noticed after 25 seconds."""


def keep_alive(connection: socket.socket) -> None:
    """Have the system end a connection whose other end is gone without a word, and send small frames at once.

    Parameters
    ----------
    connection : socket.socket
        The connection.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in _ALIVE_OPTIONS.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def shut(connection: socket.socket) -> None:
    """End a connection, also for a thread that waits for it.

    Parameters
    ----------
    connection : socket.socket
        The connection, which its owner still closes.
    """
    with suppress(OSError):  # the other end has closed it
        connection.shutdown(socket.SHUT_RDWR)


def drain(port: Port) -> None:
    """Drop what a port still says, until it is silent, or for a second at most.

    Parameters
    ----------
    port : Port
        The port.

    Raises
    ------
    PortGone
        The port has disappeared.
    """
    end = time.monotonic() + _LONGEST_DRAIN
    while port.read(_SILENCE_SECONDS) and time.monotonic() < end:
        pass


class Relay:
    """Carries bytes between a connection and a port, with a thread for each way.

    Parameters
    ----------
    connection : socket.socket
        The connection, without a time-out.
    port : Port
        The port.

    Attributes
    ----------
    to_port, from_port : int
        Bytes that were carried.
    error : PortGone, OSError or None
        Why it ended; None if the other end closed the connection.
    """

    def __init__(self, connection: socket.socket, port: Port) -> None:
        self.to_port = self.from_port = 0
        self.error: PortGone | OSError | None = None
        self._connection = connection
        self._port = port
        self._ended = threading.Event()

    def run(self) -> None:
        """Carry bytes until the connection or the port ends. Afterwards, no thread uses them."""
        back = threading.Thread(target=self._until_end, args=(self._carry_from_port,), daemon=True)
        back.start()
        self._until_end(self._carry_to_port)
        back.join()

    def _until_end(self, carry: Callable[[], None]) -> None:
        """Carry bytes one way. Its end is that of the other way, too."""
        try:
            carry()
        except (PortGone, OSError) as error:
            if not self._ended.is_set():
                self.error = error
        finally:
            self._ended.set()
            shut(self._connection)

    def _carry_to_port(self) -> None:
        while data := self._connection.recv(_MOST_BYTES):
            self._port.write(data)
            self.to_port += len(data)

    def _carry_from_port(self) -> None:
        while not self._ended.is_set():
            if data := self._port.read(_LOOK_SECONDS):
                self._connection.sendall(data)
                self.from_port += len(data)
