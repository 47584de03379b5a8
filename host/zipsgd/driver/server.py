"""A server that makes the board of this computer reachable for others, one at a time, as ``tcp://HOST:PORT``."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from zipsgd.protocol.greeting import (
    DEFAULT_PORT,
    MOST_BYTES,
    SECONDS,
    Answer,
    GreetingError,
    Hello,
    Verdict,
    Word,
    new_number,
)

from .errors import DeviceError
from .lines import receive_line
from .port import Port, PortGone
from .relay import Relay, drain, keep_alive, shut

__all__ = ["LEAST_TOKEN", "BoardServer"]

LEAST_TOKEN = 16
"""Fewest characters of a token. Who listens on the line could find a shorter one by trying."""
_MOST_CONNECTIONS = 32
"""Most connections at a time, nearly all of which are about to be refused."""
_LOOK_SECONDS = 0.2
"""Time between two looks whether the server is to end."""
_LEAVE_SECONDS = 1.5
"""How long a host waits for the one before to leave."""
_RETURN_SECONDS, _RETRY_SECONDS = 1.0, 0.05
"""How long a host waits for a board that is away, and time between two attempts to open it."""


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port < 1 << 16:
        raise ValueError(f"the TCP port must be in 0..65535, not {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        unknown = isinstance(error, socket.gaierror)
        why = error.strerror if unknown else os.strerror(error.errno or 0)
        raise RuntimeError(
            f"cannot listen on {_joined(host, port)}: {why}; name another place with --listen"
        ) from None
    listener.settimeout(_LOOK_SECONDS)
    return listener


@dataclass(frozen=True, eq=False)
class _Client:
    """A host that knows the token."""

    connection: socket.socket
    address: str
    session: str
    since: str


class BoardServer:
    """Serves a board to one host at a time. A context manager, which is closed after :meth:`serve` has returned.

    The server opens the board's port when it begins, and keeps it open. It does not look into the bytes that it carries. Each
    host first shows that it knows the token, see :mod:`zipsgd.protocol.greeting`. What the board still says to a host that has
    left is dropped before the next one is let in.

    Parameters
    ----------
    url : str
        The board's serial port, or any URL that :class:`.Port` opens.
    token : str
        The token that hosts must know.
    host : str
        Name or address of this computer at which to listen.
    port : int
        TCP port; 0 for any free one.
    baud : int
        Baud rate of a serial port.
    progress : Callable[[str], None]
        Called, from several threads, with a message when a host comes, leaves or is refused.

    Attributes
    ----------
    url : str
        The URL that hosts open.

    Raises
    ------
    ValueError
        The token is too short or has blanks, or there is no such TCP port.
    NoDevice
        The board's port cannot be opened or is in use.
    RuntimeError
        The TCP port is in use, or there is no such address.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        baud: int = 3_000_000,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        if len(token) < LEAST_TOKEN or token.split() != [token]:
            raise ValueError(
                f"the token must have at least {LEAST_TOKEN} characters and no blanks; without one, a good one is made"
            )
        self._token = token
        self._progress = progress
        self._listener = _listening(host, port)
        try:
            self._board = Port(url, baud)
        except BaseException:
            self._listener.close()
            raise
        self._away = False
        self._changed = threading.Condition()
        self._holder: _Client | None = None
        self._connections: dict[socket.socket, threading.Thread] = {}
        name = socket.gethostname() if host in ("0.0.0.0", "::") else host
        self.url = f"tcp://{_joined(name, self._listener.getsockname()[1])}"

    def serve(self, stop: threading.Event) -> None:
        """Serve hosts.

        Parameters
        ----------
        stop : threading.Event
            Is set when the server is to end.
        """
        while not stop.is_set():
            try:
                connection, address = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as error:  # such as too many open files
                self._progress(f"a host could not connect: {error}")
                stop.wait(_LOOK_SECONDS)
                continue
            self._begin(connection, _joined(*address[:2]))

    def _begin(self, connection: socket.socket, address: str) -> None:
        with self._changed:
            if len(self._connections) >= _MOST_CONNECTIONS:
                connection.close()
                return
            thread = threading.Thread(target=self._meet, args=(connection, address), daemon=True)
            thread.start()
            self._connections[connection] = thread

    # One connection, in a thread of its own

    def _meet(self, connection: socket.socket, address: str) -> None:
        """Greet, serve and leave a host."""
        try:
            with connection, suppress(OSError):  # one that has gone needs no answer
                keep_alive(connection)
                session = self._greet(connection, address)
                if session is not None:
                    since = datetime.now().astimezone().isoformat(timespec="seconds")
                    self._serve_client(_Client(connection, address, session, since))
        finally:
            with self._changed:
                del self._connections[connection]

    def _greet(self, connection: socket.socket, address: str) -> str | None:
        """The session of a host that knows the token; None of another one."""
        hello = Hello(new_number())
        connection.settimeout(SECONDS)
        connection.sendall(hello.line())
        try:
            answer = Answer.parse(receive_line(connection, MOST_BYTES, SECONDS))
        except (GreetingError, OSError):
            self._progress(f"{address} was sent away: it does not greet as a zipsgd host does")
            return None
        if not answer.proves(self._token, hello):
            self._refuse(connection, address, Verdict(Word.DENIED), "its token is wrong")
            return None
        return answer.session

    def _refuse(self, connection: socket.socket, address: str, verdict: Verdict, reason: str) -> None:
        self._progress(f"{address} was refused: {reason}")
        connection.sendall(verdict.line())

    def _serve_client(self, client: _Client) -> None:
        """Give a host the board, if it is free and there, until it leaves."""
        holder = self._take(client)
        if holder is not client:
            verdict = Verdict(Word.TAKEN, f"{holder.address} {holder.since}")
            self._refuse(client.connection, client.address, verdict, f"{holder.address} has the board")
            return
        try:
            if reason := self._prepare():
                self._refuse(client.connection, client.address, Verdict(Word.AWAY, reason), reason)
                return
            client.connection.sendall(Verdict(Word.WELCOME).line())
            client.connection.settimeout(None)
            self._progress(f"{client.address} has the board")
            self._relay(client)
        finally:
            with self._changed:
                self._holder = None
                self._changed.notify_all()

    def _take(self, client: _Client) -> _Client:
        """Let a host have the board, as soon as the one before has left; which one has it."""
        with self._changed:
            if self._holder is not None and self._holder.session == client.session:
                self._progress(f"{client.address} takes the place of its earlier connection")
                shut(self._holder.connection)
            self._changed.wait_for(lambda: self._holder is None, _LEAVE_SECONDS)
            if self._holder is None:
                self._holder = client
            return self._holder

    def _prepare(self) -> str:
        """Have the board open and silent; what stands against it."""
        end = time.monotonic() + _RETURN_SECONDS
        while True:
            try:
                if self._away:
                    self._board.open()
                    self._away = False
                drain(self._board)
                return ""
            except (DeviceError, PortGone) as error:
                self._away = True
                if time.monotonic() > end:
                    return str(error)
                time.sleep(_RETRY_SECONDS)

    def _relay(self, client: _Client) -> None:
        begun = time.monotonic()
        relay = Relay(client.connection, self._board)
        relay.run()
        if isinstance(relay.error, PortGone):
            self._away = True
            self._progress(f"the board went away: {relay.error}")
        lost = f" ({relay.error.strerror})" if isinstance(relay.error, OSError) else ""
        self._progress(
            f"{client.address} left{lost} after {time.monotonic() - begun:,.0f} s; {relay.to_port:,} bytes to the board, "
            f"{relay.from_port:,} from it"
        )

    # The end

    def close(self) -> None:
        """End all connections, and close the board's port."""
        self._listener.close()
        with self._changed:
            threads = list(self._connections.values())
            for connection in self._connections:
                shut(connection)
        for thread in threads:
            thread.join()
        self._board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
