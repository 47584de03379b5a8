"""cocotb: stores in block RAM and SPRAM, against a plain array."""

import re
from functools import partial

import cocotb
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from component_bench import Case, ComponentBench
from store_runs import StoreBench

from zipsgd_hw.boards.toolchain import yosys_files
from zipsgd_hw.store.block_ram import BlockRamStore
from zipsgd_hw.store.burst_walk import BurstWalk
from zipsgd_hw.store.spram import SpramCell, SpramModel, SpramStore
from zipsgd_sim.verilog import to_verilog

_CELL = re.compile(r"^module SB_SPRAM256KA\b.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_TIMES = re.compile(r"^\s*specify\b.*?^\s*endspecify\n", re.MULTILINE | re.DOTALL)


STORES = {
    "block_ram": partial(BlockRamStore, 8, 64),
    "tiny_block_ram": partial(BlockRamStore, 3, 7, 1),
    "model": partial(SpramStore, SpramModel, 64, 2),
    "model_bytes": partial(SpramStore, SpramModel, 8),
    "cells": partial(SpramStore, SpramCell),
    "cell_bytes": partial(SpramStore, SpramCell, 8, 4),
}
"""Stores by the name of their port."""


class Stores(wiring.Component):
    """All of them: one simulator is quicker made than six."""

    def __init__(self):
        self._stores = {name: make() for name, make in STORES.items()}
        super().__init__({name: store.signature.members["port"] for name, store in self._stores.items()})

    def elaborate(self, platform):
        m = Module()
        for name, store in self._stores.items():
            m.submodules[name] = store
            connect(m, flipped(getattr(self, name)), store.port)
        return m


def with_cells():
    """Verilog of the stores, with Yosys' model of the cells."""
    (cell,) = _CELL.findall((yosys_files() / "ice40" / "cells_sim.v").read_text())
    return to_verilog(Stores(), "dut") + _TIMES.sub("", cell)


BENCH = ComponentBench(
    (BlockRamStore, SpramStore, SpramCell, SpramModel, BurstWalk),
    "a plain array",
    (Case("stores", with_cells),),
)


async def bench_of(dut, name):
    store = STORES[name]()
    bench = StoreBench(dut, name, store.word_bits, store.burst_words, store.bursts)
    await bench.reset()
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
    """Also from burst to burst, and from writing to reading; a word comes out two cycles after its command."""
    bench = await bench_of(dut, name)
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
