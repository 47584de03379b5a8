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
    """Constants of an epoch for the compiled functions: shifts, saturation limits, and how samples are combined."""

    features: int
    heads: int
    one_against_all: bool
    m: int
    batch: int
    symmetric: bool
    loss: int
    one: int  # the number 1 at the residual's binary point
    degree: int  # of the polynomial; 0 without one
    refetch: int
    reach_shift: int  # left shift of a polynomial's argument
    argument_bits: int  # fraction bits of a polynomial's argument
    level_offset: int  # from a base to its level's index; -1 for evenly spaced levels
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
    ball: int  # squared radius of the ball; 0 for none


class State(NamedTuple):
    """The arrays that an epoch changes. In vectors, the heads follow each other, each padded with zeros to whole chunks."""

    master: Int
    q3: Vector  # int32 where a dot product fits in 32 bits, else int64
    accumulated: Vector  # int32 where a mini-batch's sum fits in 32 bits, else int64
    draws: Int
    update_lfsr: Int
    loss_lfsr: Int
    derivative: Int  # coefficients of a polynomial loss's derivative
    loss: Int  # coefficients of a polynomial loss
    totals: Int  # flags, and the loss sum in two parts: high * 2^32 + low
    phases: Int  # phase accumulators of the shrinkage and of the threshold
    doubts: npt.NDArray[np.bool_]  # which samples of the epoch are left out


# Compiled functions take only plain numbers
RESIDUAL, DELTA = Flag.RESIDUAL, Flag.DELTA
GRADIENT, MODEL, Q3 = Flag.GRADIENT, Flag.MODEL, Flag.Q3
CERTAIN = Refetch.CERTAIN.value
SQUARED, HINGE, POLYNOMIAL_MARGIN = Loss.SQUARED.value, Loss.HINGE.value, Loss.POLYNOMIAL_MARGIN.value
FLAGS, LOSS_LOW, LOSS_HIGH = range(3)
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
