"""cocotb: residuals, deltas, doubts and the loss of samples as near to each other as they come, against the golden model."""

import random
from dataclasses import dataclass, field

import cocotb
import numpy as np
from builds import build_case, case_build, pack, run_bits
from component_bench import ComponentBench
from timeline import Timeline

from zipsgd.golden.lfsr import Lfsr
from zipsgd.golden.loss import (
    Step,
    arguments,
    deltas,
    derivatives,
    doubtful,
    loss_sum,
    polynomial_loss,
    residuals,
)
from zipsgd.golden.polynomial import PolynomialWords
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE, LFSR_BITS, REACH_MAX, STEP_EXP_MAX
from zipsgd.protocol.registers import LOSS_WORDS
from zipsgd.protocol.run import Loss, Refetch
from zipsgd_hw.datapath.bundles import tells_active
from zipsgd_hw.datapath.loss_unit import LossUnit
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (LossUnit,),
    "zipsgd.golden.loss",
    (
        # z coarser than the label; more bits to round away than a draw has
        build_case(
            "plain",
            LossUnit,
            lanes=4,
            update_lanes=4,
            max_features=12,
            p_max=4,
            delta_bits=8,
            gradient_bits=12,
        ),
        build_case("hinge-heads", LossUnit, lanes=4, update_lanes=4, max_features=16, hinge=1, heads=4),
        build_case("hinge-diagonal", LossUnit, lanes=4, update_lanes=4, max_features=16, hinge=1, diagonal=1),
        build_case(
            "refetch",
            LossUnit,
            lanes=4,
            update_lanes=4,
            max_features=8,
            p_max=4,
            q3_bits=10,
            hinge=1,
            refetch=32,
        ),
        # z finer than the label
        # Labels finer than z at all planes, so that z is aligned to them
        build_case(
            "polynomial-coarse",
            LossUnit,
            lanes=4,
            update_lanes=4,
            max_features=8,
            p_max=3,
            q3_bits=8,
            polynomial=2,
        ),
        build_case(
            "polynomial",
            LossUnit,
            lanes=4,
            update_lanes=4,
            max_features=16,
            q3_bits=14,
            polynomial=3,
            hinge=1,
            refetch=32,
            diagonal=1,
            heads=2,
        ),
    ),
)


@dataclass(frozen=True)
class Run:
    """What holds for some samples that come one behind the other."""

    p: int
    m: int
    loss: Loss
    step: Step
    heads: int = 1
    refetch: Refetch = Refetch.NEVER
    degree: int = 0
    reach: int = REACH_MAX
    words: PolynomialWords = field(default_factory=lambda: PolynomialWords((), ()))

    @property
    def each(self) -> int:
        """z of a sample."""
        return max(1, self.m)

    @property
    def spacing(self) -> int:
        """Least cycles from one sample's last z to the next one's."""
        return LossUnit.spacing(self.degree)

    def bits(self, build: Build) -> int:
        return run_bits(
            build,
            up_planes=self.m,
            shift=build.p_max - self.p,
            step_mantissa=self.step.mantissa,
            step_exponent=self.step.exponent,
            loss=self.loss,
            polynomial=int(self.loss.polynomial),
            degree=self.degree,
            reach_shift=REACH_MAX - self.reach,
            refetch=self.refetch,
            last_head=self.heads - 1,
        )


@dataclass(frozen=True)
class Row:
    """A sample of a head: its z, what refetching asks for, and its label."""

    z: list[int]
    base_z: int
    bounds: tuple[int, int]
    label: int


def draw_coefficients(count: int, build: Build) -> tuple[int, ...]:
    """Together as large as they may be."""
    shares = [random.random() ** 3 for _ in range(count)]
    most = (1 << (build.residual_bits - 1)) - 1
    return tuple(random.choice([-1, 1]) * int(most * share / sum(shares)) for share in shares)


def draw_run(build: Build, number: int) -> Run:
    """Every loss of the build in turn. With a step of 1/2, a residual of -2 makes the most negative delta."""
    losses = [
        Loss.SQUARED,
        *([Loss.HINGE, Loss.SQUARED_HINGE] if build.hinge else []),
        *([Loss.POLYNOMIAL_MARGIN, Loss.POLYNOMIAL_RESIDUAL] if build.polynomial else []),
    ]
    loss = losses[number % len(losses)]
    mantissa = random.choice([0x8000, 0xFFFF, random.getrandbits(16)])
    step = Step(mantissa, random.choice([0, 0, random.randint(0, STEP_EXP_MAX)]))
    p = random.choice([build.p_max, random.randint(1, build.p_max)])
    if loss.polynomial:
        degree = random.randint(1, build.polynomial)
        words = PolynomialWords(draw_coefficients(degree + 1, build), draw_coefficients(degree + 2, build))
        reach = random.randint(0, REACH_MAX)
        m = random.choice([degree + 1, random.randint(0, degree + 1)])
        heads = random.randint(1, build.heads)
        return Run(p, m, loss, step, heads, degree=degree, reach=reach, words=words)
    if build.refetch and loss.hinge and random.random() < 0.8:
        refetch = random.choice([Refetch.CERTAIN, Refetch.LIKELY])
        return Run(p, random.choice([1, 2, 2]), loss, step, refetch=refetch)
    return Run(p, random.choice([0, 1, 2, 2]), loss, step, random.choice([1, build.heads, build.heads]))


def draw_row(build: Build, run: Run) -> Row:
    """Residuals, or margins, at the ends of their range, at those of deltas, and at the bounds; z as large as it comes."""
    shift = build.z_shift(run.p)
    most = build.max_features << (run.p + build.q3_bits - 2)
    limit = 1 << (build.residual_bits - 1)
    one = 1 << build.residual_frac
    label_shift = build.residual_frac - LABEL_FRAC
    label = random.choice([-LABEL_ONE, LABEL_ONE])
    if not run.loss.hinge or random.random() < 0.2:
        label = random.choice([label, -1 << LABEL_FRAC, 0, -1, random.randint(-LABEL_ONE, LABEL_ONE)])
    widest = build.max_features << (build.q3_bits - 1)
    bounds = (
        random.choice([0, widest, random.randint(0, widest), random.getrandbits(8)]),
        random.choice([0, widest, random.randint(0, widest), random.getrandbits(8)]),
    )

    def draw_target() -> int:
        edge = random.choice([0, limit, -limit, limit, -limit, 2 * one, -2 * one, -2 * one, one, -one])
        near = edge + random.choice([-1, 0, 0, 1])
        return random.choice([near, near, near >> (REACH_MAX - run.reach), random.randint(-limit, limit)])

    def z_for(target: int) -> int:
        if run.loss == Loss.POLYNOMIAL_MARGIN:
            exact = target if label >= 0 else -target
        else:
            exact = target + (label << label_shift)
        nearest = (exact + (1 << shift >> 1)) >> shift
        z = random.choice([nearest] * 8 + [most, -most, random.randint(-most, most)])
        return max(-most, min(most, z))

    edge = random.choice([bounds[0], bounds[0], -bounds[1], -bounds[1], random.randint(-widest, widest)])
    target = (edge << shift) + random.choice([-1, 0, 0, 0, 1]) if run.refetch else draw_target()
    first = z_for(target)
    if run.loss != Loss.POLYNOMIAL_MARGIN and random.random() < 0.6:
        # Where z is coarser than the label, it takes the right label to come to the target
        exact = (first << shift) - target
        if exact % (1 << label_shift) == 0 and abs(exact >> label_shift) <= LABEL_ONE:
            label = exact >> label_shift
    z = [first, *(z_for(draw_target()) for _ in range(run.each - 1))]
    base_z = random.randint(-most, most)
    if run.refetch == Refetch.CERTAIN:
        z[0], base_z = z_for(draw_target()), first
    return Row(z, base_z, bounds, label)


class Samples:
    """Writes samples and what comes of them down in a timeline."""

    def __init__(self, build: Build, run: Run, timeline: Timeline, lfsr: Lfsr) -> None:
        self._build = build
        self._run = run
        self._timeline = timeline
        self._lfsr = lfsr

    def add(self, rows: list[Row], ends: list[int]) -> None:
        """A sample's row for each head, with the cycles in which their last z come."""
        outcomes = [self._derive(row, end) for row, end in zip(rows, ends, strict=True)]
        count = outcomes[0].size
        last_rounded = LossUnit.latency(self._build, degree=self._run.degree, up_planes=self._run.m)
        start = self._lfsr.state
        for derivative, end in zip(outcomes, ends, strict=True):
            self._lfsr.state = start  # all heads draw the same
            pair = []
            for i in range(count):
                delta, flag = deltas(derivative[i].reshape(1, 1), self._run.step, self._lfsr, self._build)
                pair.append(int(delta[0, 0]))
                self._raise(end + last_rounded - (count - 1 - i) + 1, flag)
            words = pack([pair[0], pair[-1]], self._build.delta_bits)
            self._timeline.due(end + last_rounded, deltas__valid=1, deltas__payload=words)
            if tells_active(self._build) and not self._run.loss.polynomial:
                # Of losses without a hinge, all samples are
                active = not self._run.loss.hinge or bool(derivative[-1])
                self._timeline.due(end + last_rounded, active=int(active))

    def _raise(self, cycle: int, flag: int) -> None:
        if flag:
            self._timeline.change(cycle, "flags", lambda flags: flags | flag)

    def _add_loss(self, cycle: int, loss: int) -> None:
        self._timeline.change(cycle, "loss", lambda total: total + loss)

    def _derive(self, row: Row, end: int) -> np.ndarray:
        """Drives a row and expects its flags, doubt and loss; returns its derivatives."""
        build, run, timeline = self._build, self._run, self._timeline
        label = np.array([row.label])
        begin = end - run.each + 1
        for cycle in range(begin, end + 2):
            timeline.drive(cycle, label__valid=1, label__payload=row.label)
        for cycle in range(begin, begin + 3):
            timeline.drive(cycle, bounds=pack(row.bounds, build.bound_bits))
        timeline.due(end + 1, label__ready=1)
        late = int(build.refetch > 0)
        doubt = False
        r = []
        for i, z in enumerate(row.z):
            cycle = begin + i
            timeline.drive(cycle, scores__valid=1, scores__last=int(cycle == end), scores__z=z)
            if i == 0:
                timeline.drive(cycle, scores__base_z=row.base_z)
            one = np.array([[z]])
            if run.loss.polynomial:
                word, flag = arguments(one, label, run.p, run.reach, run.loss, build)
            else:
                word, flag = residuals(one, label, run.p, build)
            r.append(int(word[0, 0]))
            self._raise(cycle + 3 + late, flag)
        if run.loss.polynomial:
            derivative, loss = polynomial_loss(np.array([r]), label, run.loss, run.words, build)
            self._add_loss(end + 3 * run.degree + 12, loss)
        else:
            within, derivative = derivatives(np.array([r]), label, run.loss, build)
            if run.refetch:
                reference = row.base_z if run.refetch == Refetch.CERTAIN else row.z[0]
                doubt = bool(doubtful(np.array([reference]), label, run.p, row.bounds, build)[0])
            if doubt:
                within, derivative = np.zeros_like(within), np.zeros_like(derivative)
            self._add_loss(end + 6 + late, loss_sum(within, derivative))
        if build.refetch:
            timeline.due(begin + 3, doubt__valid=1, doubt__payload=int(doubt))
        return derivative[0]


@cocotb.test()
async def runs(dut):
    """Each run seeded anew; clears at times that know nothing of the samples; some runs are broken off by a reset."""
    build = case_build()
    window = ("coefficient_window__valid", "coefficient_window__payload") if build.polynomial else ()
    timeline = Timeline(
        StreamBench(dut),
        pulses=("scores__valid", "seed__valid", "clear", "label__valid", *window[:1]),
        noise=(
            *("scores__z", "scores__last", "scores__base_z", "label__payload", "bounds", "seed__payload"),
            *window[1:],
        ),
        strobes=("label__ready", "doubt__valid", "deltas__valid"),
        levels=("loss", "flags"),
    )
    for number in range(80):
        run = draw_run(build, number)
        at = timeline.now
        timeline.drive(at, run=run.bits(build))
        seed = random.randrange(1, 1 << LFSR_BITS)
        timeline.drive(at, seed__valid=1, seed__payload=seed)
        for cycle in range(
            at, at + 4
        ):  # a change of runs may leave a product behind: an epoch begins with a clear
            timeline.drive(cycle, clear=1)
            timeline.clear(cycle + 1, "loss", "flags")
        at += 1
        for place, word in [*enumerate(run.words.derivative), *enumerate(run.words.loss, LOSS_WORDS)]:
            timeline.drive(
                at,
                coefficient_window__valid=1,
                coefficient_window__payload=place | (word & 0xFFFF_FFFF) << 16,
            )
            at += 1
        samples = Samples(build, run, timeline, Lfsr([seed]))
        start = at
        end = at + run.each + 5
        for _ in range(20 // run.heads if run.degree < 3 else 6):
            ends = []
            for _ in range(run.heads):
                ends.append(end)
                end += max(run.spacing, run.each) + random.choice([0, 0, 0, 1, 2, 6])
            samples.add([draw_row(build, run) for _ in ends], ends)
        end += 3 * run.degree + 12
        chance = random.choice([0.0, 0.03, 0.3])
        for cycle in range(start, end):
            if random.random() < chance:
                timeline.drive(cycle, clear=1)
                timeline.clear(cycle + 1, "loss", "flags")
        if number % 8 == 7:
            await timeline.run(random.randint(start, end))
            await timeline.reset()
        else:
            await timeline.run(end)
