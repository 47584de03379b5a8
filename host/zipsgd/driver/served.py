"""A connection to a board of another computer, through ``zipsgd serve``."""

import os

from zipsgd.protocol.greeting import (
    DEFAULT_PORT,
    MOST_BYTES,
    SECONDS,
    VERSION,
    Answer,
    GreetingError,
    Hello,
    Verdict,
    Word,
)

from .errors import BoardTaken, NoAccess, NoDevice, WrongDevice
from .lines import receive_line
from .tcp import Tcp

__all__ = ["TOKEN_VARIABLE", "ServedTcp", "token_of_environment"]

TOKEN_VARIABLE = "ZIPSGD_TOKEN"
"""The environment variable that holds the token."""


def token_of_environment() -> str:
    """The token that the environment holds.

    Returns
    -------
    str
        The token, without blanks around it; empty if there is none.
    """
    return os.environ.get(TOKEN_VARIABLE, "").strip()


class ServedTcp(Tcp):
    """A connection to ``tcp://HOST:PORT``, where ``zipsgd serve`` serves a board.

    Parameters
    ----------
    url : str
        A URL of this form. Without a port it is :data:`zipsgd.protocol.greeting.DEFAULT_PORT`.
    write_timeout : float
        Seconds that :meth:`write` may take.
    session : str
        The number of this host, see :class:`zipsgd.protocol.greeting.Answer`.

    Raises
    ------
    ValueError
        ``url`` has no host.
    NoDevice
        Nothing greets there, or the server cannot open the board.
    BoardTaken
        Another host uses the board.
    NoAccess
        There is no token, or it is wrong.
    WrongDevice
        Something else greets, or a server of another version.
    """

    def __init__(self, url: str, write_timeout: float, session: str) -> None:
        token = token_of_environment()
        if not token:
            raise NoAccess(
                f"the server on {url} asks for a token, and there is none: set the environment variable {TOKEN_VARIABLE} to "
                f"the token of 'zipsgd serve'"
            )
        try:
            super().__init__(url, write_timeout, DEFAULT_PORT)
        except OSError as error:
            raise NoDevice(
                f"cannot reach {url}: {error}. Does 'zipsgd serve' run there, and does it listen on this address (--listen)?"
            ) from None
        try:
            self._greet(url, token, session)
        except BaseException:
            self.close()
            raise

    def _greet(self, url: str, token: str, session: str) -> None:
        try:
            hello = Hello.parse(receive_line(self._socket, MOST_BYTES, SECONDS))
            if hello.version != VERSION:
                raise WrongDevice(
                    f"the server on {url} speaks version {hello.version} of the greeting, this host version {VERSION}: use the "
                    f"same version of zipsgd on both computers"
                )
            self._socket.sendall(Answer.of(token, hello, session).line())
            verdict = Verdict.parse(receive_line(self._socket, MOST_BYTES, SECONDS))
        except GreetingError:
            raise WrongDevice(
                f"something else than 'zipsgd serve' answers on {url}: check host and port"
            ) from None
        except OSError as error:
            raise NoDevice(
                f"{url} does not greet as 'zipsgd serve' does ({error}): check host and port, and whether it runs there. The "
                f"port of a virtual board is socket://HOST:PORT"
            ) from None
        self._socket.setblocking(False)
        match verdict.word:
            case Word.DENIED:
                raise NoAccess(
                    f"the server on {url} refuses the token in {TOKEN_VARIABLE}: set it to the token of this 'zipsgd serve'"
                )
            case Word.TAKEN:
                address, _, since = verdict.details.partition(" ")
                raise BoardTaken(
                    f"the board on {url} is taken by {address} since {since}: wait until that host has left, and repeat"
                )
            case Word.AWAY:
                raise NoDevice(f"the server on {url} cannot open its board: {verdict.details}")
