"""Compiled training on one quantised sample: its residuals, derivatives and gradient."""

from typing import Any

import numpy as np

from zipsgd.compiled import compiled
from zipsgd.protocol.numbers import LABEL_ONE

from .quantisations import products
from .state import (
    DELTA,
    FLAGS,
    HINGE,
    LOSS_HIGH,
    LOSS_LOW,
    RESIDUAL,
    SQUARED,
    Int,
    Run,
    State,
    Vector,
    advance,
    align_draw,
)

__all__ = ["accumulate", "accumulate_pair", "delta", "exact_residual", "train_heads", "train_sample"]


# As in :mod:`.quantisations`, the casts to ``word`` keep sums at 32 bits.


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
) -> bool:
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

    Returns
    -------
    bool
        Whether the derivative of the loss is not 0.
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
    return last != 0


@compiled
def train_heads(
    q1: Vector, q2: Vector, z1: Any, z2: Any, labels: Vector, run: Run, state: State, place: int
) -> None:
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
    place : int
        Place of the sample in the epoch.
    """
    room = state.q3.size // run.heads
    lfsr = state.loss_lfsr[0]
    for head in range(run.heads):
        state.loss_lfsr[0] = lfsr  # all heads draw the same numbers
        part = slice(head * room, head * room + q1.size)
        if head:
            z1, z2 = products(q1, q2, state.q3[part])
        if run.scored:
            state.scores[place * run.heads + head] = z1
        if run.one_against_all:
            label: Any = LABEL_ONE if labels[0] == head else -LABEL_ONE
        else:
            label = np.int64(labels[head])
        state.actives[head] = train_sample(
            q1, q2, z1, z2, label, run, state.accumulated[part], state.loss_lfsr, state.totals
        )
