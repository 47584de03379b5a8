"""Pieces of fixed-point arithmetic that several units use."""

from amaranth import *

from zipsgd.protocol.numbers import LFSR_BITS

__all__ = ["align_draw", "fits", "saturated"]


def align_draw(bits: Value, drop: int) -> Value:
    """Random bits to add below a cut of ``drop`` bits; see :func:`zipsgd.golden.rounding.align_draw`."""
    if drop > LFSR_BITS:
        return Cat(C(0, drop - LFSR_BITS), bits)
    return bits[:drop]


def fits(value: Value, width: int) -> Value:
    """Whether a signed value can be told in ``width`` bits: its bits from the new sign up are all alike."""
    top = value[width - 1 :]
    return top.all() | ~top.any()


def saturated(value: Value, width: int) -> Value:
    """A signed value clamped to ``width`` bits."""
    limit = Cat((~value[-1]).replicate(width - 1), value[-1])
    return Mux(fits(value, width), value[:width], limit).as_signed()
