"""cocotb: the replay buffer against a queue."""

import random
from collections import deque
from functools import partial

import cocotb
from component_bench import Case, ComponentBench
from plane_runs import Ports

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.replay_buffer import ReplayBuffer
from zipsgd_sim.stream_bench import StreamBench

_BUILDS = {
    f"{lanes}x{words}": Build(lanes=lanes, update_lanes=4, max_features=16, replay_words=words)
    for lanes, words in ((8, 32), (4, 64))
}

BENCH = ComponentBench(
    (ReplayBuffer,),
    "words in order, each from two cycles after its write on",
    tuple(Case(name, partial(ReplayBuffer, build), {"case": name}) for name, build in _BUILDS.items()),
)


@cocotb.test()
async def queue(dut):
    """Empty and full, in every cycle and with gaps, from the beginning again after a reset."""
    build = _BUILDS[str(cocotb.plusargs["case"])]
    bench = StreamBench(dut)
    outputs = Ports(dut, "full", "output")
    bench.pins |= {"rst": 1, "write": 0, "next": 0}
    await bench.cycle()
    waiting: deque[tuple[int, int]] = deque()  # words, and the cycles in which they may be read
    for _ in range(90):
        writes, reads = random.choice([(1, 0), (0, 1), (1, 1), (0.5, 0.6), (0.6, 0.5), (0.1, 1), (1, 0.9)])
        bench.pins["rst"] = 0
        for _ in range(random.randint(1, 2 * build.replay_words)):
            now = bench.cycles
            full = len(waiting) == build.replay_words
            ready = bool(waiting) and waiting[0][1] <= now
            word = random.choice([0, (1 << build.lanes) - 1, random.getrandbits(build.lanes)])
            write, read = not full and random.random() < writes, ready and random.random() < reads
            bench.pins |= {"write": int(write), "input": word, "next": int(read)}
            await bench.cycle()
            assert outputs.full == full, f"cycle {now}: {len(waiting)} words"
            if ready:
                assert outputs.output == waiting[0][0], f"cycle {now}"
            if read:
                waiting.popleft()
            if write:
                waiting.append((word, now + 2))
        if random.random() < 0.2:
            bench.pins |= {"rst": 1, "write": 0, "next": 0}
            await bench.cycle()
            waiting.clear()
