"""The byte stream to a device: a serial port or a socket, which may disappear and come back."""

import select
import time
from typing import Any

import serial

from zipsgd.protocol.greeting import new_number

from .errors import NoDevice
from .served import ServedTcp
from .tcp import Tcp, check_url, scheme_of

__all__ = ["Port", "PortGone"]

_WRITE_TIMEOUT = 1.0
_MOST_READ = 4096
_NAP = 0.001
"""Seconds between two looks at a port that ``select`` cannot wait for."""


class PortGone(Exception):
    """The port has disappeared. The message says why."""


class Port:
    """An open port.

    Parameters
    ----------
    url : str
        A serial port, any URL of :func:`serial.serial_for_url`, or ``tcp://HOST:PORT`` of ``zipsgd serve``.
    baud : int
        Baud rate of a serial port.

    Raises
    ------
    ValueError
        The URL holds a token.
    NoDevice
        The port cannot be opened or is in use.
    NoAccess, WrongDevice
        The server on ``tcp://HOST:PORT`` does not accept this host, or is none.
    """

    def __init__(self, url: str, baud: int) -> None:
        check_url(url)
        self.url = url
        self._baud = baud
        self._session = new_number()
        self._pipe: Any = None
        self.open()

    def open(self) -> None:
        """Open the port. If it is open, close it first.

        Raises
        ------
        NoDevice
            The port cannot be opened or is in use.
        NoAccess, WrongDevice
            The server on ``tcp://HOST:PORT`` does not accept this host, or is none.
        """
        self.close()
        try:
            match scheme_of(self.url):
                case "socket":
                    self._pipe = Tcp(self.url, _WRITE_TIMEOUT)
                case "tcp":
                    self._pipe = ServedTcp(self.url, _WRITE_TIMEOUT, self._session)
                case _:
                    self._pipe = serial.serial_for_url(
                        self.url, baudrate=self._baud, timeout=0, write_timeout=_WRITE_TIMEOUT, exclusive=True
                    )
        except (serial.SerialException, OSError, ValueError) as error:
            if "exclusively lock" in str(error):
                raise NoDevice(f"{self.url} is in use by another program: end that program first") from None
            raise NoDevice(
                f"cannot open {self.url}: {error}. Is the board plugged in, is the name right, and may you use the port (on "
                f"Linux: group dialout)? 'zipsgd doctor' looks for boards"
            ) from None
        try:
            self._file: int | None = self._pipe.fileno()
        except (OSError, AttributeError):  # there is no file descriptor on Windows or with RFC 2217
            self._file = None

    def write(self, data: bytes) -> None:
        """Send bytes. Bytes that the port does not accept within a second are lost, as they might be on the line.

        Parameters
        ----------
        data : bytes
            The bytes.

        Raises
        ------
        PortGone
            The port has disappeared.
        """
        try:
            self._pipe.write(data)
        except (serial.SerialTimeoutException, TimeoutError):
            pass
        except (serial.SerialException, OSError) as error:
            raise PortGone(str(error)) from None

    def read(self, seconds: float) -> bytes:
        """Read the bytes that have come, or wait for the first ones.

        Parameters
        ----------
        seconds : float
            Longest wait.

        Returns
        -------
        bytes
            At most 4,096 bytes; none if nothing came in time.

        Raises
        ------
        PortGone
            The port has disappeared.
        """
        try:
            if self._file is not None:
                select.select([self._file], [], [], seconds)
                return self._some()
            end = time.monotonic() + seconds
            while not (data := self._some()) and time.monotonic() < end:
                time.sleep(_NAP)
            return data
        # ValueError and TypeError come from a port that was closed in the meantime
        except (serial.SerialException, OSError, ValueError, TypeError) as error:
            raise PortGone(str(error)) from None

    def _some(self) -> bytes:
        data: bytes = self._pipe.read(_MOST_READ)
        return data

    def close(self) -> None:
        """Close the port."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
