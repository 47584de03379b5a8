"""A TCP connection with the interface that :class:`.Port` needs.

Opening and closing it take no time. pyserial has such a connection too, but waits for 0.3 s when it closes it.
"""

import select
import socket
import time
from urllib.parse import urlsplit

__all__ = ["Tcp", "check_url", "scheme_of"]

_CONNECT_TIMEOUT = 5.0


def scheme_of(url: str) -> str:
    """The scheme of a URL.

    Parameters
    ----------
    url : str
        A serial port or a URL.

    Returns
    -------
    str
        What is before the first colon, such as "socket", in small letters.
    """
    return url.partition(":")[0].lower()


def check_url(url: str) -> None:
    """Refuse a URL of a TCP port that holds a token, since URLs are printed, logged and saved. The message does not repeat it.

    Parameters
    ----------
    url : str
        A serial port or a URL.

    Raises
    ------
    ValueError
        The URL has something before the name of the host.
    """
    if scheme_of(url) in ("tcp", "socket") and "@" in url:
        raise ValueError(
            "a URL is printed and saved, so it must not hold a token: write tcp://HOST:PORT, and set the environment variable "
            "ZIPSGD_TOKEN to the token"
        )


class Tcp:
    """A connection to ``socket://HOST:PORT``.

    Parameters
    ----------
    url : str
        A URL of this form; its scheme may be another.
    write_timeout : float
        Seconds that :meth:`write` may take.
    default_port : int or None
        The port if the URL names none; None if it must name one.

    Raises
    ------
    ValueError
        ``url`` has no host or no port.
    OSError
        Nothing listens there.
    """

    def __init__(self, url: str, write_timeout: float, default_port: int | None = None) -> None:
        parts = urlsplit(url)
        port = parts.port or default_port
        if not parts.hostname or port is None:
            raise ValueError(f"{url} is not of the form {parts.scheme}://HOST:PORT")
        self._write_timeout = write_timeout
        self._socket = socket.create_connection((parts.hostname, port), _CONNECT_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # send small frames at once
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """The file descriptor of the connection.

        Returns
        -------
        int
            For ``select``.
        """
        return self._socket.fileno()

    def read(self, most: int) -> bytes:
        """Read the bytes that have come, without waiting.

        Parameters
        ----------
        most : int
            Largest number of bytes.

        Returns
        -------
        bytes
            The bytes; empty if none have come.

        Raises
        ------
        OSError
            The connection has ended.
        """
        try:
            data = self._socket.recv(most)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionResetError("the other end closed the connection")
        return data

    def write(self, data: bytes) -> None:
        """Send all bytes.

        Parameters
        ----------
        data : bytes
            The bytes.

        Raises
        ------
        TimeoutError
            The other end did not accept the bytes in time.
        OSError
            The connection has ended.
        """
        left = memoryview(data)
        end = time.monotonic() + self._write_timeout
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                if (seconds := end - time.monotonic()) <= 0:
                    raise TimeoutError("the other end accepts no more bytes") from None
                select.select([], [self._socket], [], seconds)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
