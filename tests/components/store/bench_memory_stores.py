"""cocotb: stores in block RAM and SPRAM, against a plain array."""

import re
from functools import partial

import cocotb
from component_bench import Case, ComponentBench
from store_runs import StoreBench

from zipsgd_hw.boards.toolchain import yosys_files
from zipsgd_hw.store.block_ram import BlockRamStore
from zipsgd_hw.store.burst_walk import BurstWalk
from zipsgd_hw.store.spram import SpramCell, SpramModel, SpramStore
from zipsgd_sim.verilog import to_verilog

_CELL = re.compile(r"^module SB_SPRAM256KA\b.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_TIMES = re.compile(r"^\s*specify\b.*?^\s*endspecify\n", re.MULTILINE | re.DOTALL)


def with_cells(store):
    """Verilog of a store with Yosys' model of its cells."""
    (cell,) = _CELL.findall((yosys_files() / "ice40" / "cells_sim.v").read_text())
    return to_verilog(store, "dut") + _TIMES.sub("", cell)


STORES = {
    "block-ram-8x64": partial(BlockRamStore, 8, 64),
    "block-ram-3x7-1": partial(BlockRamStore, 3, 7, 1),
    "spram-64-2": partial(SpramStore, SpramModel, 64, 2),
    "spram-cells-16": partial(SpramStore, SpramCell),
}


def simulated(name):
    """A store, or Verilog where it has cells."""
    store = STORES[name]()
    return with_cells(store) if "cells" in name else store


BENCH = ComponentBench(
    (BlockRamStore, SpramStore, SpramCell, SpramModel, BurstWalk),
    "a plain array",
    tuple(Case(name, partial(simulated, name), {"case": name}) for name in STORES),
)


def bench_of(dut):
    store = STORES[str(cocotb.plusargs["case"])]()
    return StoreBench(dut, store.word_bits, store.burst_words, store.bursts)


@cocotb.test()
async def array(dut):
    """Random bursts with any stalls of any stream."""
    bench = bench_of(dut)
    await bench.reset()
    await bench.any_stalls(40)


@cocotb.test()
async def a_word_in_every_cycle(dut):
    """Also from burst to burst, and from writing to reading; a word comes out two cycles after its command."""
    bench = bench_of(dut)
    await bench.reset()
    places = [place % bench.bursts for place in range(0, 21, 3)]
    for place in places:
        bench.write(place)
    # The last word is taken in the last of these cycles; one more before the first, to take the command
    assert await bench.finish(1000) == 1 + bench.burst_words * len(places)
    for place in places:
        bench.read(place)
    assert await bench.finish(1000) == 2 + bench.burst_words * len(places)
    for place in places:
        bench.write(place)
        bench.read(place)
    assert await bench.finish(1000) == 2 + 2 * bench.burst_words * len(places)
