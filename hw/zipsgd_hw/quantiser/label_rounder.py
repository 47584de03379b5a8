"""From values to labels."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.numbers import LABEL_BITS, LABEL_FRAC
from zipsgd.protocol.raw_words import value_frac
from zipsgd_hw.datapath.arithmetic import fits, saturated

__all__ = ["LabelRounder"]


class LabelRounder(wiring.Component):
    """A value, rounded half up to a label (golden model: :mod:`zipsgd.golden.device_quantiser`).

    Latency: one step. Throughput: a value a step.

    Parameters
    ----------
    raw_bits : int
        Bits of a raw word, from which the value's F follow.

    Members
    -------
    step : In(1)
        The words under way take a step.
    value : In(signed(F + 1)), one : In(1)
        As of :class:`.ColumnScaler`.
    label : Out(signed(16))
        The label.
    saturated : Out(1)
        The value is nearer to 1 than to the largest label.
    """

    def __init__(self, raw_bits: int):
        self._frac = value_frac(raw_bits)
        super().__init__(
            {
                "step": In(1),
                "value": In(signed(self._frac + 1)),
                "one": In(1),
                "label": Out(signed(LABEL_BITS)),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        drop = self._frac - LABEL_FRAC
        rounded = (self.value >> drop) + (self.value[drop - 1] if drop else 0)
        with m.If(self.step):
            m.d.sync += [
                self.label.eq(saturated(rounded, LABEL_BITS)),
                self.saturated.eq(self.one | ~fits(rounded, LABEL_BITS)),
            ]
        return m
