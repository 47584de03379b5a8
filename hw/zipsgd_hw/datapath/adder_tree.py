"""Pipelined adder tree."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AdderTree"]

_LEVELS = 2
"""Levels of adders between two registers."""


class AdderTree(wiring.Component):
    """Exact sum of ``count`` signed numbers of ``width`` bits.

    Latency: :meth:`latency` cycles from ``terms`` to ``total``. Throughput: a sum in every cycle.

    Parameters
    ----------
    count : int
        Number of terms, a power of two.
    width : int
        Bits of each term.

    Members
    -------
    terms : In(ArrayLayout(signed(width), count))
        The numbers to add.
    total : Out(signed(width + log2(count)))
        Their sum; it cannot overflow.
    """

    @staticmethod
    def latency(count: int) -> int:
        """Cycles from ``terms`` to ``total`` with ``count`` terms: ceil(log2(count) / 2)."""
        return -(-(count.bit_length() - 1) // _LEVELS)

    def __init__(self, count: int, width: int):
        super().__init__(
            {
                "terms": In(data.ArrayLayout(signed(width), count)),
                "total": Out(signed(width + count.bit_length() - 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        values = list(self.terms)
        level = 0
        while len(values) > 1:
            values = [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
            level += 1
            if level % _LEVELS == 0 or len(values) == 1:
                registers = [Signal(value.shape(), reset_less=True) for value in values]
                m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
                values = registers
        m.d.comb += self.total.eq(values[0])
        return m
