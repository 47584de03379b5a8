"""Compiled quantisations of one sample, and their dot products with the rounded model."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from zipsgd.compiled import compiled
from zipsgd.golden.quantise import FRACTION_BITS

from .state import Int, Matrix, Vector

__all__ = ["base_score", "code_row", "draw_row", "look_up_levels", "prefetch_row", "products", "row_keys"]

_CACHE_LINE = 64


def _prefetch_intrinsic(typing_context: Any, address: Any) -> Any:
    """Numba's implementation of ``_prefetch(address)``: fetch a cache line that will be read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, word, word, word])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (pointer.type,), kind)
        builder.call(prefetch, [pointer, word(0), word(3), word(1)])  # read access, high locality, data cache
        return context.get_dummy_value()

    return types.void(types.uintp), generate


_prefetch = cast(Callable[[Any], None], intrinsic(_prefetch_intrinsic))


@compiled
def prefetch_row(start: int, size: int) -> None:
    """Fetch the next row into the cache: in shuffled order the hardware cannot predict it.

    Parameters
    ----------
    start : int
        Address of the row.
    size : int
        Bytes of the row.
    """
    for offset in range(0, size, _CACHE_LINE):
        _prefetch(np.uintp(start + offset))


@compiled
def _mix(value: np.uint32) -> np.uint32:
    """The hash of 32 bits of :mod:`zipsgd.golden.quantise`."""
    h = np.uint32(np.uint32(value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@compiled
def row_keys(low: int, high: int, epoch: int, rows: Int, pairs: int) -> npt.NDArray[np.uint32]:
    """Hash keys as :func:`zipsgd.golden.quantise.row_keys`, for several pairs of up bits.

    Parameters
    ----------
    low, high : int
        The lower and upper 32 bits of the seed.
    epoch : int
        Number of the epoch.
    rows : npt.NDArray[np.int64] of shape (samples,)
        Row numbers.
    pairs : int
        Number of pairs.

    Returns
    -------
    npt.NDArray[np.uint32] of shape (samples, pairs)
        The keys.
    """
    keys = np.empty((rows.size, pairs), dtype=np.uint32)
    for pair in range(pairs):
        key = np.uint32(0)
        for word in (low, high, epoch, pair):
            key = _mix(np.uint32(np.uint32(key + np.uint32(0x9E3779B9)) ^ np.uint32(word)))
        for i in range(rows.size):
            keys[i, pair] = _mix(np.uint32(key ^ np.uint32(rows[i])))
    return keys


# Numba widens 32-bit sums to 64 bits, which halves the vectors. The casts to ``word``, the type of the sums, prevent that.


@compiled
def draw_row(
    fixed: Matrix, row: int, key: int, m: int, top: int, q1: Vector, q2: Vector, q3: Vector
) -> tuple[Any, Any]:
    """Draw a pair of quantisations of a row, and compute their dot products with Q3.

    With m = 0, only Q_1 is computed, which is the base.

    Parameters
    ----------
    fixed : npt.NDArray[np.int32] of shape (rows, features)
        Features in fixed point.
    row : int
        Row number.
    key : int
        Hash key of row and pair.
    m : int
        Number of up planes.
    top : int
        Largest base.
    q1, q2 : npt.NDArray[np.int32] of shape (features,)
        Receive the quantisations.
    q3 : npt.NDArray[np.integer] of shape (features,)
        The rounded model.

    Returns
    -------
    tuple of two integers of the type of ``q3``
        The dot products.
    """
    word = q3.dtype.type
    z1, z2 = word(0), word(0)
    if m == 0:
        limit = np.int32(top)
        for j in range(q1.size):
            q1[j] = min(np.int32(fixed[row, j] >> FRACTION_BITS), limit)
            z1 = word(z1 + word(word(q1[j]) * q3[j]))
        return z1, z1
    counter = np.uint32(key)
    for j in range(q1.size):
        h = np.uint32(np.uint32(counter ^ (counter >> np.uint32(16))) * np.uint32(0x7FEB352D))
        h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
        h = np.uint32(~(h ^ (h >> np.uint32(16))))
        counter = np.uint32(counter + np.uint32(0x9E3779B9))
        q1[j] = np.int32(fixed[row, j] + np.int32(h & np.uint32(0xFFFF))) >> FRACTION_BITS
        q2[j] = np.int32(fixed[row, j] + np.int32(h >> np.uint32(16))) >> FRACTION_BITS
        z1 = word(z1 + word(word(q1[j]) * q3[j]))
        z2 = word(z2 + word(word(q2[j]) * q3[j]))
    return z1, z2


@compiled
def code_row(
    base: Matrix, up: Matrix, row: int, pair: int, q1: Vector, q2: Vector, q3: Vector
) -> tuple[Any, Any]:
    """Compute a pair of quantisations of a row of codes, and their dot products with Q3.

    Parameters
    ----------
    base : npt.NDArray[np.int8] of shape (samples, features)
        Base levels.
    up : npt.NDArray[np.uint8] of shape (samples, features)
        Up bits.
    row : int
        Index of the sample.
    pair : int
        Index of the pair: 0 for Q_1 and Q_2.
    q1, q2 : npt.NDArray[np.int32] of shape (features,)
        Receive the quantisations.
    q3 : npt.NDArray[np.integer] of shape (features,)
        The rounded model.

    Returns
    -------
    tuple of two integers of the type of ``q3``
        The dot products.
    """
    word = q3.dtype.type
    z1, z2 = word(0), word(0)
    for j in range(q1.size):
        bits = up[row, j] >> np.uint8(2 * pair)
        q1[j] = base[row, j] + (bits & 1)
        q2[j] = base[row, j] + (bits >> 1 & 1)
        z1 = word(z1 + word(word(q1[j]) * q3[j]))
        z2 = word(z2 + word(word(q2[j]) * q3[j]))
    return z1, z2


@compiled
def base_score(base: Matrix, row: int, q3: Vector) -> Any:
    """The dot product of a sample's base with Q3.

    Parameters
    ----------
    base : npt.NDArray[np.int8] of shape (samples, features)
        Base levels.
    row : int
        Index of the sample.
    q3 : npt.NDArray[np.integer] of shape (features,)
        The rounded model.

    Returns
    -------
    integer of the type of ``q3``
        The dot product.
    """
    word = q3.dtype.type
    z = word(0)
    for j in range(q3.size):
        z = word(z + word(word(base[row, j]) * q3[j]))
    return z


@compiled
def look_up_levels(table: Matrix, offset: int, q1: Vector, q2: Vector, q3: Vector) -> tuple[Any, Any]:
    """Replace level indices by levels in place, and compute the dot products with Q3.

    Parameters
    ----------
    table : npt.NDArray[np.int16] of shape (features, levels)
        The levels.
    offset : int
        Added to a base to obtain its level index.
    q1, q2 : npt.NDArray[np.int32] of shape (features,)
        Bases plus up bits; replaced by levels.
    q3 : npt.NDArray[np.integer] of shape (features,)
        The rounded model.

    Returns
    -------
    tuple of two integers of the type of ``q3``
        The dot products.
    """
    word = q3.dtype.type
    z1, z2 = word(0), word(0)
    for j in range(q1.size):
        q1[j] = table[j, q1[j] + offset]
        q2[j] = table[j, q2[j] + offset]
        z1 = word(z1 + word(word(q1[j]) * q3[j]))
        z2 = word(z2 + word(word(q2[j]) * q3[j]))
    return z1, z2


@compiled
def products(q1: Vector, q2: Vector, q3: Vector) -> tuple[Any, Any]:
    """The dot products of two quantisations with Q3.

    Parameters
    ----------
    q1, q2 : npt.NDArray[np.int32] of shape (features,)
        The quantisations.
    q3 : npt.NDArray[np.integer] of shape (features,)
        The rounded model.

    Returns
    -------
    tuple of two integers of the type of ``q3``
        The dot products.
    """
    word = q3.dtype.type
    z1, z2 = word(0), word(0)
    for j in range(q1.size):
        z1 = word(z1 + word(word(q1[j]) * q3[j]))
        z2 = word(z2 + word(word(q2[j]) * q3[j]))
    return z1, z2
