"""One sample, compiled: its quantisations, dot products, derivatives and gradient."""

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
    align,
)

__all__ = [
    "add",
    "add_both",
    "code_row",
    "code_score",
    "delta",
    "draw_row",
    "exact_residual",
    "look_up",
    "prefetch_row",
    "products",
    "train_heads",
    "train_sample",
]

_CACHE_LINE = 64


def _prefetch_intrinsic(typing_context: Any, address: Any) -> Any:
    """Numba's recipe for ``_prefetch(address)``: fetch a cache line that will be read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, word, word, word])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (pointer.type,), kind)
        builder.call(prefetch, [pointer, word(0), word(3), word(1)])  # for reading, keep close, data
        return context.get_dummy_value()

    return types.void(types.uintp), generate


_prefetch = cast(Callable[[Any], None], intrinsic(_prefetch_intrinsic))


@compiled
def prefetch_row(start: int, size: int) -> None:
    """Fetch the row of ``size`` bytes that comes next: in shuffled order the hardware cannot foresee it."""
    for offset in range(0, size, _CACHE_LINE):
        _prefetch(np.uintp(start + offset))


# Numba widens 32-bit sums to 64 bits, which halves the vectors: hence the casts to ``word``, the type of the sums.


@compiled
def draw_row(
    fixed: Matrix, row: int, key: int, m: int, top: int, q1: Vector, q2: Vector, q3: Vector
) -> tuple[Any, Any]:
    """A pair of quantisations of a row of fixed-point features, with the up bits of the ``key`` of row and pair; returns both
    products with q3.

    With m = 0, only Q_1 is made, which is the base ``k``, at most ``top``.
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
    """A ``pair`` of quantisations of a row of codes, Q_1 and Q_2 or further ones; returns both products with q3."""
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
def code_score(base: Matrix, row: int, q3: Vector) -> Any:
    """The product of q3 with the base of a row of codes."""
    word = q3.dtype.type
    z = word(0)
    for j in range(q3.size):
        z = word(z + word(word(base[row, j]) * q3[j]))
    return z


@compiled
def look_up(table: Matrix, offset: int, q1: Vector, q2: Vector, q3: Vector) -> tuple[Any, Any]:
    """Numbers of levels, less ``offset``, to the levels of ``table``, in place; returns both products with q3."""
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
    """Both products with q3."""
    word = q3.dtype.type
    z1, z2 = word(0), word(0)
    for j in range(q1.size):
        z1 = word(z1 + word(word(q1[j]) * q3[j]))
        z2 = word(z2 + word(word(q2[j]) * q3[j]))
    return z1, z2


@compiled
def exact_residual(z: Any, label: Any, run: Run) -> Any:
    """z - b at the residual's binary point."""
    return (np.int64(z) << run.z_shift) - (np.int64(label) << run.label_shift)


@compiled
def _residual(z: Any, label: Any, run: Run) -> tuple[int, int]:
    """The same, saturated, and the flag."""
    exact: Any = exact_residual(z, label, run)
    clamped = min(max(exact, -run.residual_limit), run.residual_limit - 1)
    return clamped, RESIDUAL if clamped != exact else 0


@compiled
def _derivative(residual: int, label: Any, run: Run) -> tuple[int, int]:
    """The residual where it counts, and the loss's derivative."""
    if run.loss == SQUARED:
        return residual, residual
    if residual > 0 if label < 0 else residual < 0:
        if run.loss == HINGE:
            return residual, run.one if label < 0 else -run.one
        return residual, residual
    return 0, 0


@compiled
def delta(derivative: int, lfsr: int, run: Run) -> tuple[int, int]:
    """step * derivative, rounded by the draw of the loss unit's LFSR and saturated, and the flag."""
    product = (derivative * run.mantissa) << run.step_shift
    rounded = (product + align(lfsr, run.delta_drop)) >> run.delta_drop
    clamped = min(max(rounded, -run.delta_limit), run.delta_limit)
    return clamped, DELTA if clamped != rounded else 0


@compiled
def add(accumulated: Vector, q: Vector, delta: int) -> None:
    word = accumulated.dtype.type
    weight = word(delta)
    for j in range(q.size):
        accumulated[j] = word(accumulated[j] + word(word(q[j]) * weight))


@compiled
def add_both(accumulated: Vector, q1: Vector, delta1: int, q2: Vector, delta2: int) -> None:
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
    """Residuals, loss and gradient of one sample; of one that is ``left_out`` both are 0.

    The arrays of the state come one by one: a tuple of them would cost a reference count for each, at each call.
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
        add_both(accumulated, q1, delta2, q2, delta1)
    else:
        add(accumulated, q1, 2 * delta2)


@compiled
def train_heads(q1: Vector, q2: Vector, z1: Any, z2: Any, labels: Vector, run: Run, state: State) -> None:
    """One sample for all heads; ``z1`` and ``z2`` are of the first."""
    room = state.q3.size // run.heads
    lfsr = state.loss_lfsr[0]
    for head in range(run.heads):
        state.loss_lfsr[0] = lfsr  # all heads draw the same
        part = slice(head * room, head * room + q1.size)
        if head:
            z1, z2 = products(q1, q2, state.q3[part])
        if run.one_against_all:
            label: Any = LABEL_ONE if labels[0] == head else -LABEL_ONE
        else:
            label = np.int64(labels[head])
        train_sample(q1, q2, z1, z2, label, run, state.accumulated[part], state.loss_lfsr, state.totals)
