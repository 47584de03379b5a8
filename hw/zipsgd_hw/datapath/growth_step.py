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

    Stages: shift by fours; by ones; add. With fast memory, both shifts are one stage. The bits that the shift drops are added
    to as many random bits. Only their carry counts, and it enters the adder of the last stage.

    Latency: :attr:`latency` cycles from ``stepped`` to ``y``. Throughput: a value a cycle.

    Parameters
    ----------
    build : Build
        Build parameters, with a diagonal.
    fast_memory : bool
        As of :class:`.UpdateUnit`.

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
        The value less its step, two cycles after ``x``, or one with fast memory.
    in_turn : In(1)
        It is the value's turn, one cycle after ``x``.
    y : Out(signed(model_bits + 1))
        ``stepped`` with the growth. It cannot overflow: the growth is at most half of ``x``, and a step at most an eighth of
        the model's range.
    """

    latency = 1

    def __init__(self, build: Build, *, fast_memory: bool = False):
        self._build = build
        self._fast_memory = fast_memory
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
        ]
        if self._fast_memory:
            # The sum is chosen, rather than the share: an iCE40 cell adds and chooses, then, in one
            m.d.sync += share.eq(self.x >> shift)
            m.d.comb += carry.eq(carries)
            m.d.sync += self.y.eq(Mux(self.in_turn, self._sum(share, carry), self.stepped))
        else:
            m.d.sync += [
                coarse.eq(self.x >> Cat(C(0, 2), shift[2:])),
                share.eq(Mux(self.in_turn, coarse >> shift[:2], 0)),
                carry.eq(self.in_turn & carries),
                self.y.eq(self._sum(share, carry)),
            ]
        return m

    def _sum(self, share: Value, carry: Value) -> Value:
        """The carry stands below both numbers, so that one adder takes it in."""
        return (Cat(carry, self.stepped).as_signed() + Cat(carry, share).as_signed()) >> 1
