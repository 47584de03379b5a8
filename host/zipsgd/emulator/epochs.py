"""Compiled epochs over codes, and over rows that are quantised on the way."""

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .doubts import in_doubt, score_bounds
from .polynomial import train_polynomial
from .quantisations import base_score, code_row, draw_row, look_up_levels, prefetch_row
from .sample import train_heads, train_sample
from .state import CERTAIN, Int, Matrix, Run, State
from .update import update

__all__ = ["epoch_codes", "epoch_rows", "polynomial_codes", "polynomial_rows"]


@compiled
def epoch_codes(
    base: npt.NDArray[np.int8],
    up: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int16],
    table: npt.NDArray[np.int16],
    run: Run,
    state: State,
) -> None:
    """Train on quantised samples, for losses without a polynomial.

    Parameters
    ----------
    base : npt.NDArray[np.int8] of shape (samples, features)
        Base levels.
    up : npt.NDArray[np.uint8] of shape (samples, features)
        Up bits.
    labels : npt.NDArray[np.int16] of shape (samples, labels per sample)
        Labels.
    table : npt.NDArray[np.int16] of shape (features, levels)
        Levels; used if ``run.level_offset`` is not negative.
    run : Run
        Constants of the epoch.
    state : State
        Updated in place.
    """
    q1 = np.empty(base.shape[1], dtype=np.int32)
    q2 = np.empty(base.shape[1], dtype=np.int32)
    q3, accumulated = state.q3[: q1.size], state.accumulated[: q1.size]
    loss_lfsr, totals, doubts, actives = state.loss_lfsr, state.totals, state.doubts, state.actives
    scores = state.scores
    single = run.heads == 1 and not run.one_against_all
    bounds = score_bounds(q3, run) if run.refetch else (0, 0)
    for i in range(len(labels)):
        z1, z2 = code_row(base, up, i, 0, q1, q2, q3)
        if run.level_offset >= 0:
            z1, z2 = look_up_levels(table, run.level_offset, q1, q2, q3)
        if single:
            if run.scored:
                scores[i] = z1
            if run.refetch:
                reference = base_score(base, i, q3) if run.refetch == CERTAIN else z1
                doubts[i] = in_doubt(reference, labels[i, 0], bounds, run)
            actives[0] = train_sample(
                q1, q2, z1, z2, labels[i, 0], run, accumulated, loss_lfsr, totals, doubts[i]
            )
        else:
            train_heads(q1, q2, z1, z2, labels[i], run, state, i)
        if (i + 1) % run.batch == 0 or i + 1 == len(labels):
            update(run, state)
            if run.refetch:
                bounds = score_bounds(q3, run)


@compiled
def epoch_rows(
    fixed: npt.NDArray[np.int32],
    labels: npt.NDArray[np.int16],
    order: Int,
    keys: npt.NDArray[np.uint32],
    table: npt.NDArray[np.int16],
    top: int,
    run: Run,
    state: State,
) -> None:
    """Quantise and train in one pass, for losses without a polynomial.

    Parameters
    ----------
    fixed : npt.NDArray[np.int32] of shape (rows, features)
        Features in fixed point.
    labels : npt.NDArray[np.int16] of shape (rows, labels per sample)
        Labels.
    order : npt.NDArray[np.int64] of shape (samples,)
        Row numbers of the samples, in order.
    keys : npt.NDArray[np.uint32] of shape (samples, pairs of up bits)
        Hash keys of the up bits.
    table : npt.NDArray[np.int16] of shape (features, levels)
        Levels; used if ``run.level_offset`` is not negative.
    top : int
        Largest base.
    run : Run
        Constants of the epoch.
    state : State
        Updated in place.
    """
    q1 = np.empty(fixed.shape[1], dtype=np.int32)
    q2 = np.empty(fixed.shape[1], dtype=np.int32)
    q_base = np.empty(fixed.shape[1] if run.refetch == CERTAIN else 0, dtype=np.int32)
    q3, accumulated = state.q3[: q1.size], state.accumulated[: q1.size]
    loss_lfsr, totals, doubts, actives = state.loss_lfsr, state.totals, state.doubts, state.actives
    scores = state.scores
    single = run.heads == 1 and not run.one_against_all
    bounds = score_bounds(q3, run) if run.refetch else (0, 0)
    address, row_bytes = np.int64(fixed.ctypes.data), fixed.strides[0]
    for i in range(order.size):
        if i + 1 < order.size:
            prefetch_row(address + order[i + 1] * row_bytes, row_bytes)
        z1, z2 = draw_row(fixed, order[i], keys[i, 0], run.m, top, q1, q2, q3)
        if run.level_offset >= 0:
            if run.m == 0:
                q2[:] = q1
            z1, z2 = look_up_levels(table, run.level_offset, q1, q2, q3)
        if single:
            label = labels[order[i], 0]
            if run.scored:
                scores[i] = z1
            if run.refetch:
                reference = z1
                if run.refetch == CERTAIN:
                    reference, _ = draw_row(fixed, order[i], keys[i, 0], 0, top, q_base, q_base, q3)
                doubts[i] = in_doubt(reference, label, bounds, run)
            actives[0] = train_sample(q1, q2, z1, z2, label, run, accumulated, loss_lfsr, totals, doubts[i])
        else:
            train_heads(q1, q2, z1, z2, labels[order[i]], run, state, i)
        if (i + 1) % run.batch == 0 or i + 1 == order.size:
            update(run, state)
            if run.refetch:
                bounds = score_bounds(q3, run)


@compiled
def _train_pairs(
    quantised: Matrix,
    z: Int,
    labels: npt.NDArray[np.int16],
    t: Int,
    table: npt.NDArray[np.int16],
    run: Run,
    state: State,
    place: int,
) -> None:
    """Train on one sample whose quantisations are given. With levels from a table, they are one pair of level indices."""
    if run.level_offset >= 0:
        if run.m == 0:
            quantised[1] = quantised[0]
        q3 = state.q3[: quantised.shape[1]]
        z[0], z[1] = look_up_levels(table, run.level_offset, quantised[0], quantised[1], q3)
    train_polynomial(quantised, z, labels, t, run, state, place)


@compiled
def polynomial_codes(
    base: npt.NDArray[np.int8],
    up: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int16],
    table: npt.NDArray[np.int16],
    run: Run,
    state: State,
) -> None:
    """As :func:`epoch_codes`, for polynomial losses, which leave out no sample.

    Parameters
    ----------
    base : npt.NDArray[np.int8] of shape (samples, features)
        Base levels.
    up : npt.NDArray[np.uint8] of shape (samples, features)
        Up bits.
    labels : npt.NDArray[np.int16] of shape (samples, labels per sample)
        Labels.
    table : npt.NDArray[np.int16] of shape (features, levels)
        Levels; used if ``run.level_offset`` is not negative.
    run : Run
        Constants of the epoch.
    state : State
        Updated in place.
    """
    pairs = (max(1, run.m) + 1) // 2
    quantised = np.empty((2 * pairs, base.shape[1]), dtype=np.int32)
    z, t = np.empty(2 * pairs, dtype=np.int64), np.empty(2 * pairs, dtype=np.int64)
    q3 = state.q3[: base.shape[1]]
    for i in range(len(labels)):
        for pair in range(pairs):
            q1, q2 = quantised[2 * pair], quantised[2 * pair + 1]
            z[2 * pair], z[2 * pair + 1] = code_row(base, up, i, pair, q1, q2, q3)
        _train_pairs(quantised, z, labels[i], t, table, run, state, i)
        if (i + 1) % run.batch == 0 or i + 1 == len(labels):
            update(run, state)


@compiled
def polynomial_rows(
    fixed: npt.NDArray[np.int32],
    labels: npt.NDArray[np.int16],
    order: Int,
    keys: npt.NDArray[np.uint32],
    table: npt.NDArray[np.int16],
    top: int,
    run: Run,
    state: State,
) -> None:
    """As :func:`epoch_rows`, for polynomial losses, which leave out no sample.

    Parameters
    ----------
    fixed : npt.NDArray[np.int32] of shape (rows, features)
        Features in fixed point.
    labels : npt.NDArray[np.int16] of shape (rows, labels per sample)
        Labels.
    order : npt.NDArray[np.int64] of shape (samples,)
        Row numbers of the samples, in order.
    keys : npt.NDArray[np.uint32] of shape (samples, pairs of up bits)
        Hash keys of the up bits.
    table : npt.NDArray[np.int16] of shape (features, levels)
        Levels; used if ``run.level_offset`` is not negative.
    top : int
        Largest base.
    run : Run
        Constants of the epoch.
    state : State
        Updated in place.
    """
    pairs = keys.shape[1]
    quantised = np.empty((2 * pairs, fixed.shape[1]), dtype=np.int32)
    z, t = np.empty(2 * pairs, dtype=np.int64), np.empty(2 * pairs, dtype=np.int64)
    q3 = state.q3[: fixed.shape[1]]
    for i in range(order.size):
        for pair in range(pairs):
            q1, q2 = quantised[2 * pair], quantised[2 * pair + 1]
            z[2 * pair], z[2 * pair + 1] = draw_row(fixed, order[i], keys[i, pair], run.m, top, q1, q2, q3)
        _train_pairs(quantised, z, labels[order[i]], t, table, run, state, i)
        if (i + 1) % run.batch == 0 or i + 1 == order.size:
            update(run, state)
