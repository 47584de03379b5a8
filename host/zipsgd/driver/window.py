"""What is on its way to the device, and the room in the device's receive buffer."""

import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from zipsgd.protocol.frames import CREDIT_OVERHEAD, Frame, Kind

from .coding import encode

__all__ = ["MOST_FRAMES", "Item", "OutOfStep", "Request", "Sent", "Window"]

MOST_FRAMES = 64
"""Frames on their way at a time.

Numbers are mod 256, and on a line that keeps the order of bytes the number that the device expects lies between that of the
first of these and that of the next frame. So any copy of a frame that still comes has a number within 64 of the expected one,
and cannot be taken for one 256 later.
"""


class OutOfStep(Exception):
    """An acknowledgement of what was never sent: the device was reset, or listens to someone else."""


@dataclass(frozen=True)
class Request:
    """A READ or FENCE that wants an answer: ``found`` gets the words by their addresses."""

    address: int
    count: int
    found: dict[int, int]

    @property
    def payload(self) -> bytes:
        return struct.pack("<II", self.address, self.count)


@dataclass(frozen=True)
class Item:
    """What is to be sent in one or more frames."""

    kind: Kind
    payload: bytes | memoryview
    request: Request | None = None

    def cut(self, most: int) -> tuple["Item", "Item | None"]:
        """A first piece of at most ``most`` bytes of payload, where the kind can be cut, and what is left."""
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
    """A frame on its way. ``cost``: bytes of the receive buffer; ``at``: when it was sent."""

    sequence: int
    item: Item
    cost: int
    at: float


class Window:
    """Frames sent and not acknowledged, and bytes of the receive buffer in use.

    Attributes
    ----------
    next : number of the next frame. buffer_bytes : of the device's receive buffer.
    """

    def __init__(self, buffer_bytes: int) -> None:
        self.buffer_bytes = buffer_bytes
        self.restart(0)

    def restart(self, sequence: int) -> None:
        """After a SYNC: nothing is on its way, and the next frame has the number ``sequence``."""
        self.next = sequence
        self._frames: deque[Sent] = deque()
        self._on_the_way = 0  # bytes that these frames will take
        self._stored = 0  # bytes taken and not freed
        self._freed = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def first(self) -> int:
        """Number of the first frame that is not acknowledged, or of the next one to come."""
        return (self.next - len(self._frames)) % 256

    @property
    def used(self) -> int:
        """Bytes of the receive buffer in use, at most."""
        return self._on_the_way + self._stored

    def room(self, item: Item) -> bool:
        return self.used + CREDIT_OVERHEAD + len(item.payload) <= self.buffer_bytes

    def put(self, item: Item, now: float) -> tuple[Sent, bytes]:
        """The next frame, and its bytes on the wire."""
        sent = Sent(self.next, item, CREDIT_OVERHEAD + len(item.payload), now)
        self._frames.append(sent)
        self._on_the_way += sent.cost
        self.next = (self.next + 1) % 256
        return sent, encode(Frame(item.kind, sent.sequence, bytes(item.payload)))

    def acknowledge(self, expected: int, freed: int) -> tuple[list[Sent], int]:
        """The device expects number ``expected`` and has freed so many bytes since SYNC, mod 65536.

        Returns the frames that have arrived and the number of bytes freed since the last acknowledgement. Raises
        :class:`OutOfStep` if it cannot be, and changes nothing then.
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
        """All frames that are not acknowledged; their numbers are free again.

        Only to be called when no copy of the first of them can still arrive: all others then come out of turn.
        """
        lost = list(self._frames)
        self.next = self.first
        self._frames.clear()
        self._on_the_way = 0
        return lost
