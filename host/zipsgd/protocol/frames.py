"""Frames on the link.

A frame is ``COBS(kind, sequence, payload..., crc32) 0x00``: a byte of kind, a byte of sequence number, the payload, and the
CRC-32 (ISO-HDLC, as in zlib) of everything before it, little-endian. All of this is coded by Consistent Overhead Byte Stuffing
(COBS), so that a zero byte ends a frame and never occurs within one. An empty frame (two zero bytes) is ignored: a host sends
zeros to end whatever the device is in the middle of.

Host to device
    ========  =====================================================================================================
    SYNC      empty; sets the device's expected sequence number to this frame's plus one, empties its receive buffer
              and resets the sample port. Always accepted. Answered by ACK.
    WRITE     address (u32), then words (u32 each), which are written to consecutive addresses.
    READ      address (u32), count (u32, 1 to READ_WORDS); answered by DATA.
    FENCE     as READ, but carried out only when the datapath is idle.
    SAMPLES   bytes of samples, in the layout of :mod:`zipsgd.golden.weave`; a sample may span frames.
    ========  =====================================================================================================

    Frames are carried out in the order of their sequence numbers (mod 256). The device takes a frame only if its number
    is the expected one; it drops any other frame and answers with an ACK that names the expected number (cumulative
    acknowledgement, go-back-N). It drops an invalid frame and answers with an ACK as well.

Device to host
    ========  =====================================================================================================
    ACK       sequence = next expected number; payload: u16 count of receive-buffer bytes freed since SYNC (mod 65536), u8
              number of the last valid frame, taken or not.
              Sent when a frame is taken, dropped or completely carried out.
    DATA      sequence = that of the READ or FENCE answered; payload: the words (u32 each).
    ========  =====================================================================================================

Credit: a taken frame occupies ``CREDIT_OVERHEAD + len(payload)`` bytes of the receive buffer (``rx_bytes`` of the build) until
it is carried out. A host sends a frame only if it fits into the buffer beside the bytes sent and not yet freed, so that the
device never has to drop a valid frame for lack of space.

The fence and the order of frames save a round trip per sample: an epoch is one WRITE, its SAMPLES, and one FENCE.

This module defines a frame up to its CRC; :mod:`zipsgd.driver.coding` does the COBS coding.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["CREDIT_OVERHEAD", "MAX_PAYLOAD", "READ_WORDS", "Frame", "FrameError", "Kind"]

MAX_PAYLOAD = 512
"""Most payload bytes of a frame to the device."""
READ_WORDS = 48
"""Most words of a DATA frame. Such a frame fits in one COBS block of 254 bytes, so that the device can code it in a small
buffer."""
CREDIT_OVERHEAD = 4
"""Bytes of the receive buffer that a frame occupies in addition to its payload."""

_CRC_BYTES = 4
_LEAST_BYTES = 2 + _CRC_BYTES
"""Bytes of a frame without payload: kind, sequence number, CRC."""


class Kind(IntEnum):
    """Kinds of frames, by the byte that says so."""

    SYNC = 0x01
    WRITE = 0x02
    READ = 0x03
    FENCE = 0x04
    SAMPLES = 0x05
    ACK = 0x81
    DATA = 0x82


class FrameError(ValueError):
    """Bytes that are not a valid frame: the coding is invalid, they are too few, or the CRC is wrong."""


@dataclass(frozen=True)
class Frame:
    """A frame.

    Parameters
    ----------
    kind : int
        One of :class:`Kind` in valid traffic; any byte, 0 to 255, can be coded.
    sequence : int
        Sequence number, 0 to 255.
    payload : bytes
        What the kind carries, see above.
    """

    kind: int
    sequence: int
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """Kind, sequence number, payload and CRC: what COBS codes."""
        body = struct.pack("BB", self.kind, self.sequence) + self.payload
        return body + struct.pack("<I", zlib.crc32(body))

    @classmethod
    def from_bytes(cls, body: bytes) -> "Frame":
        """The frame that :meth:`to_bytes` wrote.

        Parameters
        ----------
        body : bytes
            What COBS coded.

        Returns
        -------
        Frame
            The frame.

        Raises
        ------
        FrameError
            The bytes are too few, or the CRC is wrong.
        """
        if len(body) < _LEAST_BYTES:
            raise FrameError(f"{len(body)} bytes are too few for a frame")
        (crc,) = struct.unpack("<I", body[-_CRC_BYTES:])
        if zlib.crc32(body[:-_CRC_BYTES]) != crc:
            raise FrameError("wrong CRC")
        return cls(body[0], body[1], body[2:-_CRC_BYTES])
