"""Compiled training on one sample of a polynomial loss: derivatives from independent quantisations, loss and gradient."""

from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled
from zipsgd.protocol.numbers import LABEL_ONE

from .quantisations import products
from .sample import accumulate, accumulate_pair, delta, exact_residual
from .state import FLAGS, LOSS_HIGH, LOSS_LOW, POLYNOMIAL_MARGIN, RESIDUAL, Int, Matrix, Run, State, advance

__all__ = ["train_polynomial"]


@compiled
def _argument(z: Any, label: Any, run: Run) -> tuple[int, int]:
    """The margin or the residual in units of the reach, saturated, and the flag."""
    if run.loss == POLYNOMIAL_MARGIN:
        margin: Any = np.int64(z) << run.z_shift
        exact: Any = -margin if label < 0 else margin
    else:
        exact = exact_residual(z, label, run)
    exact <<= run.reach_shift
    clamped = min(max(exact, -run.residual_limit), run.residual_limit - 1)
    return clamped, RESIDUAL if clamped != exact else 0


@compiled
def _horner(words: Int, count: int, t: Int, first: int, last: int, run: Run) -> int:
    """The polynomial with ``count`` + 1 coefficients at t_first, t_(first + 1), ...; ``last`` replaces later arguments."""
    half = 1 << (run.argument_bits - 1)
    total = int(words[count])
    for i in range(count):
        total = words[count - 1 - i] + ((t[min(first + i, last)] * total + half) >> run.argument_bits)
    return total


@compiled
def train_polynomial(
    quantised: Matrix, z: Int, labels: npt.NDArray[np.int16], t: Int, run: Run, state: State, place: int
) -> None:
    """Loss and gradient of one sample for all heads.

    Parameters
    ----------
    quantised : npt.NDArray[np.integer] of shape (even number, features)
        Quantisations Q_1, Q_2, ... of the sample.
    z : npt.NDArray[np.int64]
        Dot products of the first head; overwritten by those of the others.
    labels : npt.NDArray[np.int16] of shape (labels per sample,)
        Labels.
    t : npt.NDArray[np.int64]
        Working memory for the arguments.
    run : Run
        Constants of the epoch.
    state : State
        Updated in place.
    place : int
        Place of the sample in the epoch.
    """
    last = max(1, run.m) - 1
    room = state.q3.size // run.heads
    features = quantised.shape[1]
    first_lfsr = state.loss_lfsr[0]
    for head in range(run.heads):
        lfsr = first_lfsr  # all heads draw the same numbers
        part = slice(head * room, head * room + features)
        if head:
            for i in range(0, last + 1, 2):
                z[i], z[i + 1] = products(quantised[i], quantised[i + 1], state.q3[part])
        if run.scored:
            state.scores[place * run.heads + head] = z[0]
        if run.one_against_all:
            label: Any = LABEL_ONE if labels[0] == head else -LABEL_ONE
        else:
            label = np.int64(labels[head])
        flags = 0
        for i in range(last + 1):
            t[i], flag = _argument(z[i], label, run)
            flags |= flag
        sign = -1 if run.loss == POLYNOMIAL_MARGIN and label < 0 else 1
        delta1, flag = delta(sign * _horner(state.derivative, run.degree, t, 0, last, run), lfsr, run)
        flags |= flag
        lfsr = advance(lfsr)
        delta2 = delta1
        if last:
            delta2, flag = delta(sign * _horner(state.derivative, run.degree, t, 1, last, run), lfsr, run)
            flags |= flag
            lfsr = advance(lfsr)
        state.loss_lfsr[0] = lfsr
        loss = _horner(state.loss, run.degree + 1, t, 0, last, run) * run.one
        state.totals[LOSS_LOW] += loss & 0xFFFFFFFF
        state.totals[LOSS_HIGH] += loss >> 32
        state.totals[FLAGS] |= flags
        if run.symmetric:
            accumulate_pair(state.accumulated[part], quantised[0], delta2, quantised[last], delta1)
        else:
            accumulate(state.accumulated[part], quantised[0], 2 * delta2)
