"""cocotb: a store in another clock and in narrower words, against a plain array."""

import cocotb
from amaranth import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, connect, flipped
from cocotb.clock import Clock
from component_bench import Case, ComponentBench
from store_runs import StoreBench

from zipsgd_hw.store.block_ram import BlockRamStore
from zipsgd_hw.store.clock_crossing import ClockCrossing
from zipsgd_hw.store.word_splitter import WordSplitter

WORD_BITS, BURSTS = 6, 64


class Stores(wiring.Component):
    """Block RAM behind a crossing, behind a splitter, or behind both.

    Members
    -------
    memory_clk : In(1)
        The clock of the block RAM behind the crossing.
    crossed, split, both : In(store_signature(...))
        The stores.
    """

    def __init__(self):
        narrow, wide = WORD_BITS, 4 * WORD_BITS
        self._memories = {name: BlockRamStore(narrow, 8 * BURSTS) for name in ("crossed", "split", "both")}
        self._splitters = {name: WordSplitter(4, narrow, 6) for name in ("split", "both")}
        self._crossings = {"crossed": ClockCrossing(narrow, 6), "both": ClockCrossing(wide, 4)}
        super().__init__(
            {
                "memory_clk": In(1),
                "crossed": self._crossings["crossed"].signature.members["port"],
                "split": self._splitters["split"].signature.members["port"],
                "both": self._splitters["both"].signature.members["port"],
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.memory = ClockDomain()
        m.submodules += ResetSynchronizer(ResetSignal("sync"), domain="memory")
        m.d.comb += ClockSignal("memory").eq(self.memory_clk)
        for name, store in self._memories.items():
            port = flipped(getattr(self, name))
            renamed = DomainRenamer("memory" if name in self._crossings else "sync")
            for parts in (self._crossings, self._splitters):
                if (part := parts.get(name)) is not None:
                    m.submodules[f"{name}_{type(part).__name__}"] = (
                        part if parts is self._crossings else renamed(part)
                    )
                    connect(m, port, part.port)
                    port = part.memory
            m.submodules[f"{name}_memory"] = renamed(store)
            connect(m, port, store.port)
        return m


PERIODS = {"faster": 1330, "the same": 2000, "as fast": 2002, "slower": 4600}
"""Picoseconds of the memory's clock; the other one has 2,000."""

BENCH = ComponentBench(
    (ClockCrossing, WordSplitter),
    "a plain array",
    tuple(Case(name.replace(" ", "_"), Stores, {"period": period}) for name, period in PERIODS.items()),
)

STORES = {
    "crossed": (WORD_BITS, BURSTS),
    "split": (4 * WORD_BITS, BURSTS // 4),
    "both": (4 * WORD_BITS, BURSTS // 4),
}


async def bench_of(dut, name):
    word_bits, bursts = STORES[name]
    Clock(dut.memory_clk, int(cocotb.plusargs["period"]), unit="ps").start()
    bench = StoreBench(dut, name, word_bits, 8, bursts)
    await bench.reset()
    await bench.cycle(10)  # a queue begins to work some cycles after the reset of both clocks
    return bench


@cocotb.test()
@cocotb.parametrize(name=list(STORES))
async def array(dut, name):
    """Random bursts with any stalls of any stream."""
    bench = await bench_of(dut, name)
    await bench.any_stalls(40)


@cocotb.test()
@cocotb.parametrize(name=list(STORES))
async def a_word_in_every_cycle(dut, name):
    """Words move in every cycle of the slower side."""
    bench = await bench_of(dut, name)
    parts = 1 if name == "crossed" else 4
    memory_cycle = 1.0 if name == "split" else int(cocotb.plusargs["period"]) / 2000
    cycles = max(1.0, parts * memory_cycle)
    count = 12
    for act in (bench.write, bench.read):
        for burst in range(count):
            act(burst)
        assert await bench.finish(5000) <= 20 + cycles * (8 * count + 8)
        await bench.cycle(100)  # words to write are still in the queue
