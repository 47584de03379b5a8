"""The host's end of the link: frames in order, exactly once, at the link's full rate."""

import struct
import time
from collections import deque
from dataclasses import dataclass

import serial

from zipsgd.protocol.frames import CREDIT_OVERHEAD, Frame, FrameError, Kind, decode, encode

from .errors import LinkLost, NoDevice, WrongDevice

__all__ = ["Link", "LinkCounts"]

_SYNC_TIMEOUT = 0.5
_SYNC_TRIES = 4
_RESEND_AFTER = 1.2
"""Seconds without progress after which everything unacknowledged is sent again."""
_TRIES = 3
_ANSWER_TIMEOUT = 4.5
_SMALLEST_BUFFER = 1024
"""Bytes that every build's receive buffer has; enough until the build is known."""


@dataclass
class LinkCounts:
    """What went over the link since it was opened: bytes on the wire, sample bytes among them, frames sent again."""

    sent: int = 0
    samples: int = 0
    received: int = 0
    resent: int = 0


@dataclass
class _Sent:
    sequence: int
    data: bytes
    cost: int


class Link:
    """A synchronised link to a device.

    Frames are sent while the device's receive buffer has room for them, without waiting for an answer. What is not
    acknowledged is kept, and sent again from the first missing frame on when nothing moves for a while (go-back-N).

    Parameters
    ----------
    url : a serial port or any URL of :func:`serial.serial_for_url`.
    baud : rate of a serial port.

    Raises
    ------
    NoDevice
        The port cannot be opened, or nothing answers.
    WrongDevice
        Something else answers.
    """

    def __init__(self, url: str, baud: int = 3_000_000) -> None:
        self.url = url
        self.counts = LinkCounts()
        self.buffer_bytes = _SMALLEST_BUFFER
        try:
            self._port = serial.serial_for_url(url, baudrate=baud, timeout=0.05, write_timeout=2.0)
        except (serial.SerialException, OSError, ValueError) as error:
            raise NoDevice(
                f"cannot open {url}: {error}. Is the board plugged in, the name right, and the port yours to use (on Linux: "
                f"group dialout)? 'zipsgd doctor' looks for boards"
            ) from None
        self._input = bytearray()
        self._window: deque[_Sent] = deque()
        self._answers: dict[int, bytes] = {}
        self._sequence = 0
        self._used = 0  # bytes of receive buffer sent into, less those freed
        self._freed = 0
        try:
            self._synchronise()
        except BaseException:
            self._port.close()
            raise

    def _synchronise(self) -> None:
        heard = 0
        for attempt in range(_SYNC_TRIES):
            start = 0x40 + attempt * 0x11  # not the number of a stale acknowledgement
            self._write(b"\0\0" + encode(Frame(Kind.SYNC, start)))
            end = time.monotonic() + _SYNC_TIMEOUT
            while time.monotonic() < end:
                heard += self._read()
                for frame in self._frames():
                    if (
                        frame.kind == Kind.ACK
                        and frame.sequence == (start + 1) % 256
                        and len(frame.payload) == 2
                    ):
                        self._sequence = frame.sequence
                        return
        if heard:
            raise WrongDevice(
                f"what answers on {self.url} does not speak zipsgd's protocol ({heard} bytes came, none of them a valid "
                f"answer): another device's port, another baud rate, or a bitstream of something else"
            )
        raise NoDevice(
            f"nothing answers on {self.url}: is the bitstream loaded ('zipsgd build --board ...', then program it) and the "
            f"baud rate that of the build?"
        )

    # Port

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from None
        self.counts.sent += len(data)

    def _read(self) -> int:
        """Take what there is, waiting a moment for the first byte; how many bytes came."""
        try:
            data = self._port.read(1)
            while data and (waiting := self._port.in_waiting):
                more = self._port.read(waiting)
                if not more:
                    break
                data += more
                if len(data) > 4096:
                    break
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: a port closed under a read
            raise self._lost(error) from None
        self._input += data
        self.counts.received += len(data)
        return len(data)

    def _lost(self, error: Exception | str) -> LinkLost:
        return LinkLost(
            f"lost the board on {self.url}: {error}. Nothing on the host is lost; plug it in or start it again and repeat"
        )

    def _frames(self) -> list[Frame]:
        *coded, rest = self._input.split(b"\0")
        self._input = bytearray(rest)
        frames = []
        for data in coded:
            try:
                frames.append(decode(bytes(data)))
            except FrameError:
                continue  # the device says again what still holds when it is asked again
        return frames

    # Window

    def _take_in(self) -> bool:
        """Read and act on frames; whether anything moved."""
        if not self._read():
            return False
        moved = False
        for frame in self._frames():
            if frame.kind == Kind.ACK and len(frame.payload) == 2:
                ahead = (
                    frame.sequence - (self._window[0].sequence if self._window else self._sequence)
                ) % 256
                if ahead > len(self._window):
                    continue  # stale
                for _ in range(ahead):
                    self._window.popleft()
                    moved = True
                (freed,) = struct.unpack("<H", frame.payload)
                fresh = (freed - self._freed) % 65536
                if 0 < fresh <= self._used:
                    self._freed = freed
                    self._used -= fresh
                    moved = True
            elif frame.kind == Kind.DATA:
                self._answers[frame.sequence] = frame.payload
                moved = True
        return moved

    def _wait(self, progress_until: float, tries: int) -> tuple[float, int]:
        """One look at the port; resends or gives up when nothing moves. Returns the new deadline and tries left."""
        if self._take_in():
            return time.monotonic() + _RESEND_AFTER, _TRIES
        if time.monotonic() < progress_until:
            return progress_until, tries
        if tries == 0:
            raise self._lost("it no longer acknowledges")
        if self._window:
            self.counts.resent += len(self._window)
            self._write(b"\0" + b"".join(item.data for item in self._window))
        return time.monotonic() + _RESEND_AFTER, tries - 1

    def send(self, kind: Kind, payload: bytes = b"") -> int:
        """Send one frame as soon as the device has room for it; its sequence number."""
        cost = CREDIT_OVERHEAD + len(payload)
        deadline, tries = time.monotonic() + _RESEND_AFTER, _TRIES
        while self._used + cost > self.buffer_bytes or len(self._window) >= 64:
            deadline, tries = self._wait(deadline, tries)
        sequence = self._sequence
        data = encode(Frame(kind, sequence, payload))
        self._sequence = (sequence + 1) % 256
        self._window.append(_Sent(sequence, data, cost))
        self._used += cost
        if kind == Kind.SAMPLES:
            self.counts.samples += len(payload)
        self._write(data)
        return sequence

    def ask(self, kind: Kind, payload: bytes) -> bytes:
        """Send a READ or FENCE and wait for its answer."""
        for _ in range(2):
            sequence = self.send(kind, payload)
            self._answers.pop(sequence, None)
            end = time.monotonic() + _ANSWER_TIMEOUT / 2
            deadline, tries = time.monotonic() + _RESEND_AFTER, _TRIES
            while time.monotonic() < end:
                if sequence in self._answers:
                    return self._answers.pop(sequence)
                deadline, tries = self._wait(deadline, tries)
        raise self._lost("no answer came to a read")

    def close(self) -> None:
        self._port.close()
