"""Samples to bytes for the wire and back: the bits of :mod:`zipsgd.golden`, compiled."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.golden.quantise import FRACTION_BITS, Codes, row_keys
from zipsgd.protocol.samples import sample_bytes

from .kernels import pack_rows, read_only, unpack_rows

__all__ = ["pack", "unpack"]

_Bytes = npt.NDArray[np.uint8]

_P_MAX, _M_MAX = 8, 8
_LANES = (4, 8, 16, 32, 64, 128, 256)


def _check(p: int, m: int, lanes: int, p_min: int = 0) -> None:
    if not p_min <= p <= _P_MAX:
        raise ValueError(f"p must be in {p_min}..{_P_MAX}, not {p}")
    if not 0 <= m <= _M_MAX:
        raise ValueError(f"m must be in 0..{_M_MAX}, not {m}")
    if lanes not in _LANES:
        raise ValueError(f"lanes must be a power of two in {_LANES[0]}..{_LANES[-1]}, not {lanes}")


def _split_evenly(count: int, threads: int) -> list[slice]:
    """Parts of nearly equal size, one per thread, or fewer if they would be empty; at least one."""
    parts = max(1, min(threads, count))
    return [slice(*bounds) for bounds in pairwise(count * i // parts for i in range(parts + 1))]


def _out_of_range(
    values: npt.NDArray[np.floating], rows: npt.NDArray[np.generic], levels: LevelTable | None
) -> ValueError:
    """The error that names the first value outside the levels."""
    low, high = np.full((2, values.shape[1]), [[-1], [1]])
    where = "scaled to [-1, 1]"
    if levels is not None:
        low, high = levels.values[:, [0, -1]].T * 2.0 ** (1 - levels.bits)
        where = "within their column's levels"
    sample, feature = np.argwhere(~((values >= low) & (values <= high)))[0]
    return ValueError(
        f"features must be {where} before they are quantised; feature {feature} of row {rows[sample]} is "
        f"{values[sample, feature]}"
    )


def _table(levels: LevelTable | None, p: int, features: int) -> tuple[npt.NDArray[np.int16], float]:
    """The table and the unit of its levels as the kernels take them; an empty table for evenly spaced levels."""
    if levels is None:
        return read_only(np.zeros((0, features), dtype=np.int16)), float(1 << (FRACTION_BITS + p - 1))
    if (levels.p, levels.values.shape[0]) != (p, features):
        raise ValueError(
            f"the levels are for {levels.values.shape[0]} features and p = {levels.p}, but the values have {features} "
            f"features and p = {p}"
        )
    return read_only(levels.values.T), float(1 << (levels.bits - 1))


def pack(
    values: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int16],
    p: int,
    m: int,
    lanes: int,
    *,
    seed: int,
    epoch: int,
    rows: npt.ArrayLike,
    levels: LevelTable | None = None,
    threads: int = 1,
    out: _Bytes | None = None,
) -> _Bytes:
    """Pack samples into bytes: ``weave(quantise(values, labels, p, m, ...), lanes)`` of the golden model, in one pass.

    With ``levels``, ``quantise_fixed_point(levels.fixed_point(values), ...)`` replaces ``quantise``.

    Parameters
    ----------
    values : npt.NDArray[np.floating] of shape (samples, features)
        Features in [-1, 1]. float32 and float64 are read without a copy; other types are converted.
    labels : npt.NDArray[np.int16] of shape (samples,) or (samples, labels)
        Labels; one per head if heads have their own labels.
    p : int
        Number of base planes, 1 to 8; with ``levels``, that of the table.
    m : int
        Number of up planes, 0 to 8.
    lanes : int
        Features per chunk: a power of two, 4 to 256.
    seed : int
        Seed of the up bits.
    epoch : int
        Number of the epoch, which determines the up bits too.
    rows : npt.ArrayLike of shape (samples,)
        Row numbers of the samples in the data set, which determine the up bits too.
    levels : LevelTable | None
        Levels of each column, which are then the range of its values; None for evenly spaced levels.
    threads : int
        Number of threads. The bytes do not depend on it.
    out : npt.NDArray[np.uint8] of shape (samples, sample_bytes), optional
        Contiguous array for the result; by default a new array.

    Returns
    -------
    npt.NDArray[np.uint8] of shape (samples, sample_bytes)
        One row per sample.

    Raises
    ------
    ValueError
        A value is out of range or not a number (the contents of ``out`` are then undefined); an argument is out of range; the
        shapes do not match.
    """
    _check(p, m, lanes, int(levels is None))
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    rows = np.asarray(rows)
    if values.ndim != 2 or labels.ndim > 2 or not labels.shape[:1] == rows.shape == values.shape[:1]:
        raise ValueError(
            f"values must have the shape (samples, features), rows (samples,), and labels (samples,) or (samples, labels), not "
            f"{values.shape}, {rows.shape} and {labels.shape}"
        )
    count, features = values.shape
    words = read_only(labels.astype(np.int16, copy=False).reshape(count, -1 if labels.size else 1))
    table, unit = _table(levels, p, features)
    shape = (count, sample_bytes(features, p, m, lanes, words.shape[1]))
    if out is None:
        out = np.empty(shape, dtype=np.uint8)
    elif out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise ValueError(
            f"out must be contiguous uint8 with the shape {shape}, not {out.dtype} with {out.shape}"
        )
    numbers = read_only(values if values.dtype == np.float32 else values.astype(np.float64, copy=False))
    keys = np.empty((count, (m + 1) // 2), dtype=np.uint32)
    for pair in range(keys.shape[1]):
        keys[:, pair] = row_keys(seed, epoch, rows, pair)

    def work(part: slice) -> bool:
        return pack_rows(numbers[part], words[part], keys[part], table, unit, p, m, lanes, out[part])

    parts = _split_evenly(count, threads)
    if len(parts) > 1:
        with ThreadPoolExecutor(len(parts)) as pool:
            inside = list(pool.map(work, parts))
    else:
        inside = [work(parts[0])]
    if not all(inside):
        raise _out_of_range(numbers, rows, levels)
    return out


def unpack(data: _Bytes, features: int, p: int, m: int, lanes: int, labels: int = 1) -> Codes:
    """The inverse of :func:`pack`, with the results of the golden model's ``unweave``.

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
    labels : int
        Labels per sample.

    Returns
    -------
    Codes
        The quantised samples.

    Raises
    ------
    ValueError
        An argument is out of range, or ``data`` does not match the other arguments.
    """
    _check(p, m, lanes)
    size = sample_bytes(features, p, m, lanes, labels)
    if data.ndim != 2 or data.shape[1] != size or data.dtype != np.uint8:
        raise ValueError(
            f"data must be uint8 with the shape (samples, {size}) for {features} features, {p} + {m} planes and {lanes} lanes, "
            f"not {data.dtype} with {data.shape}"
        )
    count = data.shape[0]
    words = np.empty((count, labels), dtype=np.int16)
    base = np.empty((count, features), dtype=np.int8)
    up = np.empty((count, features), dtype=np.uint8)
    unpack_rows(read_only(data), p, m, lanes, words, base, up)
    return Codes(base, up, words[:, 0] if labels == 1 else words, p, m)
