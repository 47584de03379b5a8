"""The polynomial evaluator: Horner's rule in turns through one multiplier."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_DEGREE, STEP_BITS
from zipsgd.protocol.registers import COEFFICIENT_WORDS, LOSS_WORDS
from zipsgd_hw.memory import Memories, block_ram
from zipsgd_hw.windows import WriteWindow

from .config import run_layout

__all__ = ["PolynomialEvaluator"]

_TURN = data.StructLayout(
    {
        "valid": 1,
        "opens": 1,
        "of_loss": 1,
        "of_second": 1,
        "whole": 1,
        "place": range(MOST_DEGREE + 2),
    }
)
"""One turn of a sum.

``opens``: the sum is its uppermost coefficient; ``of_loss``, ``of_second``: which sum it is, else the first derivative;
``whole``: it has all its coefficients; ``place``: the argument that it is multiplied by next.
"""


class PolynomialEvaluator(wiring.Component):
    """Derivatives and loss of a sample from its arguments t_1, t_2, ... (golden model: :mod:`zipsgd.golden.polynomial`).

    Three sums take turns, cycle by cycle: the derivative of t_1 ... t_d, that of t_2 ... t_(d + 1), and the loss of t_1 ...
    t_(d + 1). Each goes around a loop of three stages, of which the middle one is the loss unit's multiplier::

        coefficient ─► + ─► sum ─► operands ─► product ─┐
                       ▲                                │
                       └────────── rounded ─────────────┘

    A sum starts as its uppermost coefficient. With each turn, t_i times the sum is added to the next coefficient; the
    derivatives take one turn more, for step times derivative, which the loss unit rounds to a delta.

    Latency: :meth:`latency`. Throughput: a sample every :meth:`spacing` cycles.

    Parameters
    ----------
    build : Build
        Build parameters.

    Members
    -------
    run : In(run_layout(build))
        Configuration of the run.
    coefficient_window : In(WriteWindow)
        Coefficients in units of 2^-residual_frac; not while samples are under way.
    t_valid : In(1), t_last : In(1), t : In(signed(residual_bits))
        Arguments in units of 2^(1 - residual_bits), those of a sample in consecutive cycles.
    negative : In(1)
        With the last argument: the sign of the derivative turns.
    a : Out(signed(residual_bits)), b : Out(signed(max(residual_bits, 17)))
        Factors for the multiplier.
    is_delta : Out(1), is_last : Out(1)
        With the factors: their product is a delta, and the last one of its sample.
    product : In
        a * b, two cycles later.
    loss_valid : Out(1), loss : Out(signed(residual_bits))
        The loss of a sample, in units of 2^-residual_frac.
    """

    @staticmethod
    def latency(degree: int, *, up_planes: int) -> int:
        """Cycles from the last argument of a sample to the factors of its last delta: 3 d + 5, or 3 d + 4 with m < 2."""
        return 3 * degree + 4 + (up_planes > 1)

    @staticmethod
    def spacing(degree):
        """Fewest cycles from one sample's last argument to the next one's: 3 (d + 2), for an int or a Value."""
        return 3 * (degree + 2)

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {"coefficients": (build.residual_bits, COEFFICIENT_WORDS)}

    def __init__(self, build: Build):
        self._build = build
        width = build.residual_bits
        b_width = max(width, STEP_BITS + 1)
        super().__init__(
            {
                "run": In(run_layout(build)),
                "coefficient_window": In(WriteWindow),
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
        m = Module()
        arguments, last_place, two, negative = self._keep_arguments(m)
        adding, coefficient = self._take_turns(m)
        width = self._build.residual_bits

        # Round the product and add. The half that rounds stands below the coefficient.
        total = Signal(signed(width), reset_less=True)
        summed = Signal(_TURN)
        product = Mux(adding.opens, 0, self.product[width - 2 :].as_signed())
        m.d.sync += [
            total.eq((product + Cat(C(1, 1), coefficient).as_signed()) >> 1),
            summed.eq(adding),
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

    def _keep_arguments(self, m: Module) -> tuple[Array, Signal, Signal, Signal]:
        """Arguments of a sample, kept until the next one's come.

        Returns them, the place of the last one, whether there are two or more, and whether the derivative's sign turns.
        """
        build = self._build
        arguments = Array(
            Signal(signed(build.residual_bits), name=f"t{i + 1}", reset_less=True) for i in range(build.m_max)
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
        return arguments, last_place, two, negative

    def _take_turns(self, m: Module) -> tuple[Signal, Signal]:
        """Which sum takes its turn in the adder, and its coefficient, which is fetched in two cycles."""
        width, depth = self.memories(self._build)["coefficients"]
        degree = self.run.degree
        of_second, of_loss = Signal(), Signal()
        count = Signal(range(MOST_DEGREE + 2))  # coefficients that are in the sum already
        running = Signal()
        with m.If(self.t_valid & self.t_last):
            m.d.sync += [running.eq(1), of_second.eq(0), of_loss.eq(0), count.eq(0)]
        with m.Elif(running):
            m.d.sync += [of_second.eq(~of_second & ~of_loss), of_loss.eq(of_second)]
            with m.If(of_loss):
                m.d.sync += count.eq(count + 1)
                with m.If(count == degree + 1):
                    m.d.sync += running.eq(0)

        m.submodules.coefficients = coefficients = block_ram(signed(width), depth)
        port, read = coefficients.write_port(), coefficients.read_port()
        coefficient = Signal(signed(width), reset_less=True)
        fetching, adding = Signal(_TURN), Signal(_TURN)
        m.d.comb += [
            port.addr.eq(self.coefficient_window.payload.offset),
            port.data.eq(self.coefficient_window.payload.data),
            port.en.eq(self.coefficient_window.valid),
            read.addr.eq(Mux(of_loss, LOSS_WORDS + 1 + degree - count, degree - count)),
            read.en.eq(1),
        ]
        m.d.sync += [
            coefficient.eq(read.data),
            fetching.valid.eq(running),
            fetching.opens.eq(count == 0),
            fetching.of_loss.eq(of_loss),
            fetching.of_second.eq(of_second),
            fetching.whole.eq(count == Mux(of_loss, degree + 1, degree)),
            fetching.place.eq(count + of_second),
            adding.eq(fetching),
        ]
        return adding, coefficient
