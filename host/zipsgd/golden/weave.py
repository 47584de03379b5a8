"""The woven layout of a sample on the wire (DESIGN section 3).

A sample is its label (16 bits, little-endian), then for each chunk of L features its planes: base planes most significant
first, then up planes u_1 ... u_m. Lane j of a plane is bit j. With L >= 8 each plane of the last chunk is cut to the whole
bytes that hold features; with L = 4, planes follow each other in half bytes, low half first, and the sample ends at a whole
byte. Either way a sample takes at most 2 + (p + m) * ceil(n / 8) bytes.

Where each of K heads has a label of its own, the first one's stands there, and those of the others behind the planes.
"""

import numpy as np
import numpy.typing as npt

from .quantise import Codes

__all__ = ["planes", "unweave", "weave"]

_Bytes = npt.NDArray[np.uint8]


def planes(codes: Codes) -> _Bytes:
    """The p + m planes of each sample as 0/1, shape (samples, p + m, features), in the order of the wire."""
    base = codes.base.view(np.uint8)
    rows = [base >> np.uint8(codes.p - 1 - i) & np.uint8(1) for i in range(codes.p)]
    rows += [codes.up >> np.uint8(i) & np.uint8(1) for i in range(codes.m)]
    return np.stack(rows, axis=1)


def weave(codes: Codes, lanes: int) -> _Bytes:
    """Samples as bytes, shape (samples, bytes of a sample), see :func:`zipsgd.protocol.samples.sample_bytes`."""
    count, features = codes.base.shape
    total = codes.p + codes.m
    chunks = -(-features // lanes)
    bits = np.zeros((count, total, chunks * lanes), dtype=np.uint8)
    bits[:, :, :features] = planes(codes)
    bits = bits.reshape(count, total, chunks, lanes).transpose(0, 2, 1, 3)  # sample, chunk, plane, lane
    if lanes >= 8:
        packed = np.packbits(bits, axis=-1, bitorder="little")
        last = -(-(features - (chunks - 1) * lanes) // 8)
        body = np.concatenate(
            [packed[:, :-1].reshape(count, -1), packed[:, -1, :, :last].reshape(count, -1)], axis=1
        )
    else:
        body = np.packbits(bits.reshape(count, -1), axis=-1, bitorder="little")
    labels = np.ascontiguousarray(codes.labels, dtype="<i2").view(np.uint8).reshape(count, -1)
    return np.concatenate([labels[:, :2], body, labels[:, 2:]], axis=1)


def unweave(data: _Bytes, features: int, p: int, m: int, lanes: int) -> Codes:
    """The inverse of :func:`weave`, of samples with one label, for tests and stores that are read back."""
    count = data.shape[0]
    total = p + m
    chunks = -(-features // lanes)
    labels = np.ascontiguousarray(data[:, :2]).view("<i2").reshape(count).astype(np.int16)
    bits = np.zeros((count, chunks, total, lanes), dtype=np.uint8)
    body = data[:, 2:]
    if lanes >= 8:
        full = (chunks - 1) * total * (lanes // 8)
        bits[:, :-1] = np.unpackbits(
            body[:, :full].reshape(count, chunks - 1, total, lanes // 8), axis=-1, bitorder="little"
        )
        tail = np.unpackbits(body[:, full:].reshape(count, total, -1), axis=-1, bitorder="little")
        bits[:, -1, :, : tail.shape[-1]] = tail
    else:
        flat = np.unpackbits(body, axis=-1, bitorder="little")
        bits[:] = flat[:, : chunks * total * lanes].reshape(bits.shape)
    rows = bits.transpose(0, 2, 1, 3).reshape(count, total, -1)[:, :, :features].astype(np.int64)
    base = np.zeros_like(rows[:, 0])
    for i in range(p):
        base += rows[:, i] << (p - 1 - i) if i else -(rows[:, i] << (p - 1))
    up = np.zeros((count, features), dtype=np.uint8)
    for i in range(m):
        up |= (rows[:, p + i] << i).astype(np.uint8)
    return Codes(base.astype(np.int8), up, labels, p, m)
