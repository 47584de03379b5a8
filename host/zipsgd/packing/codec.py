"""Samples as bytes for the wire, and back: the bits of :mod:`zipsgd.golden`, compiled."""

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


def _parts(count: int, threads: int) -> list[slice]:
    """As many parts of nearly equal size as there are threads, or fewer where they would be empty; one at least."""
    parts = max(1, min(threads, count))
    return [slice(*bounds) for bounds in pairwise(count * i // parts for i in range(parts + 1))]


def _outside(
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
    """Samples as bytes: ``golden.weave(golden.quantise(values, labels, p, m, ...), lanes)`` in one pass.

    With ``levels``, golden.codes_of(levels.fixed_point(values), ...) in place of golden.quantise.

    Parameters
    ----------
    values : features in [-1, 1], shape (samples, features). float32 and float64 are read as they are, others converted.
    labels : int16, shape (samples,) or, where heads have labels of their own, (samples, labels).
    p, m : base planes, 1 to 8 (with ``levels``, those of the table); up planes, 0 to 8.
    lanes : features of a chunk, a power of two, 4 to 256.
    seed, epoch, rows : decide the up bits; ``rows`` are the samples' row numbers in the set, shape (samples,).
    levels : of each column, which then bound its values; None for even ones.
    threads : how many work at once. The bytes do not depend on it.
    out : where to put the bytes, contiguous; by default a new array.

    Returns
    -------
    uint8, shape (samples, sample_bytes).

    Raises
    ------
    ValueError
        A value is outside its range or not a number (``out`` then holds anything); an argument is out of its range; shapes
        do not fit together.
    """
    _check(p, m, lanes, int(levels is None))
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    rows = np.asarray(rows)
    if values.ndim != 2 or labels.ndim > 2 or not labels.shape[:1] == rows.shape == values.shape[:1]:
        raise ValueError(
            f"values must be (samples, features), rows (samples,), and labels that or (samples, labels), not {values.shape}, "
            f"{rows.shape} and {labels.shape}"
        )
    count, features = values.shape
    words = read_only(labels.astype(np.int16, copy=False).reshape(count, -1 if labels.size else 1))
    table = np.zeros((0, features), dtype=np.int16)
    unit = float(1 << (FRACTION_BITS + p - 1))
    if levels is not None:
        if (levels.p, levels.values.shape[0]) != (p, features):
            raise ValueError(
                f"the levels are of {levels.values.shape[0]} features at p = {levels.p}, the values of {features} at {p}"
            )
        table = levels.values.T
        unit = float(1 << (levels.bits - 1))
    shape = (count, sample_bytes(features, p, m, lanes, words.shape[1]))
    if out is None:
        out = np.empty(shape, dtype=np.uint8)
    elif out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise ValueError(f"out must be contiguous, uint8 of shape {shape}, not {out.dtype} of {out.shape}")
    numbers = read_only(values if values.dtype == np.float32 else values.astype(np.float64, copy=False))
    table = read_only(table)
    keys = np.empty((count, (m + 1) // 2), dtype=np.uint32)
    for pair in range(keys.shape[1]):
        keys[:, pair] = row_keys(seed, epoch, rows, pair)

    def work(part: slice) -> bool:
        return pack_rows(numbers[part], words[part], keys[part], table, unit, p, m, lanes, out[part])

    parts = _parts(count, threads)
    if len(parts) > 1:
        with ThreadPoolExecutor(len(parts)) as pool:
            inside = list(pool.map(work, parts))
    else:
        inside = [work(parts[0])]
    if not all(inside):
        raise _outside(numbers, rows, levels)
    return out


def unpack(data: _Bytes, features: int, p: int, m: int, lanes: int, labels: int = 1) -> Codes:
    """The inverse of :func:`pack`, for tests and stores that are read back: as ``golden.unweave``.

    ``data``: uint8, shape (samples, sample_bytes). ``labels``: of a sample. Raises ValueError where ``data`` does not fit the
    other arguments.
    """
    _check(p, m, lanes)
    size = sample_bytes(features, p, m, lanes, labels)
    if data.ndim != 2 or data.shape[1] != size or data.dtype != np.uint8:
        raise ValueError(
            f"data must be uint8 of shape (samples, {size}), for {features} features at {p} + {m} planes on {lanes} lanes, "
            f"not {data.dtype} of {data.shape}"
        )
    count = data.shape[0]
    words = np.empty((count, labels), dtype=np.int16)
    base = np.empty((count, features), dtype=np.int8)
    up = np.empty((count, features), dtype=np.uint8)
    unpack_rows(read_only(data), p, m, lanes, words, base, up)
    return Codes(base, up, words[:, 0] if labels == 1 else words, p, m)
