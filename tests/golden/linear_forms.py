"""Bits as linear functions of the bits of a state, over GF(2): a function is the set of bits whose exclusive or it is."""

import functools
import operator
from collections.abc import Iterable

import numpy as np

from zipsgd.golden.lfsr import advance
from zipsgd.protocol.numbers import LFSR_BITS

__all__ = ["independent", "step_forms"]


def step_forms(forms: list[int]) -> list[int]:
    """Each bit of the next state as a set of initial bits, whose exclusive or it is, from those of the current state."""
    states = [int(advance(np.array([1 << i], dtype=np.uint64))[0]) for i in range(LFSR_BITS)]
    return [
        functools.reduce(operator.xor, (forms[i] for i in range(LFSR_BITS) if states[i] >> j & 1))
        for j in range(LFSR_BITS)
    ]


def independent(forms: Iterable[int]) -> bool:
    """Whether no exclusive or of some of the sets is empty."""
    by_top: dict[int, int] = {}
    for form in forms:
        while form and form.bit_length() in by_top:
            form ^= by_top[form.bit_length()]
        if not form:
            return False
        by_top[form.bit_length()] = form
    return True
