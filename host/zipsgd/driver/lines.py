"""Lines of text on a socket, before the bytes of a board follow them."""

import socket
import time

__all__ = ["receive_line"]


def receive_line(connection: socket.socket, most: int, seconds: float) -> bytes:
    """Receive a line, and no byte after it.

    Parameters
    ----------
    connection : socket.socket
        The socket, whose time-out is changed.
    most : int
        Most bytes of the line.
    seconds : float
        Longest time that all of it may take.

    Returns
    -------
    bytes
        The line with its line feed, or the first ``most`` bytes of a longer one.

    Raises
    ------
    TimeoutError
        The line did not come in time.
    OSError
        The connection has ended.
    """
    end = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n") and len(line) < most:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing came in time")
        connection.settimeout(left)
        byte = connection.recv(1)
        if not byte:
            raise ConnectionResetError("the other end closed the connection")
        line += byte
    return line
