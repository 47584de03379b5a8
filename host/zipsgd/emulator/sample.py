"""Compiled training on one sample: its quantisations, dot products, derivatives and gradient."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from zipsgd.compiled import compiled
from zipsgd.golden.quantise import FRACTION_BITS
from zipsgd.protocol.numbers import LABEL_ONE

from .state import (
    DELTA,
    FLAGS,
    HINGE,
    LOSS_HIGH,
    LOSS_LOW,
    RESIDUAL,
    SQUARED,
    Int,
    Matrix,
    Run,
    State,
    Vector,
    advance,
    align_draw,
)

__all__ = [
    "accumulate",
    "accumulate_pair",
    "base_score",
    "code_row",
    "delta",
    "draw_row",
    "exact_residual",
    "look_up_levels",
    "prefetch_row",
    "products",
    "train_heads",
    "train_sample",
]

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


@compiled
def exact_residual(z: Any, label: Any, run: Run) -> Any:
    """z - b at the residual's binary point, before saturation.

    Parameters
    ----------
    z : int
        Dot product.
    label : int
        Label in units of 2^-15.
    run : Run
        Constants of the epoch.

    Returns
    -------
    int
        The residual.
    """
    return (np.int64(z) << run.z_shift) - (np.int64(label) << run.label_shift)


@compiled
def _residual(z: Any, label: Any, run: Run) -> tuple[int, int]:
    """The saturated residual, and the flag."""
    exact: Any = exact_residual(z, label, run)
    clamped = min(max(exact, -run.residual_limit), run.residual_limit - 1)
    return clamped, RESIDUAL if clamped != exact else 0


@compiled
def _derivative(residual: int, label: Any, run: Run) -> tuple[int, int]:
    """The residual of a sample within the margin (else 0), and the derivative of the loss."""
    if run.loss == SQUARED:
        return residual, residual
    if residual > 0 if label < 0 else residual < 0:
        if run.loss == HINGE:
            return residual, run.one if label < 0 else -run.one
        return residual, residual
    return 0, 0


@compiled
def delta(derivative: int, lfsr: int, run: Run) -> tuple[int, int]:
    """step * derivative, stochastically rounded and saturated.

    Parameters
    ----------
    derivative : int
        Derivative of the loss.
    lfsr : int
        Draw of the loss unit's LFSR.
    run : Run
        Constants of the epoch.

    Returns
    -------
    tuple[int, int]
        Delta, and the flag.
    """
    product = (derivative * run.mantissa) << run.step_shift
    rounded = (product + align_draw(lfsr, run.delta_drop)) >> run.delta_drop
    clamped = min(max(rounded, -run.delta_limit), run.delta_limit)
    return clamped, DELTA if clamped != rounded else 0


@compiled
def accumulate(accumulated: Vector, q: Vector, delta: int) -> None:
    """Add delta times a quantisation to the gradient.

    Parameters
    ----------
    accumulated : npt.NDArray[np.integer] of shape (features,)
        Gradient of the mini-batch; updated in place.
    q : npt.NDArray[np.int32] of shape (features,)
        The quantisation.
    delta : int
        Its weight.
    """
    word = accumulated.dtype.type
    weight = word(delta)
    for j in range(q.size):
        accumulated[j] = word(accumulated[j] + word(word(q[j]) * weight))


@compiled
def accumulate_pair(accumulated: Vector, q1: Vector, delta1: int, q2: Vector, delta2: int) -> None:
    """Add both products of the symmetric estimator to the gradient.

    Parameters
    ----------
    accumulated : npt.NDArray[np.integer] of shape (features,)
        Gradient of the mini-batch; updated in place.
    q1, q2 : npt.NDArray[np.int32] of shape (features,)
        The quantisations.
    delta1, delta2 : int
        The weights of ``q1`` and ``q2``.
    """
    word = accumulated.dtype.type
    weight1, weight2 = word(delta1), word(delta2)
    for j in range(q1.size):
        both = word(word(word(q1[j]) * weight1) + word(word(q2[j]) * weight2))
        accumulated[j] = word(accumulated[j] + both)


@compiled
def train_sample(
    q1: Vector,
    q2: Vector,
    z1: Any,
    z2: Any,
    label: int,
    run: Run,
    accumulated: Vector,
    loss_lfsr: Int,
    totals: Int,
    left_out: bool = False,
) -> None:
    """Residuals, loss and gradient of one sample for one head.

    The state's arrays are separate arguments: passing a tuple would cost a reference count for each array in each call.

    Parameters
    ----------
    q1, q2 : npt.NDArray[np.int32] of shape (features,)
        Quantisations.
    z1, z2 : int
        Dot products.
    label : int
        Label in units of 2^-15.
    run : Run
        Constants of the epoch.
    accumulated : npt.NDArray[np.integer] of shape (features,)
        Gradient of the mini-batch; updated in place.
    loss_lfsr : npt.NDArray[np.int64] of shape (1,)
        State of the loss unit's LFSR; updated in place.
    totals : npt.NDArray[np.int64] of shape (3,)
        Flags and loss sum; updated in place.
    left_out : bool
        The sample is in doubt, and contributes neither loss nor gradient.
    """
    lfsr = loss_lfsr[0]
    r1, flags = _residual(z1, label, run)
    within, last = _derivative(r1, label, run)
    if left_out:
        within, last = 0, 0
    delta1, flag = delta(last, lfsr, run)
    flags |= flag
    lfsr = advance(lfsr)
    delta2 = delta1
    if run.m == 2:
        r2, flag = _residual(z2, label, run)
        flags |= flag
        _, last = _derivative(r2, label, run)
        if left_out:
            last = 0
        delta2, flag = delta(last, lfsr, run)
        flags |= flag
        lfsr = advance(lfsr)
    loss_lfsr[0] = lfsr
    product = within * last
    totals[LOSS_LOW] += product & 0xFFFFFFFF
    totals[LOSS_HIGH] += product >> 32
    totals[FLAGS] |= flags
    if run.symmetric:
        accumulate_pair(accumulated, q1, delta2, q2, delta1)
    else:
        accumulate(accumulated, q1, 2 * delta2)


@compiled
def train_heads(q1: Vector, q2: Vector, z1: Any, z2: Any, labels: Vector, run: Run, state: State) -> None:
    """Train all heads on one sample.

    Parameters
    ----------
    q1, q2 : npt.NDArray[np.int32] of shape (features,)
        Quantisations.
    z1, z2 : int
        Dot products of the first head.
    labels : npt.NDArray[np.int16] of shape (labels per sample,)
        Labels.
    run : Run
        Constants of the epoch.
    state : State
        Updated in place.
    """
    room = state.q3.size // run.heads
    lfsr = state.loss_lfsr[0]
    for head in range(run.heads):
        state.loss_lfsr[0] = lfsr  # all heads draw the same numbers
        part = slice(head * room, head * room + q1.size)
        if head:
            z1, z2 = products(q1, q2, state.q3[part])
        if run.one_against_all:
            label: Any = LABEL_ONE if labels[0] == head else -LABEL_ONE
        else:
            label = np.int64(labels[head])
        train_sample(q1, q2, z1, z2, label, run, state.accumulated[part], state.loss_lfsr, state.totals)
