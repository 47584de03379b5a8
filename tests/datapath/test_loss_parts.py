"""Parts of the loss unit by themselves, against their golden functions: random numbers, with random gaps."""

import random
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator, SimulatorContext

from zipsgd.golden.bound import score_bounds
from zipsgd.golden.loss import polynomial_loss
from zipsgd.golden.polynomial import LOSS_WORDS, PolynomialWords
from zipsgd.golden.prox import Prox, ball_shift
from zipsgd.protocol.formats import LABEL_ONE, Build, Loss, Refetch
from zipsgd_hw.datapath.doubt_list import DoubtList
from zipsgd_hw.datapath.model_norms import ModelNorms
from zipsgd_hw.datapath.polynomial_evaluator import PolynomialEvaluator


def simulate(dut: Module, bench: Callable[[SimulatorContext], Awaitable[None]]) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def random_words(rng: random.Random, count: int, build: Build) -> tuple[int, ...]:
    """Coefficients that together are as large as they may be."""
    shares = [rng.random() ** 3 for _ in range(count)]
    most = (1 << (build.residual_bits - 1)) - 1
    return tuple(rng.choice([-1, 1]) * int(most * share / sum(shares)) for share in shares)


@pytest.mark.parametrize("degree", [1, 3, 7])
def test_polynomials(degree: int) -> None:
    """A sample's arguments without a gap, as they come; samples as near to each other as they may be, or further apart."""
    build = Build(polynomial=7, q3_bits=14)
    rng = random.Random(degree)
    limit = 1 << (build.residual_bits - 1)
    dut = PolynomialEvaluator(build)
    with_multiplier = Module()
    with_multiplier.submodules.dut = dut
    a, b = Signal(dut.a.shape()), Signal(dut.b.shape())
    with_multiplier.d.sync += [a.eq(dut.a), b.eq(dut.b), dut.product.eq(a * b)]
    deltas: list[tuple[int, bool]] = []
    losses: list[int] = []
    expected_deltas: list[tuple[int, bool]] = []
    expected_losses: list[int] = []

    async def cycles(context: SimulatorContext, count: int) -> None:
        for _ in range(count):
            if context.get(dut.is_delta):
                product = context.get(dut.a) * context.get(dut.b)
                deltas.append((product, bool(context.get(dut.is_last))))
            if context.get(dut.loss_valid):
                losses.append(context.get(dut.loss))
            await context.tick()

    async def bench(context: SimulatorContext) -> None:
        for m in sorted({0, 1, 2, degree, degree + 1}):
            words = PolynomialWords(
                random_words(rng, degree + 1, build), random_words(rng, degree + 2, build)
            )
            mantissa = rng.getrandbits(16)
            for name, value in {"degree": degree, "up_planes": m, "step_mantissa": mantissa}.items():
                context.set(dut.run[name], value)
            context.set(dut.write.valid, 1)
            for place, word in [*enumerate(words.derivative), *enumerate(words.loss, LOSS_WORDS)]:
                context.set(dut.write.payload, {"offset": place, "data": word & 0xFFFF_FFFF})
                await cycles(context, 1)
            context.set(dut.write.valid, 0)
            for _ in range(40):
                t = [rng.choice([-limit, limit - 1, rng.randrange(-limit, limit)]) for _ in range(max(1, m))]
                label = rng.choice([-LABEL_ONE, LABEL_ONE])
                context.set(dut.t_valid, 1)
                for i, each in enumerate(t):
                    context.set(dut.t, each)
                    context.set(dut.t_last, i == len(t) - 1)
                    context.set(dut.negative, label < 0)
                    await cycles(context, 1)
                context.set(dut.t_valid, 0)
                await cycles(context, 3 * (degree + 2) - len(t) + rng.choice([0, 0, 1, 5]))
                derivative, loss = polynomial_loss(
                    np.array([t]), np.array([label]), Loss.POLYNOMIAL_MARGIN, words, build
                )
                each = [int(value) * mantissa for value in derivative[0]]
                expected_deltas.extend((product, i == len(each) - 1) for i, product in enumerate(each))
                expected_losses.append(loss >> build.residual_frac)
            await cycles(context, 10)

    simulate(with_multiplier, bench)
    assert deltas == expected_deltas
    assert losses == expected_losses


@pytest.mark.parametrize(("lanes", "update_lanes"), [(4, 4), (8, 2), (8, 1)])
@pytest.mark.parametrize(
    "options", [{"refetch": 32}, {"prox": 1, "ball": 1}, {"refetch": 32, "prox": 1, "ball": 1}]
)
def test_model_norms(lanes: int, update_lanes: int, options: dict[str, int]) -> None:
    """Of models of all sizes, the largest words among them, one behind the other."""
    build = Build(lanes=lanes, update_lanes=update_lanes, max_features=64, hinge=1, **options)
    rng = random.Random(lanes + update_lanes)
    steps = lanes // update_lanes
    dut = ModelNorms(build)
    seen = set()

    async def bench(context: SimulatorContext) -> None:
        for _ in range(200):
            limit = 1 << rng.randint(0, build.q3_bits - 1)
            features = rng.choice([rng.randint(1, lanes), rng.randint(1, build.max_features)])
            q3 = [rng.choice([-limit, limit - 1, 0, rng.randrange(-limit, limit)]) for _ in range(features)]
            words = np.array(q3)
            refetch = rng.choice([Refetch.CERTAIN, Refetch.LIKELY])
            near = int(int((words**2).sum()) * rng.choice([0, rng.random(), 0.999, 2])) >> build.ball_drop
            square = rng.choice([near, near, rng.getrandbits(32)])
            prox = Prox(ball_square=square, spare_last=rng.random() < 0.5)
            run = {"last_chunk": (features - 1) // lanes, "last_lane": (features - 1) % lanes}
            if build.refetch:
                run["refetch"] = refetch
            if build.ball:
                run |= {"ball_square": prox.ball_square, "spare_last": prox.spare_last}
            context.set(dut.run, run)
            rows = build.chunks(features) * steps
            q3 += [0] * (rows * update_lanes - features)
            for row in range(rows):
                while rng.random() < 0.3:
                    await context.tick()
                context.set(dut.q3_write, 1 << row % steps)
                context.set(dut.q3_chunk, row // steps)
                context.set(dut.q3_words, q3[row * update_lanes : (row + 1) * update_lanes])
                context.set(dut.q3_done, row % steps == steps - 1)
                context.set(dut.q3_last, row // steps == run["last_chunk"])
                await context.tick()
                context.set(dut.q3_write, 0)
                context.set(dut.q3_done, 0)
            await context.tick().repeat(dut.latency - 1)
            if build.refetch:
                spared = build.ball == 1 and prox.spare_last and prox.ball_square > 0
                bounds = score_bounds(words, refetch, spared)
                assert tuple(context.get(dut.bounds[i]) for i in range(2)) == bounds
                seen.add((refetch, bounds[0] == bounds[1]))
            if build.ball:
                inward = ball_shift(words, prox, build)
                assert context.get(dut.inward) == inward
                seen.add(inward)

    simulate(dut, bench)
    assert len(seen) >= 3


def test_lists_of_doubts() -> None:
    build = Build(hinge=1, refetch=128)
    rng = random.Random(1)
    dut = DoubtList(build)

    async def bench(context: SimulatorContext) -> None:
        for count in (1, 128, 31, 32, 33, 100, 127):
            doubts = [rng.random() < 0.5 for _ in range(count)]
            context.set(dut.start, 1)
            await context.tick()
            context.set(dut.start, 0)
            for doubt in doubts:
                while rng.random() < 0.4:
                    context.set(dut.doubt, rng.random() < 0.5)
                    await context.tick()
                context.set(dut.valid, 1)
                context.set(dut.doubt, doubt)
                await context.tick()
                context.set(dut.valid, 0)
            words = [
                sum(doubt << i for i, doubt in enumerate(doubts[k : k + 32])) for k in range(0, count, 32)
            ]
            places = [*range(len(words)), 4, 5, 0xFFFF]
            for place in rng.sample(places, len(places)):
                context.set(dut.offset, place)
                await context.tick()
                assert context.get(dut.word) == (words[place] if place < len(words) else 0)

    simulate(dut, bench)
