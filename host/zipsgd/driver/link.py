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
_GIVE_UP = 3.5
"""Seconds in which nothing moves, after which the device counts as lost."""
_RESEND = 1.6
"""Seconds in which nothing moves, after which everything unacknowledged is sent again."""
_RESEND_SOON = 0.1
"""The same, where the device has said that it dropped a frame."""
_ASK_AGAIN = 1.7
"""Seconds in which nothing moves, after which the answer to a read counts as lost, and not the device."""
_ASK_SOON = 0.3
"""The same, where the device has said that all is carried out."""
_MOST_FRAMES = 64
"""Frames in the window: numbers are mod 256."""
_MOST_READ = 4096
"""Bytes after which a read stops looking for more."""
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


class Link:
    """A synchronised link to a device.

    Frames are sent while the device's receive buffer has room for them, without waiting for an answer. What is not
    acknowledged is kept, and sent again from the first missing frame on (go-back-N): soon after an ACK that says nothing
    new, since the device answers every frame and has dropped that one; and when nothing moves for a while.

    Parameters
    ----------
    url : a serial port or any URL of :func:`serial.serial_for_url`.
    baud : rate of a serial port.

    Raises
    ------
    NoDevice
        The port cannot be opened or is in use, or nothing answers.
    WrongDevice
        Something else answers.
    """

    def __init__(self, url: str, baud: int = 3_000_000) -> None:
        self.url = url
        self.counts = LinkCounts()
        self.buffer_bytes = _SMALLEST_BUFFER
        try:
            self._port = serial.serial_for_url(
                url, baudrate=baud, timeout=0.05, write_timeout=2.0, exclusive=True
            )
        except (serial.SerialException, OSError, ValueError) as error:
            if "exclusively lock" in str(error):
                raise NoDevice(f"{url} is in use by another program: end that one first") from None
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
        self._moved = 0.0  # when something last did
        self._resend_at = 0.0
        try:
            self._synchronise()
        except BaseException:
            self._port.close()
            raise

    def _synchronise(self) -> None:
        heard = 0
        try:
            for attempt in range(_SYNC_TRIES):
                start = 0x40 + attempt * 0x11
                self._write(b"\0\0" + encode(Frame(Kind.SYNC, start)))
                end = time.monotonic() + _SYNC_TIMEOUT
                while time.monotonic() < end:
                    heard += self._read()
                    for frame in self._frames():
                        if frame == Frame(
                            Kind.ACK, (start + 1) % 256, b"\0\0"
                        ):  # nothing freed yet: not a stale one
                            self._sequence = frame.sequence
                            return
        except LinkLost:
            if not heard:
                raise NoDevice(
                    f"{self.url} was closed as soon as it was opened: a virtual board serves one host at a time, so end the "
                    f"other one first; or something else listens there"
                ) from None
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
        count = 0
        try:
            data = self._port.read(1)
            while data:
                self._input += data
                count += len(data)
                waiting = self._port.in_waiting if count < _MOST_READ else 0
                data = self._port.read(waiting) if waiting else b""
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: a port closed under a read
            if not count:  # what came before is worth a look, and the next read will fail again
                raise self._lost(error) from None
        self.counts.received += count
        return count

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

    def _acknowledged(self, frame: Frame) -> bool:
        """Take in an ACK; whether anything moved."""
        first = self._window[0].sequence if self._window else self._sequence
        ahead = (frame.sequence - first) % 256
        if ahead > len(self._window):
            return False  # stale
        for _ in range(ahead):
            self._window.popleft()
        (freed,) = struct.unpack("<H", frame.payload)
        fresh = (freed - self._freed) % 65536
        if fresh > self._used:
            fresh = 0  # stale
        self._freed = (self._freed + fresh) % 65536
        self._used -= fresh
        if not ahead and not fresh:
            self._resend_at = min(self._resend_at, time.monotonic() + _RESEND_SOON)
            return False
        return True

    def _take_in(self) -> bool:
        """Read and act on frames; whether anything moved."""
        moved = False
        if self._read():
            for frame in self._frames():
                if frame.kind == Kind.ACK and len(frame.payload) == 2:
                    moved |= self._acknowledged(frame)
                elif frame.kind == Kind.DATA:
                    self._answers[frame.sequence] = frame.payload
                    moved = True
        return moved

    def _begin_waiting(self) -> None:
        self._moved = time.monotonic()
        self._resend_at = self._moved + _RESEND

    def _wait(self) -> None:
        """One look at the port; goes back or gives up when nothing moves."""
        if self._take_in():
            self._begin_waiting()
            return
        now = time.monotonic()
        if now > self._moved + _GIVE_UP:
            raise self._lost("it no longer answers")
        if now > self._resend_at and self._window:
            self.counts.resent += len(self._window)
            self._write(b"\0" + b"".join(item.data for item in self._window))
            self._resend_at = now + _RESEND

    def send(self, kind: Kind, payload: bytes = b"") -> int:
        """Send one frame as soon as the device has room for it; its sequence number."""
        cost = CREDIT_OVERHEAD + len(payload)
        self._begin_waiting()
        while self._used + cost > self.buffer_bytes or len(self._window) >= _MOST_FRAMES:
            self._wait()
        sequence = self._sequence
        data = encode(Frame(kind, sequence, payload))
        self._sequence = (sequence + 1) % 256
        self._window.append(_Sent(sequence, data))
        self._used += cost
        if kind == Kind.SAMPLES:
            self.counts.samples += len(payload)
        self._write(data)
        return sequence

    def ask(self, kind: Kind, payload: bytes) -> bytes:
        """Send a READ or FENCE and wait for its answer; ask again where that is lost."""
        asked, silent_since = time.monotonic(), None
        while True:
            sequence = self.send(kind, payload)
            self._answers.pop(sequence, None)  # of 256 frames ago
            self._begin_waiting()
            if silent_since is not None:  # a silence is as long as it is
                self._moved = silent_since
            # What has been carried out has been answered; if that is not known, its ACK may be lost as well.
            while self._window or time.monotonic() < self._moved + (_ASK_AGAIN if self._used else _ASK_SOON):
                if sequence in self._answers:
                    return self._answers.pop(sequence)
                self._wait()
            silent_since = self._moved
            if time.monotonic() > asked + _GIVE_UP:
                raise self._lost("no answer came to a read")

    def close(self) -> None:
        self._port.close()
