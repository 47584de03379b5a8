"""cocotb: samples counted in mini-batches, against counts of integers."""

import random
from functools import partial

import cocotb
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, weighted

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import SAMPLES_BITS
from zipsgd_hw.datapath.position import SampleCounter
from zipsgd_sim.stream_bench import StreamBench

_BUILD = Build(lanes=4, update_lanes=4, max_features=16, max_batch=8)

BENCH = ComponentBench(
    (SampleCounter,),
    "mini-batches of a run's samples, the last one with those that are left",
    (Case("batch8", partial(SampleCounter, _BUILD)),),
)

_MOST = (1 << SAMPLES_BITS) - 1


@cocotb.test()
async def epochs(dut):
    """Epochs of any length, counted out, begun anew or reset; samples in every second cycle or with gaps."""
    bench = StreamBench(dut)
    outputs = Ports(dut, "active", "marks")
    bench.pins |= {"rst": 1, "start": 0, "advance": 0}
    await bench.cycle()
    for _ in range(400):
        batch = weighted(1, _BUILD.max_batch)
        samples = random.choice(
            [
                *(1, 2, 3, 4),
                random.randint(1, 3 * batch),
                batch * random.randint(1, 3),
                (1 << random.randint(0, SAMPLES_BITS - 1)) + random.randint(0, 2),
                _MOST - random.randint(0, 3),
            ]
        )
        # The epoch before this one may be under way: it is forgotten.
        bench.pins |= {
            "rst": 0,
            "start": 1,
            "samples": samples,
            "run": PlaneRun(_BUILD, 4, 1, 1, batch=batch).word(),
        }
        bench.pins["advance"] = int(random.random() < 0.3)
        await bench.cycle()
        stall = random.choice([0, 0, 0.4])
        bench.pins["start"] = 0
        done = 0
        advance = False
        for _ in range(random.choice([6 * batch + 6, random.randint(0, 6 * batch)])):
            advanced = advance  # in the cycle before; the last mark is not there yet
            advance = done < samples and not advanced and random.random() >= stall
            bench.pins |= {"advance": int(advance), "samples": random.getrandbits(SAMPLES_BITS)}
            await bench.cycle()
            where = f"cycle {bench.cycles}: {done} of {samples}, mini-batches of {batch}"
            assert outputs.active == (done < samples), where
            if done < samples:
                first, last = done % batch == 0, done % batch == batch - 1 or done == samples - 1
                assert outputs.marks & 1 == first, where
                assert advanced or outputs.marks >> 1 == last, where
            done += advance
        if random.random() < 0.2:
            bench.pins |= {"rst": 1, "advance": 0}
            await bench.cycle()
            bench.pins["rst"] = 0
            await bench.cycle()
            assert (outputs.active, outputs.marks & 1) == (0, 1), f"cycle {bench.cycles}: reset"
