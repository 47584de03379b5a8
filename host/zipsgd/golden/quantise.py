"""Stochastic quantisation of features: a base level and independent up bits (DESIGN section 2; ZipML, section 2).

A feature a in [-1, 1] lies between two multiples of Delta = 2^(1-p): k Delta <= a <= (k + 1) Delta. The base k has p bits;
up bit i is 1 with probability a / Delta - k; so Q_i(a) = (k + u_i) Delta has mean a, and the Q_i are independent.

The features are first rounded to 16 bits below the base's last one. Up bits then compare a 16-bit uniform number with the
16-bit fraction, which makes their probabilities exact for the rounded value (off by at most 2^-17 Delta for the given one).

The uniform numbers come from a hash of (seed, epoch, row, feature), not from a sequence: they depend on which value is
quantised and not on the order or the number of threads.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "FRACTION_BITS",
    "Codes",
    "fixed_point",
    "level_offset",
    "quantise",
    "quantise_fixed_point",
    "row_keys",
    "uniform16",
]

FRACTION_BITS = 16
"""Bits of a feature below the base's last one."""

_GOLDEN = np.uint32(0x9E3779B9)
_U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Codes:
    """Quantised samples.

    ``base``: int8, shape (samples, features), each in [-2^(p-1), 2^(p-1) - 1].
    ``up``: uint8, same shape; bit i is the up bit of sample i + 1.
    ``labels``: int16, shape (samples,) or, of several heads, (samples, heads); in units of 2^-15, or numbers of classes.
    """

    base: npt.NDArray[np.int8]
    up: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int16]
    p: int
    m: int


def _mix(value: _U32) -> _U32:
    """A bijective 32-bit hash: two rounds of xor-shift and multiply, constants of the "lowbias32" search."""
    value = (value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D)
    value = (value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B)
    return value ^ (value >> np.uint32(16))


def row_keys(seed: int, epoch: int, rows: npt.ArrayLike, pair: int = 0) -> _U32:
    """A 32-bit key for each row: of run ``seed`` (64 bits), ``epoch``, and ``pair`` of up bits. Shape as ``rows``."""
    key = np.array([0], dtype=np.uint32)
    for word in (seed & 0xFFFF_FFFF, seed >> 32 & 0xFFFF_FFFF, epoch, pair):
        key = _mix((key + _GOLDEN) ^ np.uint32(word))
    return _mix(key ^ np.asarray(rows, dtype=np.uint32))


def uniform16(keys: _U32, features: int) -> tuple[_U32, _U32]:
    """Two independent 16-bit uniform numbers for each feature of each row; each of shape (rows, features)."""
    hashed = _mix(keys[:, None] + np.arange(features, dtype=np.uint32) * _GOLDEN)
    return hashed & np.uint32(0xFFFF), hashed >> np.uint32(16)


def fixed_point(values: npt.NDArray[np.floating], p: int) -> npt.NDArray[np.int32]:
    """Features in [-1, 1] as integers in units of 2^-(p - 1 + 16), rounded half up. Raises ValueError outside."""
    if not np.all(np.abs(values) <= 1):  # also catches NaN
        raise ValueError("features must be scaled to [-1, 1] before they are quantised")
    return np.floor(values.astype(np.float64) * float(1 << (p - 1 + FRACTION_BITS)) + 0.5).astype(np.int32)


def level_offset(p: int) -> int:
    """What a base lacks to the number of its level, counted from the lowest one: 2^(p - 1), or 0 with p = 0."""
    return 1 << p >> 1


def quantise_fixed_point(
    fixed: npt.NDArray[np.int32],
    labels: npt.NDArray[np.int16],
    p: int,
    m: int,
    *,
    seed: int,
    epoch: int,
    rows: npt.ArrayLike,
) -> Codes:
    """Base planes and up bits of features in fixed point, shape (samples, features), in units of 2^-16 of a level."""
    base = np.minimum(fixed >> FRACTION_BITS, (1 << p) - 1 - level_offset(p))
    fraction = (fixed - (base << FRACTION_BITS)).astype(
        np.uint32
    )  # up to 2^16 inclusive, at the uppermost level
    up = np.zeros(fixed.shape, dtype=np.uint8)
    for i in range(m):
        uniform = uniform16(row_keys(seed, epoch, rows, i // 2), fixed.shape[1])[i % 2]
        up |= (uniform < fraction).astype(np.uint8) << np.uint8(i)
    return Codes(base.astype(np.int8), up, labels, p, m)


def quantise(
    values: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int16],
    p: int,
    m: int,
    *,
    seed: int,
    epoch: int,
    rows: npt.ArrayLike,
) -> Codes:
    """Quantise features in [-1, 1], shape (samples, features), to ``p`` base planes and ``m`` up planes.

    ``rows`` are the samples' row numbers in the set, which with ``seed`` and ``epoch`` decide the up bits.
    """
    return quantise_fixed_point(fixed_point(values, p), labels, p, m, seed=seed, epoch=epoch, rows=rows)
