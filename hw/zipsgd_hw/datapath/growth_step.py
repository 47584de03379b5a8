"""The growth of one update lane: what corrects the bias of one quantisation per value."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import SHRINK_SHIFT_MAX

from .config import run_layout

__all__ = ["GrowthStep"]


class GrowthStep(wiring.Component):
    """Adds 2^-k of a value to it, stochastically rounded, where it is the value's turn (golden model:
    :func:`zipsgd.golden.diagonal.grown`).

    Stages: shift by fours; by ones; add. The bits that the shift drops are added to as many random bits. Only their carry
    counts, and it enters the adder of the last stage.

    Latency: :attr:`latency` cycles from ``stepped`` to ``y``. Throughput: a value a cycle.

    Parameters
    ----------
    build : Build
        Build parameters, with a diagonal.

    Attributes
    ----------
    latency : int
        Cycles from ``stepped`` to ``y``.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    mask : In(15)
        Bits that the shift drops, of :class:`.GrowthTurns`.
    bits : In(15)
        Random bits, one cycle before ``x``.
    x : In(signed(model_bits))
        The value before the mini-batch.
    stepped : In(signed(model_bits + 1))
        The value less its step, two cycles after ``x``.
    in_turn : In(1)
        It is the value's turn, one cycle after ``x``.
    y : Out(signed(model_bits + 1))
        ``stepped`` with the growth. It cannot overflow: the growth is at most half of ``x``, and a step at most an eighth of
        the model's range.
    """

    latency = 1

    def __init__(self, build: Build):
        self._build = build
        word = signed(build.model_bits)
        wide = signed(build.model_bits + 1)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "mask": In(SHRINK_SHIFT_MAX),
                "bits": In(SHRINK_SHIFT_MAX),
                "x": In(word),
                "stepped": In(wide),
                "in_turn": In(1),
                "y": Out(wide),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shift = self.run.growth_shift
        noise = Signal(SHRINK_SHIFT_MAX, reset_less=True)
        dropped = Signal(SHRINK_SHIFT_MAX)
        carries, carry = Signal(reset_less=True), Signal(reset_less=True)
        coarse = Signal(self.x.shape(), reset_less=True)
        share = Signal(signed(self._build.model_bits - 1), reset_less=True)  # the shift is at least 1
        m.d.comb += dropped.eq(self.x | ~self.mask)  # ones above them take their carry to the top
        m.d.sync += [
            noise.eq(self.bits & self.mask),
            carries.eq((dropped + noise)[-1]),
            coarse.eq(self.x >> Cat(C(0, 2), shift[2:])),
            share.eq(Mux(self.in_turn, coarse >> shift[:2], 0)),
            carry.eq(self.in_turn & carries),
            # The carry stands below both, so that one adder takes it in
            self.y.eq((Cat(carry, self.stepped).as_signed() + Cat(carry, share).as_signed()) >> 1),
        ]
        return m
