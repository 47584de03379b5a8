"""Compiled update at the end of a mini-batch: growth, Q4, the step, the proximal step, and Q3."""

import numpy as np

from zipsgd.compiled import compiled
from zipsgd.protocol.numbers import LFSR_BITS, PHASE_BITS, SHRINK_SHIFT_MAX

from .state import (
    FLAGS,
    GRADIENT,
    MODEL,
    PHASE_MASK,
    Q3,
    SQUARED,
    TURN,
    Run,
    State,
    advance,
    bit_length,
)

__all__ = ["update"]


@compiled
def _ball_shift(run: Run, state: State) -> int:
    """The shift by which the model shrinks towards its ball; 0 within the ball."""
    squares = np.int64(0)
    for j in range(run.features - run.spare_last):
        squares += np.int64(state.q3[j]) * np.int64(state.q3[j])
    excess = squares - run.ball
    if excess <= 0:
        return 0
    shift = bit_length(int(squares)) + 2 - bit_length(int(excess))
    return shift if shift <= SHRINK_SHIFT_MAX else 0


@compiled
def _prox(run: Run, state: State) -> None:
    """The proximal step, with the draws of the update."""
    shrink, threshold = state.phases[0] + run.shrink_rate, state.phases[1] + run.threshold
    state.phases[0], state.phases[1] = shrink & PHASE_MASK, threshold & PHASE_MASK
    shift = run.shrink_shift if shrink > PHASE_MASK else 0
    if run.ball:
        inward = _ball_shift(run, state)
        shift = inward if inward else shift
    threshold >>= PHASE_BITS
    mask = (1 << shift) - 1
    room = state.master.size // run.heads
    bound = run.bound if run.bound else run.model_limit
    least = 0 if run.nonnegative else -bound
    for j in range(state.master.size):
        if run.spare_last and j % room == run.features - 1:
            continue
        x = state.master[j]
        if shift:
            x -= (x + (state.draws[j] >> (LFSR_BITS - SHRINK_SHIFT_MAX) & mask)) >> shift
        x -= min(max(x, -threshold), threshold)
        state.master[j] = min(max(x, least), bound)


@compiled
def _grow(run: Run, state: State) -> None:
    """The growths of the features in turn, with the draws of the update."""
    number = state.phases[TURN]
    state.phases[TURN] = (number + run.growth_stride) % run.growth_range
    mask = (1 << run.growth_shift) - 1
    room = state.master.size // run.heads
    for head in range(run.heads):
        if run.loss != SQUARED and not state.actives[head]:
            continue
        for j in range(head * room, head * room + run.features):
            if state.variances[j] > number:
                state.growths[j] = (state.master[j] + (state.draws[j] & mask)) >> run.growth_shift


@compiled
def update(run: Run, state: State) -> None:
    """Q4, the step, the proximal step, and Q3. Afterwards the accumulators are zero.

    Parameters
    ----------
    run : Run
        Constants of the epoch.
    state : State
        Updated in place.
    """
    lanes = state.update_lfsr.size
    draws = state.draws
    room = draws.size // run.heads
    for start in range(0, room, lanes):
        for lane in range(lanes):
            draws[start + lane] = state.update_lfsr[lane]
            state.update_lfsr[lane] = advance(state.update_lfsr[lane])
    for j in range(room, draws.size):  # all heads draw the same numbers
        draws[j] = draws[j - room]
    mask4 = (1 << run.q4_drop) - 1
    mask3 = (1 << run.q3_drop) - 1
    if run.growth_shift:
        _grow(run, state)
    gradient_clamped = False
    model_clamped = False
    q3_clamped = False
    for j in range(draws.size):
        lifted = np.int64(state.accumulated[j]) << run.gradient_lift
        rounded = (lifted + (draws[j] & mask4)) >> run.q4_drop
        gradient = min(max(rounded, -run.gradient_limit), run.gradient_limit - 1)
        gradient_clamped |= gradient != rounded
        moved = state.master[j] + state.growths[j] - (gradient << run.gradient_shift)
        model = min(max(moved, -run.model_limit), run.model_limit - 1)
        model_clamped |= model != moved
        state.master[j] = model
        state.accumulated[j] = 0
        state.growths[j] = 0
    if run.prox:
        _prox(run, state)
    for j in range(draws.size):
        q3 = (state.master[j] + (draws[j] >> run.q4_drop & mask3)) >> run.q3_drop
        q3_clamped |= q3 > run.q3_top
        state.q3[j] = min(q3, run.q3_top)
    if gradient_clamped:
        state.totals[FLAGS] |= GRADIENT
    if model_clamped:
        state.totals[FLAGS] |= MODEL
    if q3_clamped:
        state.totals[FLAGS] |= Q3
