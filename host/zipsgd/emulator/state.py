"""What an epoch is given and what it changes, as the compiled functions take it; and the LFSRs' step."""

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
    "align",
    "bit_length",
]

Int = npt.NDArray[np.int64]
Vector = npt.NDArray[np.integer]
Matrix = npt.NDArray[np.integer]


class Run(NamedTuple):
    """Constants of an epoch, for the compiled functions: shifts, saturation limits, and how samples are combined."""

    features: int
    heads: int
    one_against_all: bool
    m: int
    batch: int
    symmetric: bool
    loss: int
    one: int  # at the residual's binary point
    degree: int  # of the polynomial, or 0
    refetch: int
    reach_shift: int  # of a polynomial's argument
    argument_bits: int  # of the same, behind its binary point
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
    ball: int  # square of its radius, 0 for none


class State(NamedTuple):
    """What an epoch changes, as arrays. Vectors hold the heads one behind the other, each padded with zeros to whole chunks."""

    master: Int
    q3: Vector  # int32 where a dot product fits in 32 bits, else int64
    accumulated: Vector  # int32 where a mini-batch's sum fits in 32 bits, else int64
    draws: Int
    update_lfsr: Int
    loss_lfsr: Int
    derivative: Int  # a polynomial's coefficients
    loss: Int  # and its loss's
    totals: Int  # flags, and the loss sum in two parts: high * 2^32 + low
    phases: Int  # of shrinking, and of the threshold
    doubts: npt.NDArray[np.bool_]  # which samples of the epoch are left out


# Compiled functions see plain numbers only
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
    """The state behind an LFSR's."""
    first = (state << _FIRST | state >> (LFSR_BITS - _FIRST)) & _STATE_MASK
    return first ^ ((state << _SECOND | state >> (LFSR_BITS - _SECOND)) & LFSR_MASK)


@compiled
def bit_length(number: int) -> int:
    """Of a number that is not negative."""
    bits = 0
    while number >> bits:
        bits += 1
    return bits


@compiled
def align(bits: int, drop: int) -> int:
    """Of a draw, the random bits to add below a cut of ``drop`` bits."""
    return bits << (drop - LFSR_BITS) if drop > LFSR_BITS else bits & ((1 << drop) - 1)
