"""From raw words to values in [-1, 1]."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.raw_words import SCALE_BITS, value_frac
from zipsgd_hw.datapath.arithmetic import fits, saturated

from .scale_memory import scale_layout

__all__ = ["ColumnScaler"]


class ColumnScaler(wiring.Component):
    """(raw - centre) * scale, saturated to [-1, 1] (golden model: :class:`zipsgd.golden.scale_table.ScaleTable`).

    A value has F fraction bits, so many that the product is exact. The value 1, which does not fit into them, has a bit of its
    own.

    Latency: three steps (difference, product, saturation). Throughput: a word a step.

    Parameters
    ----------
    raw_bits : int
        Bits of a raw word.

    Members
    -------
    step : In(1)
        The words under way take a step.
    raw : In(raw_bits)
        A raw word.
    scale : In(scale_layout(raw_bits))
        Its column's row of the table.
    value : Out(signed(F + 1))
        The value in units of 2^-F; the largest one in place of 1.
    one : Out(1)
        The value is 1.
    saturated : Out(1)
        It was outside [-1, 1].
    """

    def __init__(self, raw_bits: int):
        self._raw_bits = raw_bits
        self._frac = value_frac(raw_bits)
        super().__init__(
            {
                "step": In(1),
                "raw": In(raw_bits),
                "scale": In(scale_layout(raw_bits)),
                "value": Out(signed(self._frac + 1)),
                "one": Out(1),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        difference = Signal(signed(self._raw_bits + 1), reset_less=True)
        scale = Signal(SCALE_BITS, reset_less=True)
        product = Signal(signed(self._raw_bits + 1 + SCALE_BITS), reset_less=True)
        number = Cat(self.raw[:-1], self.raw[-1] ^ self.scale.offset_binary).as_signed()
        beyond = ~fits(product, self._frac + 1)  # 1 is, too
        with m.If(self.step):
            m.d.sync += [
                difference.eq(number - self.scale.centre),
                scale.eq(self.scale.scale),
                product.eq(difference * scale),
                self.value.eq(saturated(product, self._frac + 1)),
                self.one.eq(beyond & ~product[-1]),
                self.saturated.eq(beyond & (product != 1 << self._frac)),
            ]
        return m
