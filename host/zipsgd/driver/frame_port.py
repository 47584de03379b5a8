"""Frames over a port that may disappear and come back."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from zipsgd.protocol.frames import Frame, FrameError, Kind

from .coding import decode, encode
from .errors import NoDevice
from .port import Port, PortGone

__all__ = ["POLL_SECONDS", "FramePort", "LinkCounts"]

POLL_SECONDS = 0.005
"""Longest wait for a byte, and time between two attempts to open a port."""


@dataclass
class LinkCounts:
    """Traffic on the link since it was opened.

    Parameters
    ----------
    sent : int
        Bytes sent on the wire.
    samples : int
        Sample bytes among them.
    received : int
        Bytes received.
    resent : int
        Frames that were sent again.
    """

    sent: int = 0
    samples: int = 0
    received: int = 0
    resent: int = 0


class FramePort:
    """A port that sends and receives frames.

    Parameters
    ----------
    url : str
        A serial port or any URL of :func:`serial.serial_for_url`.
    baud : int
        Baud rate of a serial port.
    progress : Callable[[str], None]
        Called with a message when the port disappears.

    Attributes
    ----------
    counts : LinkCounts
        Traffic since the port was opened.
    error : str | None
        Why the port has disappeared; None while it is there.

    Raises
    ------
    NoDevice
        The port cannot be opened or is in use.
    """

    def __init__(self, url: str, baud: int, progress: Callable[[str], None]) -> None:
        self.url = url
        self.counts = LinkCounts()
        self.error: str | None = None
        self._progress = progress
        self._input = bytearray()
        self._port = Port(url, baud)

    def restart(self) -> None:
        """Drop the input that is not yet a whole frame, and forget an earlier error."""
        self._input.clear()
        self.error = None

    def write(self, data: bytes) -> None:
        """Send bytes. They are lost while the port is away.

        Parameters
        ----------
        data : bytes
            Encoded frames.
        """
        if self.error is None:
            try:
                self._port.write(data)
                self.counts.sent += len(data)
            except PortGone as error:
                self.report_gone(error)

    def send_sync(self, number: int) -> None:
        """Send SYNC, after zeros that end whatever the device was receiving.

        Parameters
        ----------
        number : int
            Sequence number of the frame.

        Raises
        ------
        PortGone
            The port has disappeared.
        """
        self._port.write(b"\0\0" + encode(Frame(Kind.SYNC, number)))

    def receive(self, seconds: float) -> list[Frame]:
        """Wait a short time for bytes, and decode the frames that are complete.

        Damaged frames are dropped: if their content still matters, the host asks for it again.

        Parameters
        ----------
        seconds : float
            Longest wait; at most :data:`POLL_SECONDS` are used.

        Returns
        -------
        list[Frame]
            Valid frames in their order.

        Raises
        ------
        PortGone
            The port has disappeared.
        """
        data = self._port.read(min(seconds, POLL_SECONDS))
        self.counts.received += len(data)
        self._input += data
        *coded, rest = self._input.split(b"\0")
        self._input = bytearray(rest)
        frames = []
        for encoded in coded:
            try:
                frames.append(decode(bytes(encoded)))
            except FrameError:
                continue
        return frames

    def report_gone(self, error: PortGone) -> None:
        """Note that the port has disappeared, and report it as progress.

        Parameters
        ----------
        error : PortGone
            The reason.
        """
        self.error = str(error)
        self._progress(f"{self.url} went away ({error}); waiting for it to come back")

    def reopen(self) -> None:
        """Try once to open the port again. Bytes that were on the line are lost.

        Raises
        ------
        NoDevice
            The port cannot be opened.
        """
        self._port.open()
        self.restart()

    def wait_until_open(self, patience: float) -> None:
        """Wait for a port that has disappeared to come back, and open it.

        Parameters
        ----------
        patience : float
            Longest wait in seconds.

        Raises
        ------
        NoDevice
            The port did not come back in time.
        """
        end = time.monotonic() + patience
        while True:
            try:
                return self._port.open()
            except NoDevice:
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Close the port."""
        self._port.close()
