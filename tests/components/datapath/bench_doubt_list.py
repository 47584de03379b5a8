"""cocotb: lists of samples in doubt, shorter than a word to longer than the list."""

import random

import cocotb
from builds import build_case, case_build
from component_bench import ComponentBench
from timeline import Timeline

from zipsgd_hw.datapath.doubt_list import DoubtList
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (DoubtList,),
    "a bit for each sample, 32 a word, in order",
    tuple(build_case(f"refetch{count}", DoubtList, hinge=1, refetch=count) for count in (32, 128)),
)


@cocotb.test()
async def lists(dut):
    """Each list is read when it is whole, its end among others; some are broken off by the next one, or by a reset."""
    most = case_build().refetch
    timeline = Timeline(
        StreamBench(dut), pulses=("start", "doubt__valid"), noise=("doubt__payload", "doubt_window__offset")
    )
    for number, count in enumerate(
        [most, 1, most + 1, 31, 32, 33, most - 1, 0, 2 * most + 5, *random.choices(range(1, most), k=12)]
    ):
        after_reset = number in (0, 5, 13)
        if number and after_reset:
            await timeline.reset()
        at = timeline.now
        if not after_reset:
            timeline.drive(at, start=1)
            at += random.choice([1, 1, 2])
        kind = random.choice(["ones", "zeros", "mixed", "mixed"]) if number else "ones"
        doubts = [kind == "ones" or (kind == "mixed" and random.random() < 0.5) for _ in range(count)]
        words: dict[int, int] = {}
        stall = random.choice([0.0, 0.4])
        for place, doubt in enumerate(doubts):
            while random.random() < stall:
                at += 1
            timeline.drive(at, doubt__valid=1, doubt__payload=int(doubt))
            word, bit = place % most // 32, place % 32
            words[word] = (words[word] if bit else 0) | int(doubt) << bit
            at += 1
        if random.random() < 0.8 or after_reset:
            outside = [most // 32, most // 32 + 1, *(1 << k for k in range(3, 16)), 0xFFFF]
            places = [*words, *(place for place in outside if place >= most // 32)]
            for place in random.sample(places, len(places)):
                timeline.drive(at, doubt_window__offset=place)
                at += 1
                timeline.due(at + 1, doubt_window__word=words.get(place, 0))
            at += 1
        await timeline.run(at + 1)
