"""cocotb: a host that follows the protocol, on a byte-stream port."""

import random
import struct
from collections.abc import Iterable

from zipsgd.driver.coding import decode, encode
from zipsgd.protocol.frames import CREDIT_OVERHEAD, Frame, Kind

from .stream_bench import StreamBench

__all__ = ["LinkHost", "read_payload", "words_payload"]


def words_payload(address: int, words: Iterable[int]) -> bytes:
    """Payload of a WRITE.

    Parameters
    ----------
    address : int
        Address of the first word.
    words : iterable of int
        The words, of 32 bits each.

    Returns
    -------
    bytes
        The payload.
    """
    return struct.pack("<I", address) + b"".join(struct.pack("<I", word) for word in words)


def read_payload(address: int, count: int) -> bytes:
    """Payload of a READ or FENCE.

    Parameters
    ----------
    address : int
        Address of the first word.
    count : int
        Number of words, 1 to ``READ_WORDS``.

    Returns
    -------
    bytes
        The payload.
    """
    return struct.pack("<II", address, count)


class LinkHost:
    """Speaks frames on the streams ``rx`` and ``tx`` of a bench. An invalid frame from the device raises FrameError.

    Parameters
    ----------
    bench : StreamBench
        The bench.
    rx_bytes : int
        Bytes of the device's receive buffer.

    Attributes
    ----------
    acks : list of tuple of int
        Expected number and freed bytes of each ACK, since the list was last cleared.
    data : list of Frame
        Each DATA frame, since the list was last cleared.
    last : int
        Number of the last valid frame, by the last ACK.
    sequence : int
        Number of the next frame.
    sent : int
        Bytes of the receive buffer used since SYNC.
    wait_limit : int
        Cycles to wait for credit or an answer.
    """

    wait_limit = 200_000

    def __init__(self, bench: StreamBench, rx_bytes: int) -> None:
        self.bench = bench
        self.rx = bench.source("rx")
        self.tx = bench.sink("tx", on_word=self._byte)
        self.acks: list[tuple[int, int]] = []
        self.data: list[Frame] = []
        self.last = 0
        self.sequence = 0
        self.sent = 0
        self._rx_bytes = rx_bytes
        self._line = bytearray()

    def _byte(self, byte: int) -> None:
        if byte:
            self._line.append(byte)
            return
        frame = decode(bytes(self._line))
        self._line.clear()
        if frame.kind == Kind.ACK:
            freed, last = struct.unpack("<HB", frame.payload)
            self.acks.append((frame.sequence, freed))
            self.last = last
        else:
            assert frame.kind == Kind.DATA
            self.data.append(frame)

    def put(self, kind: int, payload: bytes = b"", sequence: int | None = None) -> None:
        """Put a frame on the line, whether there is credit for it or not; ``sequence`` is the next number if None."""
        self.rx.queue.extend(encode(Frame(kind, self.sequence if sequence is None else sequence, payload)))

    def has_credit(self, size: int) -> bool:
        """Whether the receive buffer has room for ``size`` bytes more."""
        freed = self.acks[-1][1] if self.acks else 0
        return (self.sent - freed) % 65536 + size <= self._rx_bytes

    async def send(self, kind: int, payload: bytes = b"") -> int:
        """Send a frame within the credit; returns its number. It may still be on the line then."""
        need = CREDIT_OVERHEAD + len(payload)
        await self.bench.until(lambda: self.has_credit(need), self.wait_limit)
        number = self.sequence
        self.put(kind, payload)
        self.sent += need
        self.sequence = (number + 1) % 256
        return number

    async def sync(self, number: int | None = None) -> None:
        """Send a SYNC with ``number``, random if None, which ends whatever the device is doing; wait for its ACK."""
        number = random.randrange(256) if number is None else number
        self.acks.clear()
        self.rx.queue.append(0)
        self.put(Kind.SYNC, sequence=number)
        self.sequence, self.sent = (number + 1) % 256, 0
        await self.bench.until(lambda: (self.sequence, 0) in self.acks, self.wait_limit)

    async def write(self, address: int, words: Iterable[int]) -> None:
        """Send a WRITE of ``words`` from ``address`` on."""
        await self.send(Kind.WRITE, words_payload(address, words))

    async def read(self, address: int, count: int = 1, *, fence: bool = False) -> list[int]:
        """Read ``count`` words from ``address`` on; with ``fence``, once the datapath is idle."""
        number = await self.send(Kind.FENCE if fence else Kind.READ, read_payload(address, count))
        seen = len(self.data)
        await self.bench.until(
            lambda: any(frame.sequence == number for frame in self.data[seen:]), self.wait_limit
        )
        frame = next(frame for frame in self.data[seen:] if frame.sequence == number)
        return list(struct.unpack(f"<{count}I", frame.payload))
