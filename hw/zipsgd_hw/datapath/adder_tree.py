"""Pipelined adder tree."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AdderTree"]


class AdderTree(wiring.Component):
    """Sum of ``count`` signed numbers of ``width`` bits, exact; a new sum each cycle.

    Parameters
    ----------
    count : of terms, a power of two.
    width : bits of each term.
    levels : levels of adders between two registers.

    Attributes
    ----------
    latency : cycles from ``terms`` to ``total``: ceil(log2(count) / levels).
    """

    def __init__(self, count: int, width: int, *, levels: int = 2):
        depth = count.bit_length() - 1
        self._levels = levels
        self.latency = -(-depth // levels)
        super().__init__(
            {
                "terms": In(data.ArrayLayout(signed(width), count)),
                "total": Out(signed(width + depth)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        values = list(self.terms)
        level = 0
        while len(values) > 1:
            values = [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
            level += 1
            if level % self._levels == 0 or len(values) == 1:
                registers = [Signal(value.shape(), reset_less=True) for value in values]
                m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
                values = registers
        m.d.comb += self.total.eq(values[0])
        return m
