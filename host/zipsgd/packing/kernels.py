"""The compiled loops of packing: rows of features to rows of bytes, and back.

A row is processed in segments of :data:`SEGMENT` features, in loops whose operands stay in the first-level cache:

* :func:`_even` or :func:`_between` computes the position of each value between the levels, in fixed point. Only these two
  depend on the levels;
* :func:`_split` splits the positions into base and fraction;
* :func:`_draw` compares the fractions with hashed uniform numbers, which gives the up bits;
* :func:`.gather` collects the bits of one plane, 8 features per byte;
* :func:`.weave` writes the planes in the order of the wire, chunk by chunk.

LLVM compiles all but the last to vector instructions. Numba widens 32-bit sums to 64 bits, which halves the vectors; the casts
prevent that.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled
from zipsgd.golden.quantise import FRACTION_BITS
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import LabelForm

from .bit_planes import WORD, gather, scatter, unweave, unweave_halves, weave, weave_halves

__all__ = ["pack_rows", "read_only", "scale_rows", "unpack_rows"]

_Number = TypeVar("_Number", bound=np.generic)
_Bytes = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.floating]
_Fixed = npt.NDArray[np.int32]
_Table = npt.NDArray[np.int16]

SEGMENT = 1024
"""Features that are processed at a time: whole chunks of any build, and few enough for the first-level cache."""
HALF_BYTE = 4
"""Lanes of a build whose planes are half bytes per chunk."""
_LABEL = 2
"""Bytes of a label that is a word."""
_BYTE, _SIGN = int(LabelForm.BYTE), int(LabelForm.SIGN)
_UNITS = float(1 << FRACTION_BITS)


def read_only(array: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """An array in the form that the kernels take: contiguous, aligned and read-only.

    Otherwise Numba would compile the kernels for more types.

    Parameters
    ----------
    array : npt.NDArray[np.generic]
        Any array.

    Returns
    -------
    npt.NDArray[np.generic]
        A view, or a copy if necessary.
    """
    plain = np.ascontiguousarray(array)
    view = (plain if plain.flags.aligned else plain.copy()).view()
    view.flags.writeable = False
    return view


@compiled
def _even(values: _Floats, unit: float, fixed: _Fixed) -> bool:
    """Values times ``unit``, rounded half up. Returns whether a value was outside [-1, 1]."""
    outside = np.int32(0)
    for j in range(values.size):
        value = np.float64(values[j])
        outside = np.int32(outside | np.int32(not abs(value) <= 1))
        fixed[j] = np.int32(np.floor(value * unit + 0.5))
    return bool(outside)


@compiled
def _between(values: _Floats, unit: float, table: _Table, first: int, lowest: int, fixed: _Fixed) -> bool:
    """Level indices, counted from ``lowest``, plus the position in the gap in units of 2^-16.

    ``values`` times ``unit`` belong to the columns ``first`` and following of ``table``, whose shape is (levels, columns).
    Returns whether a value was outside its column's levels.
    """
    size, last = values.size, table.shape[0] - 1
    whole = np.empty(size, dtype=np.int16)
    number = np.zeros(size, dtype=np.int16)
    for j in range(size):
        scaled = np.float64(values[j]) * unit
        whole[j] = np.int16(np.int32(np.floor(scaled))) if abs(scaled) <= unit else np.int16(0)
    for i in range(1, last):
        level = table[i, first : first + size]
        for j in range(size):
            number[j] = np.int16(number[j] + np.int16(whole[j] >= level[j]))
    bottom, top = table[0, first : first + size], table[last, first : first + size]
    outside = np.int32(0)
    for j in range(size):
        scaled = np.float64(values[j]) * unit
        outside = np.int32(outside | np.int32(not (scaled >= bottom[j] and scaled <= top[j])))
        k, column = np.uintp(number[j]), np.uintp(first + j)
        low = np.int32(table[k, column])
        # Without a gap, the value equals the level
        gap = max(np.int32(np.int32(table[k + np.uintp(1), column]) - low), np.int32(1))
        position = (scaled - np.float64(low)) / np.float64(gap)
        fraction = np.int32(np.floor(position * _UNITS + 0.5))
        fixed[j] = np.int32(np.int32(np.int32(number[j] + lowest) << np.int32(FRACTION_BITS)) + fraction)
    return bool(outside)


@compiled
def _split(fixed: _Fixed, top: int, base: _Bytes) -> None:
    """Write base levels (modulo 256), at most ``top``, to ``base``; replace ``fixed`` by the fractions, 0 to 2^16."""
    highest = np.int32(top)
    for j in range(fixed.size):
        k = min(np.int32(fixed[j] >> np.int32(FRACTION_BITS)), highest)
        base[j] = np.uint8(k)
        fixed[j] = np.int32(fixed[j] - np.int32(k << np.int32(FRACTION_BITS)))


@compiled
def _draw(fraction: _Fixed, first: int, key: int, shift: int, up: _Bytes) -> None:
    """Write a pair of up bits at ``shift``, for features from number ``first`` on. Bits above are cleared, bits below are kept.

    The hash is that of :func:`zipsgd.golden.quantise.uniform16`.
    """
    start = np.uint32(np.uint32(key) + np.uint32(np.uint32(first) * np.uint32(0x9E3779B9)))
    place = np.uint32(shift)
    kept = np.uint32((1 << shift) - 1)
    for j in range(fraction.size):
        h = np.uint32(start + np.uint32(np.uint32(j) * np.uint32(0x9E3779B9)))
        h = np.uint32(np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
        h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
        h = np.uint32(h ^ (h >> np.uint32(16)))
        low = np.uint32(np.int32(h & np.uint32(0xFFFF)) < fraction[j])
        high = np.uint32(np.int32(h >> np.uint32(16)) < fraction[j])
        pair = np.uint32(low | np.uint32(high << np.uint32(1)))
        up[j] = np.uint8(np.uint32(up[j] & kept) | np.uint32(pair << place))


@compiled
def _put_label(label: int, row: _Bytes, place: int) -> None:
    word = np.uint16(label)
    row[place], row[place + 1] = np.uint8(word), np.uint8(word >> np.uint16(8))


@compiled
def _put_first_label(label: int, form: int, row: _Bytes) -> int:
    """Write the label before the planes; returns its bytes."""
    if form == _BYTE:
        row[0] = np.uint8(label)
    elif form == _SIGN:
        row[0] = np.uint8(label > 0)
    else:
        _put_label(label, row, 0)
        return _LABEL
    return 1


@compiled
def _label_at(row: _Bytes, place: int) -> Any:
    return np.int16(np.uint16(row[place] | np.uint16(row[place + 1]) << np.uint16(8)))


@compiled
def _first_label(row: _Bytes, form: int) -> Any:
    """The label before the planes."""
    if form == _BYTE:
        return np.int16(row[0])
    if form == _SIGN:
        return np.int16(LABEL_ONE if row[0] & 1 else -LABEL_ONE)
    return _label_at(row, 0)


@compiled
def pack_rows(
    values: _Floats,
    labels: npt.NDArray[np.int16],
    keys: npt.NDArray[np.uint32],
    table: _Table,
    unit: float,
    features: int,
    p: int,
    m: int,
    lanes: int,
    form: int,
    out: _Bytes,
) -> bool:
    """Quantise rows of values and weave them into rows of bytes.

    Parameters
    ----------
    values : npt.NDArray[np.floating] of shape (rows, at least features)
        Features.
    labels : npt.NDArray[np.int16] of shape (rows, labels per sample)
        Labels.
    keys : npt.NDArray[np.uint32] of shape (rows, ceil(m / 2))
        A hash key for each pair of up bits.
    table : npt.NDArray[np.int16] of shape (2^p + 1, at least features) or (0, at least features)
        Levels in units of 1 / ``unit``; empty for evenly spaced levels.
    unit : float
        Scale of the levels. For evenly spaced levels, 2^16 over their distance.
    features : int
        Number of features on the wire.
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    lanes : int
        Features per chunk.
    form : int
        Form of the label, a :class:`.LabelForm`. Other labels than the first are words.
    out : npt.NDArray[np.uint8] of shape (rows, sample_bytes)
        Receives the samples.

    Returns
    -------
    bool
        Whether all values were within the levels.
    """
    size = out.shape[1]
    lowest = -(1 << p >> 1)
    top = lowest + (1 << p) - 1
    fixed = np.empty(SEGMENT, dtype=np.int32)
    base, up = np.empty(SEGMENT, dtype=np.uint8), np.empty(SEGMENT, dtype=np.uint8)
    base_words, up_words = base.view(np.uint64), up.view(np.uint64)
    planes = np.empty((p + m, SEGMENT // 64), dtype=np.uint64)
    plane_bytes = planes.view(np.uint8)
    row = np.empty(size + WORD, dtype=np.uint8)
    outside = False
    for i in range(values.shape[0]):
        begin = _put_first_label(labels[i, 0], form, row)
        at = np.uintp(2 * begin if lanes == HALF_BYTE else begin)
        for start in range(0, features, SEGMENT):
            count = min(SEGMENT, features - start)
            filled = (count + 7) >> 3
            part = values[i, start : start + count]
            if table.shape[0]:
                outside |= _between(part, unit, table, start, lowest, fixed)
            else:
                outside |= _even(part, unit, fixed)
            _split(fixed[:count], top, base)
            for pair in range(keys.shape[1]):
                _draw(fixed[:count], start, keys[i, pair], 2 * pair, up)
            base[count : 8 * filled] = 0
            up[count : 8 * filled] = 0
            for j in range(p):
                gather(base_words, p - 1 - j, plane_bytes[j, :filled])
            for j in range(m):
                gather(up_words, j, plane_bytes[p + j, :filled])
            if lanes == HALF_BYTE:
                at = weave_halves(planes, (count + 3) >> 2, row, at)
            else:
                at = weave(planes, filled, lanes >> 3, row, at)
        for j in range(1, labels.shape[1]):
            _put_label(labels[i, j], row, size + _LABEL * (j - labels.shape[1]))
        for j in range(size):
            out[i, j] = row[j]
    return not outside


@compiled
def unpack_rows(
    data: _Bytes,
    features: int,
    p: int,
    m: int,
    lanes: int,
    form: int,
    labels: npt.NDArray[np.int16],
    base: npt.NDArray[np.int8],
    up: _Bytes,
) -> None:
    """The inverse of :func:`pack_rows`.

    Parameters
    ----------
    data : npt.NDArray[np.uint8] of shape (rows, sample_bytes)
        Samples.
    features : int
        Number of features on the wire.
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    lanes : int
        Features per chunk.
    form : int
        Form of the label.
    labels : npt.NDArray[np.int16] of shape (rows, labels per sample)
        Receives the labels.
    base : npt.NDArray[np.int8] of shape (rows, at least features)
        Receives the base levels. What is not on the wire becomes the highest level.
    up : npt.NDArray[np.uint8] of shape (rows, at least features)
        Receives the up bits.
    """
    size = data.shape[1]
    base_codes, up_codes = np.empty(SEGMENT, dtype=np.uint8), np.empty(SEGMENT, dtype=np.uint8)
    base_words, up_words = base_codes.view(np.uint64), up_codes.view(np.uint64)
    planes = np.empty((p + m, SEGMENT // 64), dtype=np.uint64)
    plane_bytes = planes.view(np.uint8)
    row = np.zeros(size + WORD, dtype=np.uint8)
    top = np.uint8(1 << p >> 1)
    begin = 1 if form in (_BYTE, _SIGN) else _LABEL
    for i in range(data.shape[0]):
        for j in range(size):
            row[j] = data[i, j]
        labels[i, 0] = _first_label(row, form)
        for j in range(1, labels.shape[1]):
            labels[i, j] = _label_at(row, size + _LABEL * (j - labels.shape[1]))
        at = np.uintp(2 * begin if lanes == HALF_BYTE else begin)
        for start in range(0, features, SEGMENT):
            count = min(SEGMENT, features - start)
            filled = (count + 7) >> 3
            if lanes == HALF_BYTE:
                at = unweave_halves(row, at, (count + 3) >> 2, planes)
            else:
                at = unweave(row, at, filled, lanes >> 3, planes)
            base_words[:filled] = 0
            up_words[:filled] = 0
            for j in range(p):
                scatter(plane_bytes[j, :filled], p - 1 - j, base_words)
            for j in range(m):
                scatter(plane_bytes[p + j, :filled], j, up_words)
            base_part, up_part = base[i, start : start + count], up[i, start : start + count]
            for j in range(count):
                base_part[j] = np.int8((base_codes[j] ^ top) - top)
                up_part[j] = up_codes[j]
        for j in range(features, base.shape[1]):
            base[i, j] = np.int8((1 << p >> 1) - 1 if p else 0)
            up[i, j] = np.uint8((1 << m) - 1)


@compiled
def scale_rows(
    values: _Floats,
    centre: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    scale: np.float32,
    last: np.float32,
    out: npt.NDArray[np.float32],
) -> None:
    """Scale rows to (value - centre) / spread, clipped to [-1, 1], times ``scale`` as float32, and append a constant column.

    Parameters
    ----------
    values : npt.NDArray[np.floating] of shape (rows, columns)
        Values in the units of the data.
    centre : npt.NDArray[np.float64] of shape (columns,)
        Centre of each column.
    spread : npt.NDArray[np.float64] of shape (columns,)
        Spread of each column.
    scale : np.float32
        Factor of the scaled values.
    last : np.float32
        Value of the last column.
    out : npt.NDArray[np.float32] of shape (rows, columns + 1)
        Receives the scaled values.
    """
    columns = values.shape[1]
    for i in range(values.shape[0]):
        for j in range(columns):
            scaled = (np.float64(values[i, j]) - centre[j]) / spread[j]
            if scaled < -1:
                scaled = -1.0
            elif scaled > 1:
                scaled = 1.0
            out[i, j] = np.float32(np.float32(scaled) * scale)
        out[i, columns] = last
