"""cocotb: derivatives and losses of polynomials, against the golden model, through a multiplier as the loss unit has it."""

import random

import cocotb
import numpy as np
from builds import build_case, case_build, run_bits
from component_bench import ComponentBench
from timeline import Timeline

from zipsgd.golden.loss import polynomial_loss
from zipsgd.golden.polynomial import PolynomialWords
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE, STEP_BITS
from zipsgd.protocol.registers import LOSS_WORDS
from zipsgd.protocol.run import Loss
from zipsgd_hw.datapath.polynomial_evaluator import PolynomialEvaluator
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (PolynomialEvaluator,),
    "zipsgd.golden.loss.polynomial_loss",
    (
        build_case("degree7", PolynomialEvaluator, polynomial=7, q3_bits=14),
        build_case("degree1", PolynomialEvaluator, polynomial=1),
    ),
)


def draw_words(count: int, build: Build) -> tuple[int, ...]:
    """Coefficients that together are as large as they may be; at times one alone is."""
    shares = [random.random() ** 3 for _ in range(count)]
    if random.random() < 0.2:
        shares = [0.0] * count
        shares[random.randrange(count)] = 1.0
    most = (1 << (build.residual_bits - 1)) - 1
    return tuple(random.choice([-1, 1]) * int(most * share / sum(shares)) for share in shares)


class Multiplier:
    """Gives a product back two cycles after its factors, as the loss unit does."""

    def __init__(self, dut, bench: StreamBench) -> None:
        self._dut = dut
        self._bench = bench
        self._stage = 0
        self.product = 0
        """Of the factors in this cycle."""

    def cycle(self) -> None:
        self._bench.pins["product"] = self._stage & ((1 << len(self._dut.product)) - 1)
        self.product = self._dut.a.value.to_signed() * self._dut.b.value.to_signed()
        self._stage = self.product


@cocotb.test()
async def samples(dut):
    """A sample's arguments as they come, samples as near to each other as they may be, or further apart."""
    build = case_build()
    limit = 1 << (build.residual_bits - 1)
    bench = StreamBench(dut)
    multiplier = Multiplier(dut, bench)
    timeline = Timeline(
        bench,
        pulses=("t_valid", "coefficient_window__valid"),
        noise=("t", "t_last", "negative", "coefficient_window__payload"),
        strobes=("is_delta", "loss_valid"),
    )
    products: dict[int, tuple[int, int]] = {}

    def each() -> None:
        multiplier.cycle()
        if timeline.now in products:
            expected, is_last = products.pop(timeline.now)
            assert multiplier.product == expected, f"cycle {timeline.now}: a delta's factors"
            assert int(dut.is_last.value) == is_last

    for degree in range(1, build.polynomial + 1):
        for m in sorted({0, 1, 2, *range(degree, degree + 2)}):
            words = PolynomialWords(draw_words(degree + 1, build), draw_words(degree + 2, build))
            mantissa = random.choice([1, (1 << STEP_BITS) - 1, random.getrandbits(STEP_BITS)])
            at = timeline.now + 1
            timeline.drive(at, run=run_bits(build, degree=degree, up_planes=m, step_mantissa=mantissa))
            placed = [*enumerate(words.derivative), *enumerate(words.loss, LOSS_WORDS)]
            for place, word in random.sample(placed, len(placed)):
                timeline.drive(
                    at,
                    coefficient_window__valid=1,
                    coefficient_window__payload=place | (word & 0xFFFF_FFFF) << 16,
                )
                at += random.choice([1, 1, 2])
            at += 2
            count = 20
            for number in range(count):
                edges = [-limit, limit - 1, 0, 1, -1, random.randrange(-limit, limit)]
                t = [random.choice(edges) for _ in range(max(1, m))]
                label = random.choice([-LABEL_ONE, LABEL_ONE])
                for place, argument in enumerate(t):
                    last = int(place == len(t) - 1)
                    timeline.drive(at, t_valid=1, t_last=last, t=argument)
                    if last:
                        timeline.drive(at, negative=int(label < 0))
                    at += 1
                end = at - 1
                derivative, loss = polynomial_loss(
                    np.array([t]), np.array([label]), Loss.POLYNOMIAL_MARGIN, words, build
                )
                for i, value in enumerate(derivative[0]):
                    cycle = end + 3 * degree + 4 + i
                    timeline.due(cycle, is_delta=1)
                    products[cycle] = int(value) * mantissa, int(i == len(derivative[0]) - 1)
                cycle = end + 3 * (degree + 2) + 3
                timeline.due(cycle, loss_valid=1, loss=loss >> build.residual_frac)
                # From this one's last argument to the next one's are at least 3 (d + 2) cycles
                following = end + 3 * (degree + 2) + random.choice([0, 0, 1, 5])
                at = following - (len(t) - 1)
                if number == count - 1 and degree % 3 == 1:  # broken off
                    await timeline.run(random.randint(end - len(t) + 2, cycle + 1), each)
                    products.clear()
                    await timeline.reset()
                    at = timeline.now
            await timeline.run(at + 12, each)
