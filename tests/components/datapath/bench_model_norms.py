"""cocotb: norms of models as the update unit writes them, row by row, against the golden bounds and shifts."""

import random
from dataclasses import dataclass

import cocotb
import numpy as np
from builds import build_case, case_build, pack, run_bits
from component_bench import ComponentBench
from timeline import Timeline

from zipsgd.golden.bound import score_bounds
from zipsgd.golden.prox import Prox, ball_shift
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Refetch
from zipsgd_hw.datapath.model_norms import ModelNorms
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (ModelNorms,),
    "zipsgd.golden.bound.score_bounds and zipsgd.golden.prox.ball_shift",
    (
        build_case("bounds", ModelNorms, lanes=4, update_lanes=4, max_features=20, hinge=1, refetch=32),
        build_case(
            # Squares of more than 32 bits
            "ball",
            ModelNorms,
            lanes=8,
            update_lanes=1,
            max_features=24,
            q3_bits=18,
            prox=1,
            ball=1,
        ),
        build_case(
            # Balls larger than any model
            "both",
            ModelNorms,
            lanes=8,
            update_lanes=4,
            max_features=64,
            q3_bits=6,
            model_bits=20,
            gradient_bits=16,
            hinge=1,
            refetch=32,
            prox=1,
            ball=1,
        ),
    ),
)


@dataclass(frozen=True)
class Model:
    """A model's Q3, and the run that it is of."""

    q3: list[int]
    refetch: Refetch
    prox: Prox


def draw_model(build: Build, number: int) -> Model:
    """Some are as large as they come, others have words of all sizes; balls are near to them, or as large as they come."""
    if number % 10 < 4:
        low, high = -1 << (build.q3_bits - 1), (1 << (build.q3_bits - 1)) - 1
        q3 = [[low], [high], [low, high], [high, low]][number % 10] * build.max_features
        q3 = q3[: build.max_features]
    else:
        limit = 1 << random.randint(0, build.q3_bits - 1)
        features = random.choice([random.randint(1, build.lanes), random.randint(1, build.max_features)])
        edges = [-limit, limit - 1, 0]
        q3 = [random.choice([*edges, random.randrange(-limit, limit)]) for _ in range(features)]
    spare = random.random() < 0.5
    used = np.array(q3[:-1] if spare else q3, dtype=np.int64)
    square = int((used * used).sum())
    excess = random.choice([0, 1, -1, 2, 3, square >> random.randint(0, 18), square, square + 1])
    near = max(0, square - excess) >> build.ball_drop or random.getrandbits(4)
    ball = min(random.choice([near] * 6 + [0, 1 << 32, random.getrandbits(32)]), (1 << 32) - 1)
    refetch = random.choice([Refetch.CERTAIN, Refetch.LIKELY])
    return Model(q3, refetch, Prox(ball_square=ball, spare_last=spare))


@cocotb.test()
async def models(dut):
    """One behind the other, with gaps in the writes of some; others are broken off by a reset."""
    build = case_build()
    latency = ModelNorms.latency(build)
    steps = build.lanes // build.update_lanes
    timeline = Timeline(
        StreamBench(dut),
        pulses=("q3__write", "q3__done"),
        noise=("q3__chunk", "q3__words", "q3__last"),
        levels=("inward",),
    )
    seen = set()
    at = timeline.now + 1
    for number in range(700):
        model = draw_model(build, number)
        features = len(model.q3)
        last_chunk = (features - 1) // build.lanes
        timeline.drive(
            at,
            run=run_bits(
                build,
                last_chunk=last_chunk,
                last_lane=(features - 1) % build.lanes,
                refetch=model.refetch,
                spare_last=int(model.prox.spare_last),
                ball_square=model.prox.ball_square,
            ),
        )
        stall = random.choice([0.0, 0.0, 0.3])
        rows = (last_chunk + 1) * steps
        padded = model.q3 + [0] * (rows * build.update_lanes - features)
        first = at
        for row in range(rows):
            chunk, step = divmod(row, steps)
            done = step == steps - 1
            timeline.drive(
                at,
                q3__write=1 << step,
                q3__chunk=chunk,
                q3__words=pack(padded[row * build.update_lanes :][: build.update_lanes], build.q3_bits),
                q3__done=int(done),
            )
            if done:
                timeline.drive(at, q3__last=int(chunk == last_chunk))
            at += 1
            while row < rows - 1 and random.random() < stall:
                at += 1
        shown = at - 1 + latency
        if number % 50 == 49:
            await timeline.run(random.randint(first, shown - 1))
            await timeline.reset()
            at = timeline.now
            continue
        at = shown + random.choice([0, 1, 7])
        q3 = np.array(model.q3, dtype=np.int64)
        if build.refetch:
            spared = build.ball == 1 and model.prox.spare_last and model.prox.ball_square > 0
            bounds = score_bounds(q3, model.refetch, spared)
            for cycle in range(shown, at + 1):
                timeline.due(cycle, bounds=pack(bounds, build.bound_bits))
            seen.add((model.refetch, spared, bounds[0] > bounds[1]))
        if build.ball:
            inward = ball_shift(q3, model.prox, build)
            timeline.change(shown, "inward", lambda _, inward=inward: inward)
            seen.add(inward)
        await timeline.run(at)
    await timeline.run(at + latency)
    if build.ball:
        assert {0, 2, 3, 14, 15} <= seen, "shifts at both ends of their range"
