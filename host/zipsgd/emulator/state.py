"""The constants and the state of an epoch in the form that the compiled functions take, and the LFSRs' step."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled
from zipsgd.protocol.numbers import LFSR_BITS, LFSR_MASK, LFSR_ROTATIONS, PHASE_BITS
from zipsgd.protocol.run import Flag, Loss, Refetch

__all__ = [
    "CERTAIN",
    "DELTA",
    "FLAGS",
    "GRADIENT",
    "HINGE",
    "LOSS_HIGH",
    "LOSS_LOW",
    "MODEL",
    "PHASE_MASK",
    "POLYNOMIAL_MARGIN",
    "Q3",
    "RESIDUAL",
    "SQUARED",
    "TURN",
    "Int",
    "Matrix",
    "Run",
    "State",
    "Vector",
    "advance",
    "align_draw",
    "bit_length",
]

Int = npt.NDArray[np.int64]
Vector = npt.NDArray[np.integer]
Matrix = npt.NDArray[np.integer]


class Run(NamedTuple):
    """Constants of an epoch for the compiled functions.

    Parameters
    ----------
    features : int
        Number of features.
    heads : int
        Number of heads.
    one_against_all : bool
        Labels are class indices, and each head separates one class from the others.
    m : int
        Number of up planes.
    batch : int
        Samples of a mini-batch.
    symmetric : bool
        Use the symmetric gradient estimator.
    loss : int
        Value of :class:`zipsgd.protocol.formats.Loss`.
    one : int
        The number 1 at the residual's binary point.
    degree : int
        Degree of the polynomial; 0 without one.
    refetch : int
        Value of :class:`zipsgd.protocol.formats.Refetch`.
    reach_shift : int
        Left shift of a polynomial's argument.
    argument_bits : int
        Fraction bits of a polynomial's argument.
    level_offset : int
        Added to a base to obtain its level index; -1 for evenly spaced levels.
    z_shift, label_shift : int
        Left shifts of dot product and label to the residual's binary point.
    residual_limit : int
        Residuals are saturated to -residual_limit..residual_limit - 1.
    mantissa : int
        Mantissa of the step.
    step_shift : int
        Left shift of the product of step and derivative, from the step's exponent.
    delta_drop : int
        Bits that are cut off to obtain delta.
    delta_limit : int
        Deltas are saturated to -delta_limit..delta_limit.
    gradient_lift : int
        Left shift of the gradient to the accumulator's binary point.
    q4_drop : int
        Bits that Q4 cuts off.
    gradient_limit : int
        Gradients are saturated to -gradient_limit..gradient_limit - 1.
    gradient_shift : int
        Left shift of the rounded gradient to the model's binary point.
    model_limit : int
        The model is saturated to -model_limit..model_limit - 1.
    q3_drop : int
        Bits that Q3 cuts off.
    q3_top : int
        Largest value of Q3.
    prox : bool
        The step has a proximal part.
    shrink_shift, shrink_rate, threshold, bound : int
        As in :class:`zipsgd.golden.prox.Prox`.
    nonnegative, spare_last : bool
        As in :class:`zipsgd.golden.prox.Prox`.
    ball : int
        Squared radius of the ball in units of Q3's last bit squared; 0 for no ball.
    growth_shift, growth_range, growth_stride : int
        As in :class:`zipsgd.golden.diagonal.Growth`.
    scored : bool
        Scores are kept.
    """

    features: int
    heads: int
    one_against_all: bool
    m: int
    batch: int
    symmetric: bool
    loss: int
    one: int
    degree: int
    refetch: int
    reach_shift: int
    argument_bits: int
    level_offset: int
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
    nonnegative: bool
    spare_last: bool
    ball: int
    growth_shift: int
    growth_range: int
    growth_stride: int
    scored: bool


class State(NamedTuple):
    """The arrays that an epoch changes. In vectors, the heads follow each other, each padded with zeros to whole chunks.

    Parameters
    ----------
    master : npt.NDArray[np.int64] of shape (words,)
        Master models.
    q3 : npt.NDArray[np.integer] of shape (words,)
        Rounded models; int32 if a dot product fits in 32 bits, else int64.
    accumulated : npt.NDArray[np.integer] of shape (words,)
        Gradients of the mini-batch; int32 if they fit in 32 bits, else int64.
    draws : npt.NDArray[np.int64] of shape (words,)
        Random draws of an update.
    update_lfsr : npt.NDArray[np.int64] of shape (update lanes,)
        States of the update lanes' LFSRs.
    loss_lfsr : npt.NDArray[np.int64] of shape (1,)
        State of the loss unit's LFSR.
    derivative : npt.NDArray[np.int64]
        Coefficients of a polynomial loss's derivative.
    loss : npt.NDArray[np.int64]
        Coefficients of a polynomial loss.
    totals : npt.NDArray[np.int64] of shape (3,)
        Flags, and the loss sum in two parts: high * 2^32 + low.
    phases : npt.NDArray[np.int64] of shape (3,)
        Phase accumulators of the shrinkage and of the threshold, and the number that selects the features that grow.
    variances : npt.NDArray[np.int64] of shape (words,)
        Variance words of the columns, for each head.
    growths : npt.NDArray[np.int64] of shape (words,)
        What an update adds to the master models to correct the bias of one quantisation; 0 between updates.
    actives : npt.NDArray[np.bool_] of shape (heads,)
        Whether the last sample had a derivative other than 0.
    doubts : npt.NDArray[np.bool_] of shape (samples,)
        Which samples of the epoch are left out.
    scores : npt.NDArray[np.int64] of shape (samples * heads,)
        First dot product of each sample and head, if they are kept.
    """

    master: Int
    q3: Vector
    accumulated: Vector
    draws: Int
    update_lfsr: Int
    loss_lfsr: Int
    derivative: Int
    loss: Int
    totals: Int
    phases: Int
    variances: Int
    growths: Int
    actives: npt.NDArray[np.bool_]
    doubts: npt.NDArray[np.bool_]
    scores: Int


# Compiled functions take only plain numbers
RESIDUAL, DELTA = Flag.RESIDUAL, Flag.DELTA
GRADIENT, MODEL, Q3 = Flag.GRADIENT, Flag.MODEL, Flag.Q3
CERTAIN = Refetch.CERTAIN.value
SQUARED, HINGE, POLYNOMIAL_MARGIN = Loss.SQUARED.value, Loss.HINGE.value, Loss.POLYNOMIAL_MARGIN.value
FLAGS, LOSS_LOW, LOSS_HIGH = range(3)
TURN = 2
PHASE_MASK = (1 << PHASE_BITS) - 1
_STATE_MASK = (1 << LFSR_BITS) - 1
_FIRST, _SECOND = LFSR_ROTATIONS


@compiled
def advance(state: int) -> int:
    """The next state of an LFSR.

    Parameters
    ----------
    state : int
        State of 31 bits.

    Returns
    -------
    int
        The next state.
    """
    first = (state << _FIRST | state >> (LFSR_BITS - _FIRST)) & _STATE_MASK
    return first ^ ((state << _SECOND | state >> (LFSR_BITS - _SECOND)) & LFSR_MASK)


@compiled
def bit_length(number: int) -> int:
    """The number of bits of a non-negative number.

    Parameters
    ----------
    number : int
        The number.

    Returns
    -------
    int
        As ``int.bit_length``.
    """
    bits = 0
    while number >> bits:
        bits += 1
    return bits


@compiled
def align_draw(bits: int, drop: int) -> int:
    """The random bits of a draw that are added before ``drop`` bits are cut off, as :func:`zipsgd.golden.rounding.align_draw`.

    Parameters
    ----------
    bits : int
        Draw of 31 bits.
    drop : int
        Number of bits that are cut off.

    Returns
    -------
    int
        Random number in [0, 2^drop).
    """
    return bits << (drop - LFSR_BITS) if drop > LFSR_BITS else bits & ((1 << drop) - 1)
