"""Fault injection: a bad line between a host and a virtual board."""

import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

from .faults import Fault, Faults, Line

__all__ = ["FaultyLink"]


class _Way:
    """One direction: its faults, the bytes that it still has to pass on, and the time until which it is stopped."""

    def __init__(self, faults: Faults, name: str) -> None:
        self.line = Line(faults, name)
        self.clear()

    def clear(self) -> None:
        self.parts: Iterator[tuple[bytes, float | None]] = iter(())
        self.held_until = 0.0


class FaultyLink:
    """A bad line between a host and a board's TCP port. A context manager.

    Like a board, it serves one host at a time; the next one may connect when a host has left or was disconnected. Bytes that
    the board sends in between are lost. If the board goes away, the host's connection is closed; the board is looked for
    again when a host connects.

    Parameters
    ----------
    url : str
        URL of the board, ``socket://HOST:PORT``.
    faults : Faults
        Rates of the line's faults.

    Attributes
    ----------
    url : str
        The URL that the host opens.
    faults : Faults
        Rates of the line's faults.
    """

    def __init__(self, url: str, faults: Faults) -> None:
        self.faults = faults
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._to_board, self._to_host = (_Way(faults, name) for name in ("to the board", "to the host"))
        self._host: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._away_until = 0.0
        self._board: socket.socket | None = self._connect()
        # Bound but not listening: it keeps the port from other programs while no host can connect.
        self._holder = self._bound(0)
        self._port = self._holder.getsockname()[1]
        self.url = f"socket://127.0.0.1:{self._port}"
        self._listen()
        self._wake, self._awake = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def hits(self) -> Counter[Fault]:
        """Faults so far, in both directions together."""
        return self._to_board.line.hits + self._to_host.line.hits

    # Ends

    def _connect(self) -> socket.socket:
        board = socket.create_connection(self._address, timeout=5)
        board.settimeout(None)
        board.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return board

    def _bound(self, port: int) -> socket.socket:
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end.bind(("127.0.0.1", port))
        return end

    def _listen(self) -> None:
        self._listener = self._bound(self._port)
        self._listener.listen()

    def _drop_host(self) -> None:
        if self._host is not None:
            self._host.close()
            self._host = None
        self._to_board.clear()
        self._to_host.clear()

    def _drop_board(self) -> None:
        if self._board is not None:
            self._board.close()
            self._board = None

    def _disconnect(self, seconds: float) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._drop_host()
        if self.faults.reopen:
            self._drop_board()
            with suppress(OSError):
                self._board = self._connect()
        self._away_until = time.monotonic() + seconds

    def _accept(self) -> None:
        assert self._listener is not None
        fresh, _ = self._listener.accept()
        if self._board is None:
            with suppress(OSError):
                self._board = self._connect()
        if self._host is not None or self._board is None:
            fresh.close()
            return
        fresh.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = fresh

    # Bytes

    def _serve(self) -> None:
        while True:
            now = time.monotonic()
            if self._listener is None and now >= self._away_until:
                self._listen()
            held = [way for way in (self._to_board, self._to_host) if way.held_until > now]
            waits = [way.held_until - now for way in held]
            if self._listener is None:
                waits.append(self._away_until - now)
            ends = [self._awake, self._listener]
            if self._to_board not in held:
                ends.append(self._host)
            if self._to_host not in held:
                ends.append(self._board)
            ready = select.select([end for end in ends if end], [], [], min(waits, default=None))[0]
            if self._awake in ready:
                return
            for way in held:
                if way.held_until <= time.monotonic():
                    self._pass_on(way)
            if self._host in ready:
                self._take(self._to_board)
            if self._board in ready:
                self._take(self._to_host)
            if self._listener in ready:
                self._accept()

    def _take(self, way: _Way) -> None:
        """Read what has arrived, and pass it on."""
        source = self._host if way is self._to_board else self._board
        if source is None:  # it has gone in the meantime
            return
        data = b""
        with suppress(OSError):
            data = source.recv(4096)
        if not data:
            self._drop_host()
            if way is self._to_host:
                self._drop_board()
        elif self._host is not None:
            way.parts = way.line.spoil(data)
            self._pass_on(way)

    def _pass_on(self, way: _Way) -> None:
        """Pass on as much as there is, up to where the line stops."""
        for data, seconds in way.parts:
            sink = self._board if way is self._to_board else self._host
            if sink is not None:
                with suppress(OSError):  # a closed connection is noticed on reading
                    sink.sendall(data)
            if seconds is None:
                self._disconnect(way.line.absence())
                return
            if seconds:
                way.held_until = time.monotonic() + seconds
                return

    def close(self) -> None:
        """Close all connections and stop serving."""
        self._wake.close()
        self._thread.join()
        for end in (self._awake, self._holder, self._listener, self._host, self._board):
            if end is not None:
                end.close()

    def __enter__(self) -> "FaultyLink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
