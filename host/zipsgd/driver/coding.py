"""Frames as bytes on the line: Consistent Overhead Byte Stuffing, and the zero that ends a frame."""

from cobs import cobs

from zipsgd.protocol.frames import Frame, FrameError

__all__ = ["decode", "encode"]


def encode(frame: Frame) -> bytes:
    """Code a frame for the line.

    Parameters
    ----------
    frame : Frame
        The frame.

    Returns
    -------
    bytes
        The coded frame with the closing zero, which is its only zero.
    """
    return bytes(cobs.encode(frame.to_bytes())) + b"\0"


def decode(data: bytes) -> Frame:
    """Decode a frame from the line.

    Parameters
    ----------
    data : bytes
        The bytes between two zeros.

    Returns
    -------
    Frame
        The frame.

    Raises
    ------
    FrameError
        The bytes are not a valid frame; the message says why.
    """
    try:
        body = cobs.decode(data)
    except cobs.DecodeError as error:
        raise FrameError(f"bad coding: {error}") from None
    return Frame.from_bytes(body)
