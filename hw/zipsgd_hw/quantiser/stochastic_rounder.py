"""From values to base and up bits."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LFSR_BITS
from zipsgd.protocol.raw_words import CROSSINGS, GENERATORS, value_frac
from zipsgd_hw.datapath.config import run_layout
from zipsgd_hw.datapath.lfsr import Lfsr

__all__ = ["StochasticRounder"]


class StochasticRounder(wiring.Component):
    """The base of a value, and two independent up bits (golden model: :mod:`zipsgd.golden.device_quantiser`).

    The base is the value's upper p bits. An up bit is the carry of the other bits and as many of a draw. Two random generators
    go on with each value that is drawn; a draw is one's state, crossed with the other one's.

    Latency: one step. Throughput: a value a step.

    Parameters
    ----------
    build : Build
        Build parameters.
    raw_bits : int
        Bits of a raw word, from which the value's F follow.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run. A change shows one cycle later.
    step : In(1)
        The words under way take a step.
    draw : In(1)
        With ``step``, the value is a feature's, and takes a draw.
    value : In(signed(F + 1)), one : In(1)
        As of :class:`.ColumnScaler`; with ``one``, ``value`` does not matter.
    code : Out(p_max + 2)
        The value's bit of each plane: p bits of the base, most significant first, then two up bits; those behind do not matter.
    seed : In(stream.Signature(31, always_ready=True))
        New state of the first generator; each generator's former state goes to the next one. Both must be seeded before the
        first draw, with different words: from reset on they are alike.
    seed_next : Out(stream.Signature(31, always_ready=True))
        The last generator's former state.
    """

    def __init__(self, build: Build, raw_bits: int):
        self._build = build
        self._frac = value_frac(raw_bits)
        seed = stream.Signature(LFSR_BITS, always_ready=True)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "step": In(1),
                "draw": In(1),
                "value": In(signed(self._frac + 1)),
                "one": In(1),
                "code": Out(build.p_max + GENERATORS),
                "seed": In(seed),
                "seed_next": Out(seed),
            }
        )

    def elaborate(self, platform):
        m = Module()
        frac, p_max, last_base = self._frac, self._build.p_max, self.run.last_base
        of_base = Signal(frac)  # bits of the base behind the sign
        m.d.sync += of_base.eq(Cat(last_base >= frac - place for place in range(frac)))
        fraction = self.value[:frac] | of_base  # ones, through which a carry passes
        seed = self.seed.payload
        lfsrs = [Lfsr() for _ in range(GENERATORS)]
        for number, lfsr in enumerate(lfsrs):
            m.submodules[f"lfsr{number}"] = lfsr
            m.d.comb += [
                lfsr.advance.eq(self.step & self.draw),
                lfsr.load.eq(self.seed.valid),
                lfsr.seed.eq(seed),
            ]
            seed = lfsr.state
        draws = [
            lfsr.state[:frac] ^ Cat(other.state[(first - 2 * place) % LFSR_BITS] for place in range(frac))
            for lfsr, other, first in zip(lfsrs, reversed(lfsrs), CROSSINGS)
        ]
        ups = [(fraction + (draw & ~of_base))[frac] | self.one for draw in draws]
        m.d.comb += [self.seed_next.valid.eq(self.seed.valid), self.seed_next.payload.eq(seed)]

        planes = [self.value[frac] & ~self.one]
        for plane in range(1, p_max + GENERATORS):
            up = Mux(last_base == plane - 1, ups[0], ups[1])
            base = self.value[frac - plane] | self.one
            planes.append(Mux(last_base >= plane, base, up) if plane < p_max else up)
        with m.If(self.step):
            m.d.sync += self.code.eq(Cat(planes))
        return m
