"""Frames on the link.

A frame is ``COBS(kind, sequence, payload..., crc32) 0x00``: one byte of kind, one of sequence number, the payload, and
the CRC-32 (ISO-HDLC, as in zlib) over everything before it, little-endian; the whole is coded by Consistent Overhead Byte
Stuffing, so that a zero byte ends a frame and never stands in one. An empty frame (two zero bytes) is ignored: a host
sends zeros to end whatever the device was in the middle of.

Host to device
    ========  =====================================================================================================
    SYNC      empty; sets the device's expected sequence number to this frame's plus one, empties its receive buffer
              and resets the sample port. Always accepted. Answered by ACK.
    WRITE     address (u32), then words (u32 each): written to consecutive addresses.
    READ      address (u32), count (u32, 1 to READ_WORDS): answered by DATA.
    FENCE     as READ, but carried out only when the datapath is idle.
    SAMPLES   bytes of samples, in the layout of :mod:`zipsgd.golden.weave`; a sample may span frames.
    ========  =====================================================================================================

    Frames are carried out in the order of their sequence numbers (mod 256). The device takes a frame only if its number
    is the expected one; any other is dropped and answered by an ACK that names the expected one (cumulative
    acknowledgement, go-back-N). A bad frame is dropped and answered by ACK as well.

Device to host
    ========  =====================================================================================================
    ACK       sequence = next expected number; payload: u16 count of receive-buffer bytes freed since SYNC (mod 65536), u8
              number of the last good frame, taken or not.
              Sent when a frame is taken, dropped or fully carried out.
    DATA      sequence = that of the READ or FENCE answered; payload: the words (u32 each).
    ========  =====================================================================================================

Credit: a taken frame occupies ``OVERHEAD + len(payload)`` bytes of the receive buffer (``rx_bytes`` of the build) until
it is carried out. A host sends a frame only while bytes sent minus bytes freed leave room for it: the device never has
to drop a good frame for want of space.

The fence and the order make a round trip per sample needless: an epoch is one WRITE, its SAMPLES, and one FENCE.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from cobs import cobs

__all__ = ["CREDIT_OVERHEAD", "MAX_PAYLOAD", "READ_WORDS", "Frame", "FrameError", "Kind", "decode", "encode"]

MAX_PAYLOAD = 512
"""Most payload bytes of a frame to the device."""
READ_WORDS = 48
"""Most words of a DATA frame: it fits in one COBS block of 254 bytes, which the device encodes in one small buffer."""
CREDIT_OVERHEAD = 4
"""Bytes of the receive buffer that a frame occupies beside its payload."""


class Kind(IntEnum):
    SYNC = 0x01
    WRITE = 0x02
    READ = 0x03
    FENCE = 0x04
    SAMPLES = 0x05
    ACK = 0x81
    DATA = 0x82


class FrameError(ValueError):
    """Bytes that are no frame: bad coding, too short, or a wrong CRC."""


@dataclass(frozen=True)
class Frame:
    kind: int
    sequence: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Bytes of a frame on the wire, with the closing zero."""
    body = struct.pack("BB", frame.kind, frame.sequence) + frame.payload
    return bytes(cobs.encode(body + struct.pack("<I", zlib.crc32(body)))) + b"\0"


def decode(data: bytes) -> Frame:
    """The frame in ``data``, the bytes between two zeros. Raises :class:`FrameError`."""
    try:
        body = cobs.decode(data)
    except cobs.DecodeError as error:
        raise FrameError(f"bad coding: {error}") from None
    if len(body) < 6:
        raise FrameError(f"{len(body)} bytes are too few for a frame")
    (crc,) = struct.unpack("<I", body[-4:])
    if zlib.crc32(body[:-4]) != crc:
        raise FrameError("wrong CRC")
    return Frame(body[0], body[1], body[2:-4])
