"""Epochs, compiled: of codes, and of rows that are quantised on the way."""

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

from .sample import code_row, draw_row, look_up, prefetch_row, train_heads, train_sample
from .state import Int, Run, State
from .update import update

__all__ = ["epoch_codes", "epoch_rows"]


@compiled
def epoch_codes(
    base: npt.NDArray[np.int8],
    up: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int16],
    table: npt.NDArray[np.int16],
    run: Run,
    state: State,
) -> None:
    q1 = np.empty(base.shape[1], dtype=np.int32)
    q2 = np.empty(base.shape[1], dtype=np.int32)
    q3, accumulated = state.q3[: q1.size], state.accumulated[: q1.size]
    loss_lfsr, totals = state.loss_lfsr, state.totals
    single = run.heads == 1 and not run.one_against_all
    for i in range(len(labels)):
        z1, z2 = code_row(base, up, i, q1, q2, q3)
        if run.level_offset >= 0:
            z1, z2 = look_up(table, run.level_offset, q1, q2, q3)
        if single:
            train_sample(q1, q2, z1, z2, labels[i, 0], run, accumulated, loss_lfsr, totals)
        else:
            train_heads(q1, q2, z1, z2, labels[i], run, state)
        if (i + 1) % run.batch == 0 or i + 1 == len(labels):
            update(run, state)


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
    q1 = np.empty(fixed.shape[1], dtype=np.int32)
    q2 = np.empty(fixed.shape[1], dtype=np.int32)
    q3, accumulated = state.q3[: q1.size], state.accumulated[: q1.size]
    loss_lfsr, totals = state.loss_lfsr, state.totals
    single = run.heads == 1 and not run.one_against_all
    address, row_bytes = np.int64(fixed.ctypes.data), fixed.strides[0]
    for i in range(order.size):
        if i + 1 < order.size:
            prefetch_row(address + order[i + 1] * row_bytes, row_bytes)
        z1, z2 = draw_row(fixed, order[i], keys[i], run.m, top, q1, q2, q3)
        if run.level_offset >= 0:
            if run.m == 0:
                q2[:] = q1
            z1, z2 = look_up(table, run.level_offset, q1, q2, q3)
        if single:
            train_sample(q1, q2, z1, z2, labels[order[i], 0], run, accumulated, loss_lfsr, totals)
        else:
            train_heads(q1, q2, z1, z2, labels[order[i]], run, state)
        if (i + 1) % run.batch == 0 or i + 1 == order.size:
            update(run, state)
