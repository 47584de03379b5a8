"""Ports that accept no more bytes, have no file descriptor, or end."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from zipsgd.driver.port import Port, PortGone
from zipsgd.driver.tcp import Tcp

MORE_THAN_BUFFERS_HOLD = bytes(64 << 20)
LONGEST = 60.0
"""Seconds after which something hangs, on a busy machine as well."""


@contextmanager
def connected() -> Iterator[tuple[Port, socket.socket]]:
    """A port on TCP, and the other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = Port(f"socket://127.0.0.1:{listener.getsockname()[1]}", 3_000_000)
        other, _ = listener.accept()
        with other:
            yield port, other
        port.close()


def test_bytes_that_the_other_end_does_not_accept_are_lost() -> None:
    with connected() as (port, other):
        begun = time.monotonic()
        port.write(MORE_THAN_BUFFERS_HOLD)
        assert 0.5 < time.monotonic() - begun < LONGEST
        other.setblocking(False)
        received = 0
        with suppress(BlockingIOError):
            while data := other.recv(1 << 20):
                received += len(data)
        assert 0 < received < len(MORE_THAN_BUFFERS_HOLD)


def test_the_time_that_a_write_may_take() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tcp = Tcp(f"socket://127.0.0.1:{listener.getsockname()[1]}", 0.05)
        with pytest.raises(TimeoutError, match="the other end accepts no more bytes"):
            tcp.write(MORE_THAN_BUFFERS_HOLD)
        tcp.close()


def test_a_port_without_a_file_descriptor_is_polled() -> None:
    """As on Windows; here pyserial's loop port, which returns what is sent."""
    port = Port("loop://", 3_000_000)
    port.write(b"some bytes")
    assert port.read(1) == b"some bytes"
    begun = time.monotonic()
    assert port.read(0.05) == b""
    assert 0.05 <= time.monotonic() - begun < LONGEST
    port.close()


def test_a_port_that_ends() -> None:
    with connected() as (port, other):
        other.close()
        with pytest.raises(PortGone, match="closed the connection"):
            port.read(1)
        port.write(b"anyone?")  # is answered by a reset
        time.sleep(0.1)
        with pytest.raises(PortGone):
            port.write(b"anyone?")
