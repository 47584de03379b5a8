"""The byte pipe to a device: a serial port or a socket, which may go away and come back."""

import select
import time
from typing import Any

import serial

from .errors import NoDevice
from .tcp import Tcp

__all__ = ["Port", "PortGone"]

_WRITE_TIMEOUT = 1.0
_MOST_READ = 4096
_NAP = 0.001
"""Seconds between two looks at a port that nothing can wait for."""


class PortGone(Exception):
    """The port is there no more; the message says why."""


class Port:
    """An open port.

    Parameters
    ----------
    url : a serial port or any URL of :func:`serial.serial_for_url`.
    baud : rate of a serial port.

    Raises
    ------
    NoDevice
        The port cannot be opened or is in use.
    """

    def __init__(self, url: str, baud: int) -> None:
        self.url = url
        self._baud = baud
        self._pipe: Any = None
        self.open()

    def open(self) -> None:
        """Open the port, again if need be. Raises NoDevice."""
        self.close()
        try:
            if self.url.startswith("socket:"):
                self._pipe = Tcp(self.url, _WRITE_TIMEOUT)
            else:
                self._pipe = serial.serial_for_url(
                    self.url, baudrate=self._baud, timeout=0, write_timeout=_WRITE_TIMEOUT, exclusive=True
                )
        except (serial.SerialException, OSError, ValueError) as error:
            if "exclusively lock" in str(error):
                raise NoDevice(f"{self.url} is in use by another program: end that one first") from None
            raise NoDevice(
                f"cannot open {self.url}: {error}. Is the board plugged in, the name right, and the port yours to use (on "
                f"Linux: group dialout)? 'zipsgd doctor' looks for boards"
            ) from None
        try:
            self._file: int | None = self._pipe.fileno()
        except (OSError, AttributeError):  # not on Windows, nor over RFC 2217
            self._file = None

    def write(self, data: bytes) -> None:
        """Send ``data``; what the port does not take for a second is lost, as it might be on the line. Raises PortGone."""
        try:
            self._pipe.write(data)
        except (serial.SerialTimeoutException, TimeoutError):
            pass
        except (serial.SerialException, OSError) as error:
            raise PortGone(str(error)) from None

    def read(self, seconds: float) -> bytes:
        """What has come, or comes first within ``seconds``. Raises PortGone."""
        try:
            if self._file is not None:
                select.select([self._file], [], [], seconds)
                return self._some()
            end = time.monotonic() + seconds
            while not (data := self._some()) and time.monotonic() < end:
                time.sleep(_NAP)
            return data
        except (
            serial.SerialException,
            OSError,
            ValueError,
            TypeError,
        ) as error:  # the latter two: closed meanwhile
            raise PortGone(str(error)) from None

    def _some(self) -> bytes:
        data: bytes = self._pipe.read(_MOST_READ)
        return data

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
