"""Pieces of fixed-point arithmetic that several units use."""

from amaranth import *

from zipsgd.protocol.numbers import LFSR_BITS

__all__ = ["align_draw", "fits", "later", "saturated"]


def align_draw(bits: Value, drop: int) -> Value:
    """Random bits to add before the last bits of a number are cut off; see :func:`zipsgd.golden.rounding.align_draw`.

    Parameters
    ----------
    bits : Value
        A draw of LFSR_BITS bits.
    drop : int
        Bits that are cut off.

    Returns
    -------
    Value
        ``drop`` bits: the draw's lowest ones or, where it has too few, all of them above zeros.
    """
    if drop > LFSR_BITS:
        return Cat(C(0, drop - LFSR_BITS), bits)
    return bits[:drop]


def fits(value: Value, width: int) -> Value:
    """Whether a signed value fits into ``width`` bits: its bits from the new sign upwards are all alike."""
    top = value[width - 1 :]
    return top.all() | ~top.any()


def saturated(value: Value, width: int) -> Value:
    """A signed value clamped to ``width`` bits."""
    limit = Cat((~value[-1]).replicate(width - 1), value[-1])
    return Mux(fits(value, width), value[:width], limit).as_signed()


def later(m: Module, value: Value, cycles: int) -> Value:
    """``value`` as it was ``cycles`` cycles ago; registers without reset are added to ``m``."""
    for _ in range(cycles):
        register = Signal.like(value, reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return value
