"""cocotb: the SDRAM controller on the model of its chip, also in a clock of its own, against a plain array."""

import cocotb
from cocotb.clock import Clock
from component_bench import Case, ComponentBench
from sdram_chip import Store, with_chips
from store_runs import StoreBench

from zipsgd_hw.store.sdram import ClockedSdramStore, SdramChip, SdramController, SdramGeometry, SdramTiming
from zipsgd_hw.store.sdram.bus import DataBus
from zipsgd_hw.store.sdram.refresh_clock import RefreshClock
from zipsgd_hw.store.sdram.words import WordQueues

CLOCK_HZ = 1e9
"""Nanoseconds are cycles."""
CHIPS = {
    "slow": (
        SdramChip(
            SdramGeometry(16, 2, 11, 8),
            SdramTiming(3, 4, 7, 14, 6, 9, 3, refreshes=64, window_ns=64 * 230, init_ns=400, mrd_cycles=5),
        ),
        2,
    ),
    "quick": (
        SdramChip(
            SdramGeometry(32, 1, 11, 9),
            SdramTiming(2, 1, 4, 5, 1, 5, 1, cas_cycles=2, refreshes=64, window_ns=64 * 120, init_ns=1),
        ),
        0,
    ),
}
"""Chips whose rows, refreshes and initialisation come more often than in real ones, and the controller's ``io_cycles``."""
CLOCKED = "quick, in its own clock"
PARTS, MEMORY_PS, CLOCK_PS = 2, 1400, 2000
"""Words of the chip in a word of the store with its own clock, and the periods of both clocks."""


def store_of(name: str) -> tuple[SdramChip, Store, int]:
    """A chip, its store, and the ``io_cycles``."""
    chip, io_cycles = CHIPS[name.partition(",")[0]]
    if name == CLOCKED:
        return chip, ClockedSdramStore(chip, CLOCK_HZ, PARTS, io_cycles=io_cycles), io_cycles
    return chip, SdramController(chip.geometry, chip.timing, CLOCK_HZ, io_cycles=io_cycles), io_cycles


STORES = {name.replace(", ", "_").replace(" ", "_"): name for name in (*CHIPS, CLOCKED)}
"""Names by the ports of the stores."""

BENCH = ComponentBench(
    (SdramController, ClockedSdramStore, DataBus, RefreshClock, WordQueues),
    "a plain array, with all rules of the chip kept",
    (
        Case(
            "chips",
            lambda: with_chips({port: store_of(name) for port, name in STORES.items()}, CLOCK_HZ),
        ),
    ),
)


async def bench_of(dut, name):
    _, store, _ = store_of(STORES[name])
    Clock(dut.memory_clk, MEMORY_PS, unit="ps").start()
    bench = StoreBench(dut, name, store.word_bits, 8, store.bursts)
    await bench.reset()
    return bench


@cocotb.test()
@cocotb.parametrize(name=list(STORES))
async def array(dut, name):
    """Random bursts with any stalls of any stream, and a reset in mid-work, which loses nothing that was written before."""
    bench = await bench_of(dut, name)
    await bench.any_stalls(60)
    bench.pins["rst"] = 1
    await bench.cycle(3)
    bench.pins["rst"] = 0
    for burst in list(bench.array)[:50]:
        bench.read(burst)
    await bench.finish(20000)


@cocotb.test()
@cocotb.parametrize(name=list(STORES))
async def bus_is_busy(dut, name):
    """Bursts in order keep the bus busy but for refreshes, in reads and in writes."""
    chip, store, _ = store_of(STORES[name])
    bench = await bench_of(dut, name)
    is_clocked = isinstance(store, ClockedSdramStore)
    parts, scale = (PARTS, CLOCK_PS / MEMORY_PS) if is_clocked else (1, 1)
    cycles = chip.timing.cycles(CLOCK_HZ)
    count = 2 * (1 << chip.geometry.column_bits) // 8 // parts
    refresh = cycles.rp + cycles.rfc + cycles.rcd
    for act in (bench.write, bench.read):
        for burst in range(count):
            act(burst)
        took = scale * await bench.finish(20000)  # cycles of the chip
        refreshes = 1 + took * cycles.refreshes // cycles.window
        waits = 2 * cycles.init + 10 * cycles.window // cycles.refreshes if act == bench.write else 0
        assert took <= waits + count * 8 * parts + refreshes * refresh + (120 if is_clocked else 40)
