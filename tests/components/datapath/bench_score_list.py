"""cocotb: lists of scores, from none to more than the list has room for."""

import random

import cocotb
import numpy as np
from builds import build_case, case_build
from component_bench import ComponentBench
from timeline import Timeline

from zipsgd.golden.dot import score_words
from zipsgd_hw.datapath.score_list import ScoreList
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (ScoreList,),
    "zipsgd.golden.dot.score_words",
    (
        build_case("narrow", ScoreList, score_words=32, max_features=64, q3_bits=8),
        build_case("wide", ScoreList, score_words=128, max_features=1 << 14, p_max=8, polynomial=3),
    ),
)


@cocotb.test()
async def lists(dut):
    """Each list is read when it is whole, its end among others; some are broken off by the next one, or by a reset."""
    build = case_build()
    most, limit = build.score_words, 1 << (build.z_bits - 1)
    timeline = Timeline(
        StreamBench(dut),
        pulses=("start", "scores__valid"),
        noise=("scores__last", "scores__z", "scores__base_z", "score_window__offset"),
    )
    for number, count in enumerate(
        [most, 1, most + 1, most - 1, 0, 2 * most + 5, *random.choices(range(1, most), k=8)]
    ):
        after_reset = number in (0, 4, 9)
        if number and after_reset:
            await timeline.reset()
        at = timeline.now
        if not after_reset:
            timeline.drive(at, start=1)
            at += random.choice([1, 1, 2])
        words: dict[int, int] = {}
        stall = random.choice([0.0, 0.4])
        ups = random.randint(1, build.m_max)
        for place in range(count):
            for up in range(ups):
                while random.random() < stall:
                    at += 1
                z = random.choice([-limit, limit - 1, -1, random.randrange(-limit, limit)])
                timeline.drive(at, scores__valid=1, scores__last=int(up == ups - 1), scores__z=z)
                if up == 0:
                    words[place % most] = int(score_words(np.array([z]))[0])
                at += 1
        at += 1  # the last score is written
        if random.random() < 0.8 or after_reset:
            outside = [most, most + 1, *(1 << k for k in range(most.bit_length() - 1, 16)), 0xFFFF]
            places = [*words, *outside]
            for place in random.sample(places, len(places)):
                timeline.drive(at, score_window__offset=place)
                at += 1
                timeline.due(at + 1, score_window__word=words.get(place, 0))
            at += 1
        elif random.random() < 0.5 and count:
            timeline.drive(at, scores__valid=1, scores__last=1)
            at += 2
        await timeline.run(at + 1)
