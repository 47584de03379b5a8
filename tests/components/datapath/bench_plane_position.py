"""cocotb: positions of plane words, counted out for random runs one behind the other."""

import random
from functools import partial

import cocotb
from component_bench import Case, ComponentBench
from plane_runs import PlaneRun, Ports, Position, random_plane_run

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.position import PlanePosition
from zipsgd_sim.stream_bench import StreamBench

_SMALL = {"lanes": 4, "update_lanes": 4, "replay_words": 64}
_SHAPES = {
    "ups": (Build(**_SMALL, max_features=16, polynomial=7), True),
    "heads-levels": (Build(**_SMALL, max_features=20, heads=3, level_bits=4, level_p_max=2), True),
    "two-heads": (Build(**_SMALL, max_features=16, heads=2, p_max=2), True),
    "sample-of-heads": (Build(**_SMALL, max_features=32, heads=4, p_max=4), False),
}
"""Of each case the build, and whether a sample comes once for each head."""

BENCH = ComponentBench(
    (PlanePosition,),
    "chunk by chunk, base planes first, then up planes",
    tuple(
        Case(name, partial(PlanePosition, build, by_head=by_head), {"case": name})
        for name, (build, by_head) in _SHAPES.items()
    ),
)

_AT_RESET = Position(0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0)


class Bench:
    """Compares every output in every cycle."""

    def __init__(self, dut) -> None:
        self.build, self.by_head = _SHAPES[str(cocotb.plusargs["case"])]
        self.dut = dut
        self.bench = StreamBench(dut)
        self.outputs = Ports(dut, "chunk", "last_head", "flags")
        # Without heads there is none but the last one.
        self.at_reset = _AT_RESET._replace(last_head=int(not (self.by_head and self.build.heads > 1)))

    async def cycle(self, expected: Position | None, **pins: int) -> None:
        self.bench.pins |= {"advance": 0, "rst": 0} | pins
        await self.bench.cycle()
        if expected is not None:
            ports = self.outputs
            shown = Position.from_flags(self.build, ports.flags, chunk=ports.chunk, last_head=ports.last_head)
            assert shown == expected, f"cycle {self.bench.cycles}"

    async def words(self, positions: list[Position], stall: float) -> None:
        for position, following in zip(positions, [*positions[1:], None], strict=True):
            while random.random() < stall:
                await self.cycle(position)
            await self.cycle(position, advance=1)
            if following is not None:
                assert int(self.dut.next_last_chunk.value) == following.last_chunk, position

    def positions(self, run: PlaneRun) -> list[Position]:
        return list(run.positions(by_head=self.by_head))


@cocotb.test()
async def random_runs(dut):
    """Words in every cycle or with gaps; runs change between samples, and are seen a cycle later."""
    bench = Bench(dut)
    await bench.cycle(None, rst=1)
    shown = bench.at_reset
    for _ in range(120):
        run = random_plane_run(bench.build)
        positions = bench.positions(run)
        await bench.cycle(shown, run=run.word())
        await bench.words(positions * random.choice([1, 2, 3]), random.choice([0, 0, 0.4]))
        shown = positions[0]


@cocotb.test()
async def resets(dut):
    """After a reset in mid-sample a sample begins; at once, if the run is long enough for its first word to be no last one."""
    bench = Bench(dut)
    for _ in range(150):
        run = random_plane_run(bench.build)
        positions = bench.positions(run)
        await bench.cycle(None, run=run.word(), rst=1)
        if positions[0] != bench.at_reset:
            await bench.cycle(bench.at_reset)
        words = random.randint(1, 2 * len(positions))
        await bench.words((2 * positions)[:words], 0.2)
