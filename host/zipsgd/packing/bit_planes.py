"""Compiled conversion between codes, their bit planes, and the planes of a row in the order of the wire.

Indices are unsigned if a loop does not bound them: signed ones may count from the end, which costs a comparison. :func:`weave`
moves 8 bytes at a time even where fewer are needed. The next bytes overwrite the excess, and buffers have room for it at their
end.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

__all__ = ["WORD", "gather", "scatter", "unweave", "unweave_halves", "weave", "weave_halves"]

_Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]

WORD = 8
"""Bytes that are moved at a time. Rows have room for as many after their end."""
_ONES = np.uint64(0x0101010101010101)
_DIAGONAL = np.uint64(0x8040201008040201)
_SEVENS = np.uint64(0x7F7F7F7F7F7F7F7F)


@compiled
def gather(codes: _Words, bit: int, plane: _Bytes) -> None:
    """Collect one bit of each code as the bits of a plane.

    Parameters
    ----------
    codes : npt.NDArray[np.uint64] of shape (at least bytes of the plane,)
        Codes, 8 per word.
    bit : int
        Index of the bit.
    plane : npt.NDArray[np.uint8] of shape (bytes of the plane,)
        Receives the bits, 8 features per byte.
    """
    shift = np.uint64(bit)
    for g in range(plane.size):
        bits = (codes[g] >> shift) & _ONES
        bits |= bits >> np.uint64(7)
        bits |= bits >> np.uint64(14)
        plane[g] = np.uint8(bits | bits >> np.uint64(28))


@compiled
def scatter(plane: _Bytes, bit: int, codes: _Words) -> None:
    """The inverse of :func:`gather`.

    Parameters
    ----------
    plane : npt.NDArray[np.uint8] of shape (bytes of the plane,)
        Bits of the plane.
    bit : int
        Index of the bit.
    codes : npt.NDArray[np.uint64] of shape (at least bytes of the plane,)
        Codes, 8 per word, in which this bit is clear; updated in place.
    """
    shift = np.uint64(bit)
    for g in range(plane.size):
        own = np.uint64(plane[g]) * _ONES & _DIAGONAL  # byte i keeps only bit i
        codes[g] |= (own + _SEVENS >> np.uint64(7) & _ONES) << shift


@compiled
def _put(row: _Bytes, at: Any, word: Any) -> None:
    """Write the 8 bytes of a word."""
    for i in range(WORD):
        row[at + np.uintp(i)] = np.uint8(word >> np.uint64(8 * i))


@compiled
def _take(row: _Bytes, at: Any) -> Any:
    """Read the 8 bytes of a word."""
    word = np.uint64(0)
    for i in range(WORD):
        word |= np.uint64(row[at + np.uintp(i)]) << np.uint64(8 * i)
    return word


@compiled
def weave(planes: _Words, size: int, width: int, row: _Bytes, at: Any) -> Any:
    """Write planes to a row, chunk by chunk.

    Parameters
    ----------
    planes : npt.NDArray[np.uint64] of shape (planes, words)
        The planes of some features.
    size : int
        Bytes of a plane that hold features.
    width : int
        Bytes of a chunk's plane.
    row : npt.NDArray[np.uint8]
        The row, with room for :data:`WORD` bytes after its end.
    at : int
        Where to begin.

    Returns
    -------
    int
        Where the planes end.
    """
    for chunk in range(0, size, width):
        count = min(width, size - chunk)
        shift = np.uint64(8 * (chunk & 7))
        for i in range(planes.shape[0]):
            for g in range(0, count, WORD):
                _put(row, at + np.uintp(g), planes[i, np.uintp(chunk + g) >> np.uintp(3)] >> shift)
            at = np.uintp(at + np.uintp(count))
    return at


@compiled
def unweave(row: _Bytes, at: Any, size: int, width: int, planes: _Words) -> Any:
    """The inverse of :func:`weave`. Other bytes may follow the last bytes of the planes.

    Parameters
    ----------
    row : npt.NDArray[np.uint8]
        The row, with room for :data:`WORD` bytes after its end.
    at : int
        Where to begin.
    size : int
        Bytes of a plane that hold features.
    width : int
        Bytes of a chunk's plane.
    planes : npt.NDArray[np.uint64] of shape (planes, words)
        Receives the planes.

    Returns
    -------
    int
        Where the planes end.
    """
    for chunk in range(0, size, width):
        count = min(width, size - chunk)
        shift = np.uint64(8 * (chunk & 7))
        kept = (np.uint64(1) << shift) - np.uint64(1)
        for i in range(planes.shape[0]):
            for g in range(0, count, WORD):
                place = np.uintp(chunk + g) >> np.uintp(3)
                planes[i, place] = planes[i, place] & kept | _take(row, at + np.uintp(g)) << shift
            at = np.uintp(at + np.uintp(count))
    return at


@compiled
def weave_halves(planes: _Words, chunks: int, row: _Bytes, at: Any) -> Any:
    """As :func:`weave`, for chunks whose planes are half bytes.

    Parameters
    ----------
    planes : npt.NDArray[np.uint64] of shape (planes, words)
        The planes of some features.
    chunks : int
        Number of chunks.
    row : npt.NDArray[np.uint8]
        The row.
    at : int
        Where to begin, in half bytes.

    Returns
    -------
    int
        Where the planes end, in half bytes.
    """
    for chunk in range(chunks):
        place, shift = np.uintp(chunk) >> np.uintp(4), np.uint64(4 * (chunk & 15))
        for i in range(planes.shape[0]):
            half = np.uint8(planes[i, place] >> shift & np.uint64(15))
            byte = at >> np.uintp(1)
            row[byte] = half if at & np.uintp(1) == 0 else np.uint8(row[byte] | half << np.uint8(4))
            at = np.uintp(at + np.uintp(1))
    return at


@compiled
def unweave_halves(row: _Bytes, at: Any, chunks: int, planes: _Words) -> Any:
    """The inverse of :func:`weave_halves`.

    Parameters
    ----------
    row : npt.NDArray[np.uint8]
        The row.
    at : int
        Where to begin, in half bytes.
    chunks : int
        Number of chunks.
    planes : npt.NDArray[np.uint64] of shape (planes, words)
        Receives the planes.

    Returns
    -------
    int
        Where the planes end, in half bytes.
    """
    for chunk in range(chunks):
        place, shift = np.uintp(chunk) >> np.uintp(4), np.uint64(4 * (chunk & 15))
        kept = (np.uint64(1) << shift) - np.uint64(1)
        for i in range(planes.shape[0]):
            byte = np.uint64(row[at >> np.uintp(1)])
            half = byte >> np.uint64(4) if at & np.uintp(1) else byte & np.uint64(15)
            planes[i, place] = planes[i, place] & kept | half << shift
            at = np.uintp(at + np.uintp(1))
    return at
