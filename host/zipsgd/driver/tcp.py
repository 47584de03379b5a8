"""A TCP connection with what :class:`.Port` needs of a serial port, which opens and closes at once.

pyserial has one too, but rests for 0.3 s whenever it closes it.
"""

import select
import socket
import time
from urllib.parse import urlsplit

__all__ = ["Tcp"]

_CONNECT_TIMEOUT = 5.0


class Tcp:
    """A connection to ``socket://HOST:PORT``.

    Parameters
    ----------
    url : of that form. write_timeout : seconds that :meth:`write` may take.

    Raises
    ------
    ValueError
        ``url`` names no host or port.
    OSError
        Nothing listens there.
    """

    def __init__(self, url: str, write_timeout: float) -> None:
        parts = urlsplit(url)
        if not parts.hostname or parts.port is None:
            raise ValueError(f"{url} is not of the form socket://HOST:PORT")
        self._write_timeout = write_timeout
        self._socket = socket.create_connection((parts.hostname, parts.port), _CONNECT_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small frames wait for no others
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self, most: int) -> bytes:
        """What has come, up to ``most`` bytes. Raises OSError when the connection has ended."""
        try:
            data = self._socket.recv(most)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError("the other end closed the connection")
        return data

    def write(self, data: bytes) -> None:
        """Send it all. Raises TimeoutError where that takes too long, OSError when the connection has ended."""
        left = memoryview(data)
        end = time.monotonic() + self._write_timeout
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                if (seconds := end - time.monotonic()) <= 0:
                    raise TimeoutError("the other end takes no more bytes") from None
                select.select([], [self._socket], [], seconds)

    def close(self) -> None:
        self._socket.close()
