"""Frames that are not acknowledged yet, and the room in the device's receive buffer."""

import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from zipsgd.protocol.frames import CREDIT_OVERHEAD, Frame, Kind

from .coding import encode

__all__ = ["MOST_FRAMES", "Item", "OutOfStep", "Request", "Sent", "Window"]

MOST_FRAMES = 64
"""Largest number of frames on their way.

Sequence numbers are modulo 256. On a line that keeps the order of bytes, the device expects a number between that of the first
of these frames and that of the next frame. So the number of any late copy is within 64 of the expected one, and the copy cannot
be mistaken for a frame 256 numbers later.
"""


class OutOfStep(Exception):
    """An acknowledgement of frames that were never sent: the device was reset, or another host uses it."""


@dataclass(frozen=True)
class Request:
    """A READ or FENCE that needs an answer.

    Parameters
    ----------
    address : int
        Address of the first word.
    count : int
        Number of words.
    found : dict[int, int]
        Receives the words by their addresses.
    """

    address: int
    count: int
    found: dict[int, int]

    @property
    def payload(self) -> bytes:
        """bytes: Payload of the frame."""
        return struct.pack("<II", self.address, self.count)


@dataclass(frozen=True)
class Item:
    """Data to be sent in one or more frames.

    Parameters
    ----------
    kind : Kind
        Kind of the frames.
    payload : bytes | memoryview
        Payload of any length.
    request : Request | None
        The request that the frame makes, if any.
    """

    kind: Kind
    payload: bytes | memoryview
    request: Request | None = None

    def cut(self, most: int) -> tuple["Item", "Item | None"]:
        """Split the item into a first frame and the rest, if its kind can be split.

        Parameters
        ----------
        most : int
            Largest payload of the first frame, in bytes.

        Returns
        -------
        tuple[Item, Item | None]
            The first frame, and the rest; None if there is no rest.
        """
        size = len(self.payload)
        if self.kind == Kind.SAMPLES and size > most:
            return Item(self.kind, self.payload[:most]), Item(self.kind, self.payload[most:])
        if self.kind == Kind.WRITE and size > most:
            words = most // 4 - 1
            (address,) = struct.unpack_from("<I", self.payload)
            end = 4 + 4 * words
            rest = struct.pack("<I", address + words) + self.payload[end:]
            return Item(self.kind, self.payload[:end]), Item(self.kind, rest)
        return self, None


@dataclass(frozen=True)
class Sent:
    """A frame that is not acknowledged yet.

    Parameters
    ----------
    sequence : int
        Sequence number.
    item : Item
        Contents.
    cost : int
        Bytes that the frame takes in the receive buffer.
    at : float
        Time when it was sent, in seconds of the monotonic clock.
    """

    sequence: int
    item: Item
    cost: int
    at: float


class Window:
    """Frames that are sent and not acknowledged, and the occupied bytes of the receive buffer.

    Parameters
    ----------
    buffer_bytes : int
        Size of the device's receive buffer.

    Attributes
    ----------
    next : int
        Sequence number of the next frame.
    buffer_bytes : int
        Size of the device's receive buffer.
    """

    def __init__(self, buffer_bytes: int) -> None:
        self.buffer_bytes = buffer_bytes
        self.restart(0)

    def restart(self, sequence: int) -> None:
        """Begin again after a SYNC, with no frame on its way.

        Parameters
        ----------
        sequence : int
            Sequence number of the next frame.
        """
        self.next = sequence
        self._frames: deque[Sent] = deque()
        self._on_the_way = 0  # bytes that these frames will occupy
        self._stored = 0  # bytes that arrived frames occupy
        self._freed = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def first(self) -> int:
        """int: Sequence number of the first frame that is not acknowledged, or else of the next frame."""
        return (self.next - len(self._frames)) % 256

    @property
    def used(self) -> int:
        """int: Upper bound on the occupied bytes of the receive buffer."""
        return self._on_the_way + self._stored

    def room(self, item: Item) -> bool:
        """Whether the receive buffer has room for an item.

        Parameters
        ----------
        item : Item
            Contents of one frame.

        Returns
        -------
        bool
            Whether the frame may be sent.
        """
        return self.used + CREDIT_OVERHEAD + len(item.payload) <= self.buffer_bytes

    def put(self, item: Item, now: float) -> tuple[Sent, bytes]:
        """Add the next frame.

        Parameters
        ----------
        item : Item
            Contents of the frame.
        now : float
            Time in seconds of the monotonic clock.

        Returns
        -------
        tuple[Sent, bytes]
            The frame, and its bytes on the wire.
        """
        sent = Sent(self.next, item, CREDIT_OVERHEAD + len(item.payload), now)
        self._frames.append(sent)
        self._on_the_way += sent.cost
        self.next = (self.next + 1) % 256
        return sent, encode(Frame(item.kind, sent.sequence, bytes(item.payload)))

    def acknowledge(self, expected: int, freed: int) -> tuple[list[Sent], int]:
        """Process an acknowledgement. If it is impossible, nothing changes.

        Parameters
        ----------
        expected : int
            Sequence number that the device expects next.
        freed : int
            Bytes of the receive buffer freed since SYNC, modulo 65536.

        Returns
        -------
        arrived : list[Sent]
            Frames that have arrived.
        fresh : int
            Bytes freed since the last acknowledgement.

        Raises
        ------
        OutOfStep
            The device acknowledges frames that were never sent.
        """
        count = (expected - self.first) % 256
        if count > len(self._frames):
            raise OutOfStep
        arrived = [self._frames[i] for i in range(count)]
        taken = sum(sent.cost for sent in arrived)
        fresh = (freed - self._freed) % 65536
        if fresh > self._stored + taken:
            raise OutOfStep
        for _ in arrived:
            self._frames.popleft()
        self._on_the_way -= taken
        self._stored += taken - fresh
        self._freed = freed
        return arrived, fresh

    def take_back(self) -> Sequence[Sent]:
        """Remove all frames that are not acknowledged. Their sequence numbers are used again.

        Call this only when no copy of the first of them can still arrive. All others then arrive out of order, and are dropped.

        Returns
        -------
        Sequence[Sent]
            The frames in their order.
        """
        lost = list(self._frames)
        self.next = self.first
        self._frames.clear()
        self._on_the_way = 0
        return lost
