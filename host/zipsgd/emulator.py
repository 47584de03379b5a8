"""The fast emulator: the golden model's bits at compiled speed.

One pass over a sample draws its quantisations and both dot products, a second adds its gradient. Instead of planes there
are whole integers, q_i = k + u_i, and the up bit costs no comparison: with a feature in fixed point, f = k 2^16 + fraction,
and a 16-bit uniform number w, ``(f + 2^16 - 1 - w) >> 16`` is k + 1 exactly where w < fraction.

The emulator shares with :mod:`zipsgd.golden` what the host hands to any backend (quantised samples, step, seeds, row keys,
fixed-point features) and computes everything that a device does in code of its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from zipsgd.compiled import compiled
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.prox import NO_PROX
from zipsgd.golden.quantise import FRACTION_BITS, Codes, fixed_point, level_offset, row_keys
from zipsgd.protocol.formats import (
    LABEL_FRAC,
    LABEL_ONE,
    LFSR_BITS,
    LFSR_DRAW,
    PHASE_BITS,
    SHRINK_SHIFT_MAX,
    STEP_EXP_MAX,
    Build,
    Flag,
    Loss,
)

__all__ = ["Emulator"]

_Int = npt.NDArray[np.int64]
_Vector = npt.NDArray[np.integer]
_Matrix = npt.NDArray[np.integer]


class _Run(NamedTuple):
    """Constants of an epoch, for the compiled functions: shifts, saturation limits, and how samples are combined."""

    features: int
    heads: int
    one_against_all: bool
    m: int
    batch: int
    symmetric: bool
    loss: int
    one: int  # at the residual's binary point
    level_offset: int  # from a base to its level's number; -1 for even levels
    z_shift: int
    label_shift: int
    residual_limit: int
    mantissa: int
    step_shift: int
    delta_drop: int
    delta_limit: int
    gradient_lift: int
    q4_drop: int
    gradient_limit: int
    gradient_shift: int
    model_limit: int
    q3_drop: int
    q3_top: int
    prox: bool
    shrink_shift: int
    shrink_rate: int
    threshold: int
    bound: int
    spare_last: bool


class _State(NamedTuple):
    """What an epoch changes, as arrays. Vectors hold the heads one behind the other, each padded with zeros to whole chunks."""

    master: _Int
    q3: _Vector  # int32 where a dot product fits in 32 bits, else int64
    accumulated: _Vector  # int32 where a mini-batch's sum fits in 32 bits, else int64
    draws: _Int
    update_lfsr: _Int
    loss_lfsr: _Int
    totals: _Int  # flags, and the loss sum in two parts: high * 2^32 + low
    phases: _Int  # of shrinking, and of the threshold


# Compiled functions see plain numbers only
_RESIDUAL, _DELTA = Flag.RESIDUAL, Flag.DELTA
_GRADIENT, _MODEL, _Q3 = Flag.GRADIENT, Flag.MODEL, Flag.Q3
_SQUARED, _HINGE = Loss.SQUARED.value, Loss.HINGE.value
_FLAGS, _LOSS_LOW, _LOSS_HIGH = range(3)
_PHASE_MASK = (1 << PHASE_BITS) - 1
_DRAW_MASK = (1 << LFSR_DRAW) - 1
_OLD_BITS = LFSR_BITS - LFSR_DRAW
_CACHE_LINE = 64


@compiled
def _leap(state: int) -> int:
    """An LFSR's state 28 steps on."""
    return (state >> LFSR_DRAW) | ((state ^ (state >> 3)) & _DRAW_MASK) << _OLD_BITS


@compiled
def _align(bits: int, drop: int) -> int:
    return bits << (drop - LFSR_DRAW) if drop > LFSR_DRAW else bits & ((1 << drop) - 1)


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
def _prefetch_row(start: int, size: int) -> None:
    """Fetch the row of ``size`` bytes that comes next: in shuffled order the hardware cannot foresee it."""
    for offset in range(0, size, _CACHE_LINE):
        _prefetch(np.uintp(start + offset))


# Numba widens 32-bit sums to 64 bits, which halves the vectors: hence the casts to ``word``, the type of the sums.


@compiled
def _draw_row(
    fixed: _Matrix, row: int, key: int, m: int, top: int, q1: _Vector, q2: _Vector, q3: _Vector
) -> tuple[Any, Any]:
    """Q_1 and Q_2 of a row of fixed-point features, with the up bits of the row's ``key``; returns both products with q3.

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
def _code_row(base: _Matrix, up: _Matrix, row: int, q1: _Vector, q2: _Vector, q3: _Vector) -> tuple[Any, Any]:
    """Q_1 and Q_2 of a row of codes; returns both products with q3."""
    word = q3.dtype.type
    z1, z2 = word(0), word(0)
    for j in range(q1.size):
        q1[j] = base[row, j] + (up[row, j] & 1)
        q2[j] = base[row, j] + (up[row, j] >> 1 & 1)
        z1 = word(z1 + word(word(q1[j]) * q3[j]))
        z2 = word(z2 + word(word(q2[j]) * q3[j]))
    return z1, z2


@compiled
def _look_up(table: _Matrix, offset: int, q1: _Vector, q2: _Vector, q3: _Vector) -> tuple[Any, Any]:
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
def _products(q1: _Vector, q2: _Vector, q3: _Vector) -> tuple[Any, Any]:
    """Both products with q3."""
    word = q3.dtype.type
    z1, z2 = word(0), word(0)
    for j in range(q1.size):
        z1 = word(z1 + word(word(q1[j]) * q3[j]))
        z2 = word(z2 + word(word(q2[j]) * q3[j]))
    return z1, z2


@compiled
def _residual(z: Any, label: Any, run: _Run) -> tuple[int, int]:
    """z - b at the residual's binary point, saturated, and the flag."""
    exact: Any = (np.int64(z) << run.z_shift) - (np.int64(label) << run.label_shift)
    clamped = min(max(exact, -run.residual_limit), run.residual_limit - 1)
    return clamped, _RESIDUAL if clamped != exact else 0


@compiled
def _derivative(residual: int, label: Any, run: _Run) -> tuple[int, int]:
    """The residual where it counts, and the loss's derivative."""
    if run.loss == _SQUARED:
        return residual, residual
    if residual > 0 if label < 0 else residual < 0:
        if run.loss == _HINGE:
            return residual, run.one if label < 0 else -run.one
        return residual, residual
    return 0, 0


@compiled
def _delta(derivative: int, lfsr: int, run: _Run) -> tuple[int, int]:
    """step * derivative, rounded by the draw of the loss unit's LFSR and saturated, and the flag."""
    product = (derivative * run.mantissa) << run.step_shift
    rounded = (product + _align(lfsr >> _OLD_BITS, run.delta_drop)) >> run.delta_drop
    clamped = min(max(rounded, -run.delta_limit), run.delta_limit)
    return clamped, _DELTA if clamped != rounded else 0


@compiled
def _add(accumulated: _Vector, q: _Vector, delta: int) -> None:
    word = accumulated.dtype.type
    weight = word(delta)
    for j in range(q.size):
        accumulated[j] = word(accumulated[j] + word(word(q[j]) * weight))


@compiled
def _add_both(accumulated: _Vector, q1: _Vector, delta1: int, q2: _Vector, delta2: int) -> None:
    word = accumulated.dtype.type
    weight1, weight2 = word(delta1), word(delta2)
    for j in range(q1.size):
        both = word(word(word(q1[j]) * weight1) + word(word(q2[j]) * weight2))
        accumulated[j] = word(accumulated[j] + both)


@compiled
def _sample(
    q1: _Vector,
    q2: _Vector,
    z1: Any,
    z2: Any,
    label: int,
    run: _Run,
    accumulated: _Vector,
    loss_lfsr: _Int,
    totals: _Int,
) -> None:
    """Residuals, loss and gradient of one sample.

    The arrays of the state come one by one: a tuple of them would cost a reference count for each, at each call.
    """
    lfsr = loss_lfsr[0]
    r1, flags = _residual(z1, label, run)
    within, last = _derivative(r1, label, run)
    delta1, flag = _delta(last, lfsr, run)
    flags |= flag
    lfsr = _leap(lfsr)
    delta2 = delta1
    if run.m == 2:
        r2, flag = _residual(z2, label, run)
        flags |= flag
        _, last = _derivative(r2, label, run)
        delta2, flag = _delta(last, lfsr, run)
        flags |= flag
        lfsr = _leap(lfsr)
    loss_lfsr[0] = lfsr
    product = within * last
    totals[_LOSS_LOW] += product & 0xFFFFFFFF
    totals[_LOSS_HIGH] += product >> 32
    totals[_FLAGS] |= flags
    if run.symmetric:
        _add_both(accumulated, q1, delta2, q2, delta1)
    else:
        _add(accumulated, q1, 2 * delta2)


@compiled
def _heads(q1: _Vector, q2: _Vector, z1: Any, z2: Any, labels: _Vector, run: _Run, state: _State) -> None:
    """One sample for all heads; ``z1`` and ``z2`` are of the first."""
    room = state.q3.size // run.heads
    lfsr = state.loss_lfsr[0]
    for head in range(run.heads):
        state.loss_lfsr[0] = lfsr  # all heads draw the same
        part = slice(head * room, head * room + q1.size)
        if head:
            z1, z2 = _products(q1, q2, state.q3[part])
        if run.one_against_all:
            label: Any = LABEL_ONE if labels[0] == head else -LABEL_ONE
        else:
            label = np.int64(labels[head])
        _sample(q1, q2, z1, z2, label, run, state.accumulated[part], state.loss_lfsr, state.totals)


@compiled
def _prox(run: _Run, state: _State) -> None:
    """The proximal step, by the draws of the update."""
    shrink, threshold = state.phases[0] + run.shrink_rate, state.phases[1] + run.threshold
    state.phases[0], state.phases[1] = shrink & _PHASE_MASK, threshold & _PHASE_MASK
    shrinks = shrink > _PHASE_MASK and run.shrink_shift > 0
    threshold >>= PHASE_BITS
    mask = (1 << run.shrink_shift) - 1
    room = state.master.size // run.heads
    bound = run.bound if run.bound else run.model_limit
    for j in range(state.master.size):
        if run.spare_last and j % room == run.features - 1:
            continue
        x = state.master[j]
        if shrinks:
            x -= (x + (state.draws[j] >> (LFSR_DRAW - SHRINK_SHIFT_MAX) & mask)) >> run.shrink_shift
        x -= min(max(x, -threshold), threshold)
        state.master[j] = min(max(x, -bound), bound)


@compiled
def _update(run: _Run, state: _State) -> None:
    """Q4, the step, the proximal step, and Q3; the accumulators are zero afterwards."""
    lanes = state.update_lfsr.size
    draws = state.draws
    room = draws.size // run.heads
    for start in range(0, room, lanes):
        for lane in range(lanes):
            draws[start + lane] = state.update_lfsr[lane] >> _OLD_BITS
            state.update_lfsr[lane] = _leap(state.update_lfsr[lane])
    for j in range(room, draws.size):  # all heads draw the same
        draws[j] = draws[j - room]
    mask4 = (1 << run.q4_drop) - 1
    mask3 = (1 << run.q3_drop) - 1
    gradient_clamped = False
    model_clamped = False
    q3_clamped = False
    for j in range(draws.size):
        lifted = np.int64(state.accumulated[j]) << run.gradient_lift
        rounded = (lifted + (draws[j] & mask4)) >> run.q4_drop
        gradient = min(max(rounded, -run.gradient_limit), run.gradient_limit - 1)
        gradient_clamped |= gradient != rounded
        moved = state.master[j] - (gradient << run.gradient_shift)
        model = min(max(moved, -run.model_limit), run.model_limit - 1)
        model_clamped |= model != moved
        state.master[j] = model
        state.accumulated[j] = 0
    if run.prox:
        _prox(run, state)
    for j in range(draws.size):
        q3 = (state.master[j] + (draws[j] >> run.q4_drop & mask3)) >> run.q3_drop
        q3_clamped |= q3 > run.q3_top
        state.q3[j] = min(q3, run.q3_top)
    if gradient_clamped:
        state.totals[_FLAGS] |= _GRADIENT
    if model_clamped:
        state.totals[_FLAGS] |= _MODEL
    if q3_clamped:
        state.totals[_FLAGS] |= _Q3


@compiled
def _epoch_codes(
    base: npt.NDArray[np.int8],
    up: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int16],
    table: npt.NDArray[np.int16],
    run: _Run,
    state: _State,
) -> None:
    q1 = np.empty(base.shape[1], dtype=np.int32)
    q2 = np.empty(base.shape[1], dtype=np.int32)
    q3, accumulated = state.q3[: q1.size], state.accumulated[: q1.size]
    loss_lfsr, totals = state.loss_lfsr, state.totals
    single = run.heads == 1 and not run.one_against_all
    for i in range(len(labels)):
        z1, z2 = _code_row(base, up, i, q1, q2, q3)
        if run.level_offset >= 0:
            z1, z2 = _look_up(table, run.level_offset, q1, q2, q3)
        if single:
            _sample(q1, q2, z1, z2, labels[i, 0], run, accumulated, loss_lfsr, totals)
        else:
            _heads(q1, q2, z1, z2, labels[i], run, state)
        if (i + 1) % run.batch == 0 or i + 1 == len(labels):
            _update(run, state)


@compiled
def _epoch_rows(
    fixed: npt.NDArray[np.int32],
    labels: npt.NDArray[np.int16],
    order: _Int,
    keys: npt.NDArray[np.uint32],
    table: npt.NDArray[np.int16],
    top: int,
    run: _Run,
    state: _State,
) -> None:
    q1 = np.empty(fixed.shape[1], dtype=np.int32)
    q2 = np.empty(fixed.shape[1], dtype=np.int32)
    q3, accumulated = state.q3[: q1.size], state.accumulated[: q1.size]
    loss_lfsr, totals = state.loss_lfsr, state.totals
    single = run.heads == 1 and not run.one_against_all
    address, row_bytes = np.int64(fixed.ctypes.data), fixed.strides[0]
    for i in range(order.size):
        if i + 1 < order.size:
            _prefetch_row(address + order[i + 1] * row_bytes, row_bytes)
        z1, z2 = _draw_row(fixed, order[i], keys[i], run.m, top, q1, q2, q3)
        if run.level_offset >= 0:
            if run.m == 0:
                q2[:] = q1
            z1, z2 = _look_up(table, run.level_offset, q1, q2, q3)
        if single:
            _sample(q1, q2, z1, z2, labels[order[i], 0], run, accumulated, loss_lfsr, totals)
        else:
            _heads(q1, q2, z1, z2, labels[order[i]], run, state)
        if (i + 1) % run.batch == 0 or i + 1 == order.size:
            _update(run, state)


class Emulator:
    """The device's state between epochs, and epochs of training: the same bits as golden.GoldenTrainer.

    Parameters
    ----------
    build : widths and limits.
    model : integers, shape (features,) or, of several heads, (heads, features): the master model to start from.
    seed : of the device's LFSRs.
    batch : samples of a mini-batch. The last one of an epoch may be smaller; its step per sample is the same.
    one_sided : g = Q_1 l'(z_2) rather than the symmetric mean.
    levels : what the codes number; None for even levels.
    loss : what is minimised.
    one_against_all : a sample's label is the number of its class, and each head tells one class from the others.
    epoch : number of the first one.

    Attributes
    ----------
    master, q3 : int64, shaped as ``model``: the model, and its rounded copy (copies of the emulator's own).
    flags : sticky overflow flags, bits of :class:`~zipsgd.protocol.formats.Flag`.
    """

    def __init__(
        self,
        build: Build,
        model: npt.ArrayLike,
        *,
        seed: int,
        batch: int,
        one_sided: bool = False,
        levels: LevelTable | None = None,
        loss: Loss = Loss.SQUARED,
        one_against_all: bool = False,
        epoch: int = 0,
    ) -> None:
        start = np.array(model, dtype=np.int64)
        if start.ndim not in (1, 2) or not 1 <= start.size <= build.max_features:
            raise ValueError(
                f"the model must have 1 to {build.max_features} features, in a vector or one for each head, not the shape "
                f"{start.shape}"
            )
        if not 1 <= batch <= build.max_batch:
            raise ValueError(f"batch must be in 1..{build.max_batch}, not {batch}")
        self.build = build
        self.batch = batch
        self.one_sided = one_sided
        self.levels = levels
        self._table = np.zeros((1, 2), np.int16) if levels is None else levels.values
        self.loss = loss
        self._one_against_all = one_against_all
        self._shape = start.shape
        self._heads, self._features = np.atleast_2d(start).shape
        self._prepared: tuple[npt.NDArray[np.float32], int, npt.NDArray[np.int32]] | None = None
        self._room = build.chunks(self._features) * build.lanes
        padded = self._heads * self._room
        self._seed = seed
        self._state = _State(
            master=np.pad(np.atleast_2d(start), ((0, 0), (0, self._room - self._features))).ravel(),
            q3=np.zeros(padded, dtype=np.int64),
            accumulated=np.zeros(padded, dtype=np.int64),
            draws=np.zeros(padded, dtype=np.int64),
            update_lfsr=np.zeros(build.update_lanes, dtype=np.int64),
            loss_lfsr=np.zeros(1, dtype=np.int64),
            totals=np.zeros(3, dtype=np.int64),
            phases=np.zeros(2, dtype=np.int64),
        )
        self.start_epoch(epoch)

    def start_epoch(self, number: int) -> None:
        """Seed the LFSRs for an epoch, and draw Q3 from the master model. The first epoch has been started."""
        words = seed_words(self._seed, number, self.build.update_lanes)
        self._state.update_lfsr[:] = words[:-1]
        self._state.loss_lfsr[:] = words[-1:]
        self._state.phases[:] = 0
        _update(self._begin(1 if self.levels is None else self.levels.p, 0, Step(0, 0)), self._state)

    @property
    def master(self) -> _Int:
        return self._unpadded(self._state.master)

    @property
    def q3(self) -> _Int:
        return self._unpadded(self._state.q3)

    def _unpadded(self, words: _Vector) -> _Int:
        """A copy of the heads' features."""
        heads = words.reshape(self._heads, self._room)[:, : self._features]
        return heads.reshape(self._shape).astype(np.int64)

    @property
    def flags(self) -> int:
        return int(self._state.totals[_FLAGS])

    def prepare(self, values: npt.NDArray[np.float32], p: int) -> None:
        """Keep ``values`` as fixed-point numbers for ``p`` base planes; :meth:`epoch_rows` does it when it has to.

        The array is remembered by identity: do not change its contents between epochs.
        Raises ValueError where a value is not in [-1, 1].
        """
        if self._prepared is not None and self._prepared[0] is values and self._prepared[1] == p:
            return
        if values.ndim != 2 or values.shape[1] != self._features:
            raise ValueError(
                f"values must have shape (rows, {self._features}), as the model has features, not {values.shape}"
            )
        fixed = np.empty(values.shape, dtype=np.int32)
        block = max(1, (1 << 20) // self._features)  # bounds the float64 copies
        for start in range(0, values.shape[0], block):
            part = values[start : start + block]
            fixed[start : start + block] = (
                fixed_point(part, p) if self.levels is None else self.levels.fixed_point(part)
            )
        self._prepared = values, p, fixed

    def adopt(self, other: "Emulator") -> None:
        """Take over what ``other`` keeps of its values, where both have the same levels."""
        if other.levels is self.levels:
            self._prepared = other._prepared

    def epoch_codes(self, codes: Codes, step: Step) -> int:
        """Train on ``codes`` in order; returns the epoch's loss sum, in units of 2^-(2 * residual_frac)."""
        if codes.base.shape[1] != self._features:
            raise ValueError(f"the codes have {codes.base.shape[1]} features, the model {self._features}")
        run = self._begin(codes.p, codes.m, step)
        _epoch_codes(
            np.ascontiguousarray(codes.base),
            np.ascontiguousarray(codes.up),
            self._labels(codes.labels),
            self._table,
            run,
            self._state,
        )
        return self._loss()

    def epoch_rows(
        self,
        values: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int16],
        order: npt.ArrayLike,
        p: int,
        m: int,
        *,
        seed: int,
        epoch: int,
        step: Step,
    ) -> int:
        """Quantise and train in one pass: as ``epoch_codes`` of golden.quantise(values[order], ..., rows=order).

        Parameters
        ----------
        values : features in [-1, 1], shape (rows, features).
        labels : shape (rows,), in units of 2^-15 or numbers of classes; or (rows, heads), one for each head.
        order : row numbers, the samples of the epoch in order.
        p, m : base and up planes, m at most 2.
        seed, epoch : decide the up bits, with the row numbers.
        step : step size over mini-batch size.

        Returns
        -------
        The epoch's loss sum, in units of 2^-(2 * residual_frac).
        """
        rows = np.asarray(order, dtype=np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(labels) == values.shape[0]:
            raise ValueError(f"order must name rows of {values.shape[0]} values and as many labels")
        run = self._begin(p, m, step)
        self.prepare(values, p)
        assert self._prepared is not None
        keys = row_keys(seed, epoch, rows)
        _epoch_rows(
            self._prepared[2],
            self._labels(labels),
            rows,
            keys,
            self._table,
            (1 << p) - 1 - level_offset(p),
            run,
            self._state,
        )
        return self._loss()

    def _labels(self, labels: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """As the compiled functions take them: shape (samples, labels of a sample)."""
        return np.ascontiguousarray(labels, dtype=np.int16).reshape(
            len(labels), 1 if self._one_against_all else self._heads
        )

    def _begin(self, p: int, m: int, step: Step) -> _Run:
        """Constants for an epoch at ``p`` and ``m``; also makes the state's words as wide as that epoch needs."""
        build = self.build
        if not (1 <= p <= build.p_max and 0 <= m <= build.m_max) and self.levels is None:
            raise ValueError(f"p must be in 1..{build.p_max} and m in 0..{build.m_max}, not {p} and {m}")
        if self.levels is not None and p != self.levels.p:
            raise ValueError(f"p must be {self.levels.p}, as the table has 2^p + 1 levels, not {p}")
        value_bits = p if self.levels is None else self.levels.bits
        # |z| <= n 2^(q3_bits-1) 2^(p-1), |G| < batch 2^delta_bits 2^(p-1)
        largest = max(self._features << (build.q3_bits - 1), self.batch << build.delta_bits) << (
            value_bits - 1
        )
        word = np.int32 if largest < 1 << 31 else np.int64
        self._state = self._state._replace(
            q3=self._state.q3.astype(word, copy=False),
            accumulated=self._state.accumulated.astype(word, copy=False),
        )
        self._state.totals[_LOSS_LOW] = self._state.totals[_LOSS_HIGH] = 0
        prox = step.prox
        return _Run(
            features=self._features,
            heads=self._heads,
            one_against_all=self._one_against_all,
            m=m,
            batch=self.batch,
            symmetric=m == 2 and not self.one_sided,
            loss=int(self.loss),
            one=1 << build.residual_frac,
            level_offset=-1 if self.levels is None else level_offset(p),
            z_shift=build.z_shift(value_bits),
            label_shift=build.residual_frac - LABEL_FRAC,
            residual_limit=1 << (build.residual_bits - 1),
            mantissa=step.mantissa,
            step_shift=4 * (STEP_EXP_MAX - step.exponent),
            delta_drop=build.delta_drop,
            delta_limit=(1 << (build.delta_bits - 1)) - 1,
            gradient_lift=build.p_max - value_bits,
            q4_drop=build.q4_drop,
            gradient_limit=1 << (build.gradient_bits - 1),
            gradient_shift=build.gradient_shift,
            model_limit=1 << (build.model_bits - 1),
            q3_drop=build.q3_drop,
            q3_top=(1 << (build.q3_bits - 1)) - 1,
            prox=prox != NO_PROX,
            shrink_shift=prox.shrink_shift,
            shrink_rate=prox.shrink_rate,
            threshold=prox.threshold,
            bound=prox.bound,
            spare_last=prox.spare_last,
        )

    def _loss(self) -> int:
        return (int(self._state.totals[_LOSS_HIGH]) << 32) + int(self._state.totals[_LOSS_LOW])
