"""The greeting between a host and the server of a board, ``zipsgd serve``, on a TCP connection.

Each message is a line of text that ends with a line feed, of at most :data:`MOST_BYTES` bytes in UTF-8:

========  ==============================  ============================================================================
from the  line                            meaning
========  ==============================  ============================================================================
server    ``zipsgd-serve VERSION NONCE``  the version of this greeting, and a random number of this connection
host      ``answer SESSION PROOF``        a random number that the host keeps for all its connections to a board, and
                                          the proof that it knows the token
server    ``welcome``                     from here on, all bytes are those of the board
server    ``denied``                      the proof is wrong; the server closes the connection
server    ``taken ADDRESS SINCE``         another host uses the board; the server closes the connection
server    ``away REASON``                 the server cannot open the board; it closes the connection
========  ==============================  ============================================================================

NONCE, SESSION and PROOF are 64 hexadecimal digits. SINCE is a time in the form of ISO 8601. A proof is the HMAC-SHA256, with
the token in UTF-8 as its key, of the text ``zipsgd-serve VERSION NONCE SESSION``. So the token never crosses the line, and a
proof serves one connection only. Either end closes a connection when a line takes longer than :data:`SECONDS`.

A host that connects again under the SESSION of the connection that has the board takes its place: the earlier one is dead, even
if the server has not seen it end.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "DEFAULT_PORT",
    "MOST_BYTES",
    "SECONDS",
    "VERSION",
    "Answer",
    "GreetingError",
    "Hello",
    "Verdict",
    "Word",
    "new_number",
]

VERSION = 1
"""Version of the greeting. It goes up when hosts and servers of different versions could misunderstand each other."""
DEFAULT_PORT = 9474
"""TCP port of a server unless another one is named."""
MOST_BYTES = 512
"""Most bytes of a line, with its line feed."""
SECONDS = 5.0
"""Longest time that a line may take."""

_NAME = "zipsgd-serve"
_NUMBER = re.compile("[0-9a-f]{64}")


class GreetingError(Exception):
    """A line is none of the greeting."""


def new_number() -> str:
    """A new random number, for a nonce or a session.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return secrets.token_hex(32)


def _words(line: bytes) -> list[str]:
    return line.decode(errors="replace").split()


def _line(*words: str) -> bytes:
    """A line of words. Its end is cut off if it is too long."""
    text = " ".join(" ".join(words).split())
    return text.encode(errors="replace")[: MOST_BYTES - 1] + b"\n"


@dataclass(frozen=True)
class Hello:
    """The first line of a server.

    Parameters
    ----------
    nonce : str
        A number from :func:`new_number`.
    version : int
        Version of the greeting.
    """

    nonce: str
    version: int = VERSION

    def line(self) -> bytes:
        """The line.

        Returns
        -------
        bytes
            With its line feed.
        """
        return _line(_NAME, str(self.version), self.nonce)

    @classmethod
    def parse(cls, line: bytes) -> "Hello":
        """Read the line. What follows the version is only read if the version is this one.

        Parameters
        ----------
        line : bytes
            What the server sent.

        Returns
        -------
        Hello
            The greeting.

        Raises
        ------
        GreetingError
            The line is none of a server.
        """
        match _words(line):
            case [name, version, *rest] if name == _NAME and re.fullmatch("[0-9]{1,9}", version):
                if int(version) != VERSION:
                    return cls("", int(version))
                if len(rest) == 1 and _NUMBER.fullmatch(rest[0]):
                    return cls(rest[0])
        raise GreetingError


@dataclass(frozen=True)
class Answer:
    """The line of a host.

    Parameters
    ----------
    session : str
        A number from :func:`new_number`, the same for all connections of a host to a board.
    proof : str
        The proof that the host knows the token.
    """

    session: str
    proof: str

    @classmethod
    def of(cls, token: str, hello: Hello, session: str) -> "Answer":
        """The answer to a server.

        Parameters
        ----------
        token : str
            The token.
        hello : Hello
            The server's line.
        session : str
            The host's number.

        Returns
        -------
        Answer
            The answer.
        """
        text = f"{_NAME} {hello.version} {hello.nonce} {session}"
        return cls(session, hmac.new(os.fsencode(token), text.encode(), hashlib.sha256).hexdigest())

    def proves(self, token: str, hello: Hello) -> bool:
        """Whether the answer proves that the host knows a token.

        Parameters
        ----------
        token : str
            The token.
        hello : Hello
            The line that was sent to the host.

        Returns
        -------
        bool
            Whether it does. The time that this takes says nothing of the right proof.
        """
        return hmac.compare_digest(self.proof, Answer.of(token, hello, self.session).proof)

    def line(self) -> bytes:
        """The line.

        Returns
        -------
        bytes
            With its line feed.
        """
        return _line("answer", self.session, self.proof)

    @classmethod
    def parse(cls, line: bytes) -> "Answer":
        """Read the line.

        Parameters
        ----------
        line : bytes
            What the host sent.

        Returns
        -------
        Answer
            The answer.

        Raises
        ------
        GreetingError
            The line is none of a host.
        """
        match _words(line):
            case ["answer", session, proof] if _NUMBER.fullmatch(session) and _NUMBER.fullmatch(proof):
                return cls(session, proof)
        raise GreetingError


class Word(StrEnum):
    """What a server says to an answer."""

    WELCOME = "welcome"
    DENIED = "denied"
    TAKEN = "taken"
    AWAY = "away"


@dataclass(frozen=True)
class Verdict:
    """The last line of a server.

    Parameters
    ----------
    word : Word
        What it says.
    details : str
        What stands behind the word, if anything: printable characters only.
    """

    word: Word
    details: str = ""

    def line(self) -> bytes:
        """The line.

        Returns
        -------
        bytes
            With its line feed.
        """
        return _line(self.word, self.details)

    @classmethod
    def parse(cls, line: bytes) -> "Verdict":
        """Read the line.

        Parameters
        ----------
        line : bytes
            What the server sent.

        Returns
        -------
        Verdict
            The verdict.

        Raises
        ------
        GreetingError
            The line is none of a server.
        """
        match _words(line):
            case [word, *details] if word in tuple(Word):
                text = "".join(c for c in " ".join(details) if c.isprintable())
                return cls(Word(word), text)
        raise GreetingError
