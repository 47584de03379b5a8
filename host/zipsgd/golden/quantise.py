"""Stochastic quantisation of features to a base level and independent up bits (ZipML, section 2; ``docs/architecture.md``).

A feature a in [-1, 1] lies between two multiples of Delta = 2^(1-p): k Delta <= a <= (k + 1) Delta. The base k has p bits.
Up bit i is 1 with probability a / Delta - k. So Q_i(a) = (k + u_i) Delta has mean a, and the Q_i are independent.

Features are first rounded to 16 bits below the base's last bit. An up bit compares this 16-bit fraction with a uniform 16-bit
number. So its probability is exact for the rounded value, and differs by at most 2^-17 Delta for the given one.

The uniform numbers are a hash of (seed, epoch, row, feature), not a sequence. So they depend on which value is quantised, and
not on the order of the rows or the number of threads.
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
"""Bits of a feature below the last bit of its base."""

_GOLDEN = np.uint32(0x9E3779B9)
_U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Codes:
    """Quantised samples.

    Parameters
    ----------
    base : npt.NDArray[np.int8] of shape (samples, features)
        Base levels in -2^(p-1)..2^(p-1) - 1.
    up : npt.NDArray[np.uint8] of shape (samples, features)
        Up bits; bit i belongs to quantisation i + 1.
    labels : npt.NDArray[np.int16] of shape (samples,) or (samples, heads)
        Labels in units of 2^-15, or class indices.
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    """

    base: npt.NDArray[np.int8]
    up: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int16]
    p: int
    m: int


def _mix(value: _U32) -> _U32:
    """A bijective hash of 32 bits: rounds of xor-shift and multiplication, with the constants of "lowbias32"."""
    value = (value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D)
    value = (value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B)
    return value ^ (value >> np.uint32(16))


def row_keys(seed: int, epoch: int, rows: npt.ArrayLike, pair: int = 0) -> _U32:
    """A hash key of 32 bits for each row.

    Parameters
    ----------
    seed : int
        Seed of the run, 64 bits.
    epoch : int
        Number of the epoch.
    rows : npt.ArrayLike
        Row numbers in the data set.
    pair : int
        Index of the pair of up bits.

    Returns
    -------
    npt.NDArray[np.uint32]
        Keys, with the shape of ``rows``.
    """
    key = np.array([0], dtype=np.uint32)
    for word in (seed & 0xFFFF_FFFF, seed >> 32 & 0xFFFF_FFFF, epoch, pair):
        key = _mix((key + _GOLDEN) ^ np.uint32(word))
    return _mix(key ^ np.asarray(rows, dtype=np.uint32))


def uniform16(keys: _U32, features: int) -> tuple[_U32, _U32]:
    """Two independent uniform 16-bit numbers for each feature of each row.

    Parameters
    ----------
    keys : npt.NDArray[np.uint32] of shape (rows,)
        From :func:`row_keys`.
    features : int
        Number of features.

    Returns
    -------
    tuple of two npt.NDArray[np.uint32] of shape (rows, features)
        The numbers for the first and the second up bit of the pair.
    """
    hashed = _mix(keys[:, None] + np.arange(features, dtype=np.uint32) * _GOLDEN)
    return hashed & np.uint32(0xFFFF), hashed >> np.uint32(16)


def fixed_point(values: npt.NDArray[np.floating], p: int) -> npt.NDArray[np.int32]:
    """Features in fixed point, rounded half up.

    Parameters
    ----------
    values : npt.NDArray[np.floating]
        Features in [-1, 1].
    p : int
        Number of base planes.

    Returns
    -------
    npt.NDArray[np.int32]
        In units of 2^-(p - 1 + 16), with the shape of ``values``.

    Raises
    ------
    ValueError
        A value is outside [-1, 1] or not a number.
    """
    if not np.all(np.abs(values) <= 1):  # also catches NaN
        raise ValueError("features must be scaled to [-1, 1] before they are quantised")
    return np.floor(values.astype(np.float64) * float(1 << (p - 1 + FRACTION_BITS)) + 0.5).astype(np.int32)


def level_offset(p: int) -> int:
    """The difference between a base and the index of its level, counted from the lowest level.

    Parameters
    ----------
    p : int
        Number of base planes.

    Returns
    -------
    int
        2^(p - 1), or 0 for p = 0.
    """
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
    """Quantise features that are already in fixed point.

    Parameters
    ----------
    fixed : npt.NDArray[np.int32] of shape (samples, features)
        Features in units of 2^-16 of a level, from :func:`fixed_point` or :meth:`zipsgd.golden.levels.LevelTable.fixed_point`.
    labels : npt.NDArray[np.int16] of shape (samples,) or (samples, heads)
        Labels, which are copied to the result.
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    seed : int
        Seed of the run.
    epoch : int
        Number of the epoch.
    rows : npt.ArrayLike of shape (samples,)
        Row numbers of the samples in the data set. They determine the up bits together with ``seed`` and ``epoch``.

    Returns
    -------
    Codes
        The quantised samples.
    """
    base = np.minimum(fixed >> FRACTION_BITS, (1 << p) - 1 - level_offset(p))
    # Up to 2^16 inclusive, at the highest level
    fraction = (fixed - (base << FRACTION_BITS)).astype(np.uint32)
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
    """Quantise features to ``p`` base planes and ``m`` up planes.

    Parameters
    ----------
    values : npt.NDArray[np.floating] of shape (samples, features)
        Features in [-1, 1].
    labels : npt.NDArray[np.int16] of shape (samples,) or (samples, heads)
        Labels, which are copied to the result.
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    seed : int
        Seed of the run.
    epoch : int
        Number of the epoch.
    rows : npt.ArrayLike of shape (samples,)
        Row numbers of the samples in the data set. They determine the up bits together with ``seed`` and ``epoch``.

    Returns
    -------
    Codes
        The quantised samples.

    Raises
    ------
    ValueError
        A value is outside [-1, 1] or not a number.
    """
    return quantise_fixed_point(fixed_point(values, p), labels, p, m, seed=seed, epoch=epoch, rows=rows)
