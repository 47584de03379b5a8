"""Samples to bytes for the wire and back: the bits of :mod:`zipsgd.golden`, compiled."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable, check_intercept
from zipsgd.golden.quantise import FRACTION_BITS, Codes, row_keys
from zipsgd.golden.weave import check_labels
from zipsgd.protocol.samples import SampleLayout

from .kernels import pack_rows, read_only, unpack_rows

__all__ = ["pack", "unpack"]

_Bytes = npt.NDArray[np.uint8]


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


def _checked_labels(
    values: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int16],
    rows: npt.NDArray[np.generic],
    layout: SampleLayout,
) -> npt.NDArray[np.int16]:
    """The labels with shape (samples, labels). Raises ValueError if shapes, layout and form do not fit each other."""
    if values.ndim != 2 or labels.ndim > 2 or not labels.shape[:1] == rows.shape == values.shape[:1]:
        raise ValueError(
            f"values must have the shape (samples, features), rows (samples,), and labels (samples,) or (samples, labels), not "
            f"{values.shape}, {rows.shape} and {labels.shape}"
        )
    words = labels.astype(np.int16, copy=False).reshape(len(labels), -1 if labels.size else layout.labels)
    if (values.shape[1], words.shape[1]) != (layout.features, layout.labels):
        raise ValueError(
            f"the layout is for {layout.features} features and {layout.labels} labels a sample, but there are "
            f"{values.shape[1]} and {words.shape[1]}"
        )
    check_labels(words, layout.label_form)
    return read_only(words)


def pack(
    values: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int16],
    layout: SampleLayout,
    *,
    seed: int,
    epoch: int,
    rows: npt.ArrayLike,
    levels: LevelTable | None = None,
    threads: int = 1,
    out: _Bytes | None = None,
) -> _Bytes:
    """Pack samples into bytes: ``weave(quantise(values, labels, p, m, ...), layout)`` of the golden model, in one pass.

    With ``levels``, ``quantise_fixed_point(levels.fixed_point(values), ...)`` replaces ``quantise``.

    Parameters
    ----------
    values : npt.NDArray[np.floating] of shape (samples, features)
        Features in [-1, 1]. float32 and float64 are read without a copy; other types are converted.
    labels : npt.NDArray[np.int16] of shape (samples,) or (samples, labels)
        Labels; one per head if heads have their own labels.
    layout : SampleLayout
        The layout. It has 1 base plane or more or, with ``levels``, those of the table.
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
    out : npt.NDArray[np.uint8] of shape (samples, layout.size), optional
        Contiguous array for the result; by default a new array.

    Returns
    -------
    npt.NDArray[np.uint8] of shape (samples, layout.size)
        One row per sample.

    Raises
    ------
    ValueError
        A value is out of range or not a number (the contents of ``out`` are then undefined); a label does not have the
        layout's form; an argument is out of range; the shapes do not match.
    """
    if levels is None and layout.p == 0:
        raise ValueError("p must be in 1..8, not 0")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    rows = np.asarray(rows)
    words = _checked_labels(values, labels, rows, layout)
    table, unit = _table(levels, layout.p, layout.features)
    shape = (rows.size, layout.size)
    if out is None:
        out = np.empty(shape, dtype=np.uint8)
    elif out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise ValueError(
            f"out must be contiguous uint8 with the shape {shape}, not {out.dtype} with {out.shape}"
        )
    numbers = read_only(values if values.dtype == np.float32 else values.astype(np.float64, copy=False))
    if layout.intercept:
        check_intercept(numbers, rows, levels)
    keys = np.empty((rows.size, (layout.m + 1) // 2), dtype=np.uint32)
    for pair in range(keys.shape[1]):
        keys[:, pair] = row_keys(seed, epoch, rows, pair)

    def work(part: slice) -> bool:
        return pack_rows(
            numbers[part],
            words[part],
            keys[part],
            table,
            unit,
            layout.sent_features,
            layout.p,
            layout.m,
            layout.lanes,
            int(layout.label_form),
            out[part],
        )

    parts = _split_evenly(rows.size, threads)
    if len(parts) > 1:
        with ThreadPoolExecutor(len(parts)) as pool:
            inside = list(pool.map(work, parts))
    else:
        inside = [work(parts[0])]
    if not all(inside):
        raise _out_of_range(numbers, rows, levels)
    return out


def unpack(data: _Bytes, layout: SampleLayout) -> Codes:
    """The inverse of :func:`pack`, with the results of the golden model's ``unweave``.

    Parameters
    ----------
    data : npt.NDArray[np.uint8] of shape (samples, layout.size)
        Samples on the wire.
    layout : SampleLayout
        The layout.

    Returns
    -------
    Codes
        The quantised samples. The intercept is the highest level if the layout leaves it out.

    Raises
    ------
    ValueError
        ``data`` does not match the layout.
    """
    if data.ndim != 2 or data.shape[1] != layout.size or data.dtype != np.uint8:
        raise ValueError(
            f"data must be uint8 with the shape (samples, {layout.size}) for {layout.features} features, {layout.p} + "
            f"{layout.m} planes and {layout.lanes} lanes, not {data.dtype} with {data.shape}"
        )
    count = data.shape[0]
    words = np.empty((count, layout.labels), dtype=np.int16)
    base = np.empty((count, layout.features), dtype=np.int8)
    up = np.empty((count, layout.features), dtype=np.uint8)
    unpack_rows(
        read_only(data),
        layout.sent_features,
        layout.p,
        layout.m,
        layout.lanes,
        int(layout.label_form),
        words,
        base,
        up,
    )
    return Codes(base, up, words[:, 0] if layout.labels == 1 else words, layout.p, layout.m)
