"""The bit-plane layout of a sample on the wire (``docs/link.md``, A sample).

A sample begins with its label (16 bits, little-endian). The planes of each chunk of L features follow: base planes, most
significant first, then the up planes u_1 ... u_m. Bit j of a plane belongs to lane j. With L >= 8, each plane of the last chunk
is cut to the whole bytes that hold features. With L = 4, planes are consecutive half bytes, low half first, and the sample ends
at a whole byte. In both cases a sample takes at most 2 + (p + m) * ceil(n / 8) bytes.

If each of K heads has its own label, the label of the first head is at the beginning, and the others are after the planes.
"""

import numpy as np
import numpy.typing as npt

from .quantise import Codes

__all__ = ["planes", "unweave", "weave"]

_Bytes = npt.NDArray[np.uint8]


def planes(codes: Codes) -> _Bytes:
    """The p + m planes of each sample in the order of the wire.

    Parameters
    ----------
    codes : Codes
        Quantised samples.

    Returns
    -------
    npt.NDArray[np.uint8] of shape (samples, p + m, features)
        Bits, 0 or 1.
    """
    base = codes.base.view(np.uint8)
    rows = [base >> np.uint8(codes.p - 1 - i) & np.uint8(1) for i in range(codes.p)]
    rows += [codes.up >> np.uint8(i) & np.uint8(1) for i in range(codes.m)]
    return np.stack(rows, axis=1)


def weave(codes: Codes, lanes: int) -> _Bytes:
    """Samples as bytes for the wire.

    Parameters
    ----------
    codes : Codes
        Quantised samples.
    lanes : int
        Features per chunk.

    Returns
    -------
    npt.NDArray[np.uint8] of shape (samples, sample_bytes)
        One row per sample.
    """
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
    """The inverse of :func:`weave` for samples with one label, for tests.

    Parameters
    ----------
    data : npt.NDArray[np.uint8] of shape (samples, sample_bytes)
        Samples on the wire.
    features : int
        Number of features.
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    lanes : int
        Features per chunk.

    Returns
    -------
    Codes
        The quantised samples.
    """
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
