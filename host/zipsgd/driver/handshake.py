"""The handshake at the beginning of a link: SYNC until the device answers."""

import random
import time
from collections.abc import Callable

from zipsgd.protocol.frames import Frame, Kind

from .errors import NoDevice, WrongDevice
from .frame_port import FramePort
from .port import PortGone

__all__ = ["synchronise"]

_SYNC_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 0.8)
"""Seconds to wait for the answer to each SYNC."""
_CLOSINGS = 3
"""How often a port may close while a SYNC waits for its answer."""


def synchronise(port: FramePort, restart: Callable[[int], None], patience: float) -> None:
    """Send SYNC under different numbers until the device answers one of them.

    Parameters
    ----------
    port : FramePort
        The port of the device.
    restart : Callable[[int], None]
        Called before each SYNC with the number of the frame that will follow it.
    patience : float
        Seconds to wait for a port that has disappeared.

    Raises
    ------
    NoDevice
        Nothing answers, or the port does not come back.
    WrongDevice
        Something else answers.
    """
    before = port.counts.received
    closings = 0
    first = random.randrange(256)  # the answer to a SYNC of another attempt then has another number
    for attempt, wait in enumerate(_SYNC_WAITS):
        number = (first + 17 * attempt) % 256
        following = (number + 1) % 256
        restart(following)
        answer = Frame(Kind.ACK, following, bytes((0, 0, number)))
        end = time.monotonic() + wait
        try:
            port.send_sync(number)
            while (now := time.monotonic()) < end:
                if answer in port.receive(end - now):
                    return
        except PortGone:
            closings += 1
            if closings == _CLOSINGS and port.counts.received == before:
                raise NoDevice(
                    f"{port.url} was closed as soon as it was opened: a virtual board serves one host at a time, so end the "
                    f"other one first; or something else listens there"
                ) from None
            port.wait_until_open(patience)
    if heard := port.counts.received - before:
        raise WrongDevice(
            f"the device on {port.url} does not speak zipsgd's protocol ({heard} bytes came, none of them a valid answer): "
            f"check the port (that of 'zipsgd serve' is tcp://HOST:PORT), the baud rate, and whether the bitstream is one of "
            f"zipsgd"
        )
    raise NoDevice(
        f"nothing answers on {port.url}: is the bitstream loaded ('zipsgd build --board ...', then program it), and is the "
        f"baud rate that of the build?"
    )
