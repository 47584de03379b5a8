"""Fault injection: a bad line between a host and a virtual board."""

import random
import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

__all__ = ["FaultyLink"]


def _shut(end: socket.socket) -> None:
    """Wake who waits for it."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class FaultyLink:
    """Passes frames between one host and a board's TCP port, and loses or damages some. A context manager.

    Parameters
    ----------
    url : of the board, ``socket://HOST:PORT``.
    lose, damage : probabilities for each frame, either way.
    seed : of the faults.

    Attributes
    ----------
    url : what the host opens. lost, damaged : frames so far.
    """

    def __init__(self, url: str, *, lose: float = 0.0, damage: float = 0.0, seed: int = 0) -> None:
        self._lose, self._damage = lose, damage
        self.lost = self.damaged = 0
        parts = urlsplit(url)
        self._board = socket.create_connection((parts.hostname, parts.port), timeout=5)
        self._board.settimeout(None)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._host: socket.socket | None = None
        self._seed = seed
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        try:
            self._host, _ = self._listener.accept()
        except OSError:  # closed before a host came
            return
        back = threading.Thread(target=self._pass, args=(self._board, self._host, 1), daemon=True)
        self._threads.append(back)
        back.start()
        self._pass(self._host, self._board, 0)

    def _pass(self, source: socket.socket, sink: socket.socket, direction: int) -> None:
        rng = random.Random(2 * self._seed + direction)
        line = b""
        try:
            while data := source.recv(4096):
                *frames, line = (line + data).split(b"\0")
                for frame in frames:
                    sink.sendall(self._fate(frame, rng) + b"\0")
        except OSError:
            pass  # one end has gone
        for end in (source, sink):
            _shut(end)

    def _fate(self, frame: bytes, rng: random.Random) -> bytes:
        fate = rng.random()
        if not frame or fate >= self._lose + self._damage:
            return frame
        if fate < self._lose:
            self.lost += 1
            return b""
        self.damaged += 1
        place = rng.randrange(len(frame))
        return frame[:place] + bytes([frame[place] ^ 1 << rng.randrange(8)]) + frame[place + 1 :]

    def close(self) -> None:
        for end in (self._listener, self._host, self._board):
            if end is not None:
                _shut(end)
                end.close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> "FaultyLink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
