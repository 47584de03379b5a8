"""The polynomial evaluator: Horner's rule in turns through one multiplier."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.golden.polynomial import LOSS_WORDS
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_DEGREE, STEP_BITS
from zipsgd_hw.memory import block_ram
from zipsgd_hw.windows import LateWrite

from .config import run_layout

__all__ = ["PolynomialEvaluator"]


class PolynomialEvaluator(wiring.Component):
    """Derivatives and loss of a sample from its arguments t_1, t_2, ... (golden model: :mod:`zipsgd.golden.polynomial`).

    Three sums take turns, cycle by cycle: the derivative of t_1 ... t_d, that of t_2 ... t_(d + 1), and the loss of t_1 ...
    t_(d + 1). Each goes around a loop of three stages, of which the middle one is the loss unit's multiplier::

        coefficient ─► + ─► sum ─► operands ─► product ─┐
                       ▲                                │
                       └────────── rounded ─────────────┘

    At first a sum is the uppermost coefficient. With each turn, t_i times it joins the next coefficient; the derivatives take
    one turn more, for step times derivative, which is what the loss unit rounds to a delta.

    From the last t of a sample to the factors of its last delta are 3 d + 5 cycles, or 3 d + 4 with m < 2.

    Members
    -------
    run : In(run_layout(build))
    write : In(LateWrite). Not while samples are under way.
    t_valid, t_last, t : In, in units of 2^(1 - residual_bits), a sample's in as many cycles running; ``negative`` : In(1) with
        the last one, the derivative's sign turns. From one sample's last t to the next one's are at least 3 (d + 2) cycles.
    a, b : Out, factors for the multiplier, of residual_bits, and of as many or one more than the step's if those are more.
    is_delta, is_last : Out(1), of these: their product is a delta, the last one of its sample.
    product : In, a * b, two cycles later.
    loss_valid : Out(1), loss : Out(signed(residual_bits)).
    """

    def __init__(self, build: Build):
        self._build = build
        width = build.residual_bits
        b_width = max(width, STEP_BITS + 1)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "write": In(LateWrite),
                "t_valid": In(1),
                "t_last": In(1),
                "t": In(signed(width)),
                "negative": In(1),
                "a": Out(signed(width)),
                "b": Out(signed(b_width)),
                "is_delta": Out(1),
                "is_last": Out(1),
                "product": In(signed(width + b_width)),
                "loss_valid": Out(1),
                "loss": Out(signed(width)),
            }
        )

    def elaborate(self, platform):
        build = self._build
        width = build.residual_bits
        degree = self.run.degree
        m = Module()

        # Arguments, each in its place until the next sample's
        arguments = Array(
            Signal(signed(width), name=f"t{i + 1}", reset_less=True) for i in range(build.m_max)
        )
        place = Signal(range(build.m_max))
        last_place = Signal.like(place)
        two = Signal()
        negative = Signal()
        m.d.sync += [
            two.eq(self.run.up_planes > 1),
            last_place.eq(Mux(self.run.up_planes > 1, self.run.up_planes - 1, 0)),
        ]
        with m.If(self.t_valid):
            m.d.sync += [arguments[place].eq(self.t), place.eq(Mux(self.t_last, 0, place + 1))]
            with m.If(self.t_last):
                m.d.sync += negative.eq(self.negative)

        # Turns: which sum, and how many coefficients are in it already
        of_second, of_loss = Signal(), Signal()
        count = Signal(range(MOST_DEGREE + 2))
        running = Signal()
        with m.If(self.t_valid & self.t_last):
            m.d.sync += [running.eq(1), of_second.eq(0), of_loss.eq(0), count.eq(0)]
        with m.Elif(running):
            m.d.sync += [of_second.eq(~of_second & ~of_loss), of_loss.eq(of_second)]
            with m.If(of_loss):
                m.d.sync += count.eq(count + 1)
                with m.If(count == degree + 1):
                    m.d.sync += running.eq(0)

        # Its coefficient, fetched in two cycles
        m.submodules.coefficients = coefficients = block_ram(signed(width), 2 * LOSS_WORDS)
        port, read = coefficients.write_port(), coefficients.read_port()
        coefficient = Signal(signed(width), reset_less=True)
        m.d.comb += [
            port.addr.eq(self.write.payload.offset),
            port.data.eq(self.write.payload.data),
            port.en.eq(self.write.valid),
            read.addr.eq(Mux(of_loss, LOSS_WORDS + 1 + degree - count, degree - count)),
            read.en.eq(1),
        ]
        m.d.sync += coefficient.eq(read.data)
        turn = data.StructLayout(
            {
                "valid": 1,
                "opens": 1,
                "of_loss": 1,
                "of_second": 1,
                "whole": 1,
                "place": range(MOST_DEGREE + 2),
            }
        )
        fetching, adding, summed = Signal(turn), Signal(turn), Signal(turn)
        m.d.sync += [
            fetching.valid.eq(running),
            fetching.opens.eq(count == 0),
            fetching.of_loss.eq(of_loss),
            fetching.of_second.eq(of_second),
            fetching.whole.eq(count == Mux(of_loss, degree + 1, degree)),
            fetching.place.eq(count + of_second),
            adding.eq(fetching),
            summed.eq(adding),
        ]

        # Round the product and add. The half that rounds stands below the coefficient.
        total = Signal(signed(width), reset_less=True)
        product = Mux(adding.opens, 0, self.product[width - 2 :].as_signed())
        m.d.sync += [
            total.eq((product + Cat(C(1, 1), coefficient).as_signed()) >> 1),
            summed.place.eq(Mux(adding.place > last_place, last_place, adding.place)),
        ]

        # Send it around, or out. A derivative that is whole takes one more turn, in vain.
        mantissa = self.run.step_mantissa
        m.d.comb += [
            self.a.eq(total),
            self.b.eq(Mux(summed.whole, Mux(negative, -mantissa, mantissa), arguments[summed.place])),
            self.is_delta.eq(summed.valid & summed.whole & ~summed.of_loss & (two | ~summed.of_second)),
            self.is_last.eq(summed.of_second | ~two),
            self.loss_valid.eq(summed.valid & summed.whole & summed.of_loss),
            self.loss.eq(total),
        ]
        return m
