"""Verilog of SDRAM controllers together with the model of their chips, which is in C++."""

from collections.abc import Mapping
from pathlib import Path

import zipsgd_sim
from zipsgd_hw.store.sdram import ClockedSdramStore, SdramChip, SdramController
from zipsgd_sim.sdram import model_text
from zipsgd_sim.verilog import to_verilog

__all__ = ["Store", "with_chips"]

Store = SdramController | ClockedSdramStore

_MODEL = Path(zipsgd_sim.__file__).with_name("sdram_model.hpp")
_PINS = ["clk_en", "cs", "ras", "cas", "we", "ba", "a", "dqm", "dq__o", "dq__oe"]


def _edge(name: str, chip: SdramChip, clock_hz: float) -> str:
    """A function in C++ that is called at each edge of a chip's clock."""
    return f"""
extern "C" __attribute__((weak)) int {name}_edge(int commands, int bank, int address, int mask, int word) {{
    static SdramModel<uint{chip.geometry.data_bits}_t> chip(SdramRules::parse("{model_text(chip, clock_hz)}"));
    return chip.edge({{bool(commands & 1), bool(commands & 2), bool(commands & 4), bool(commands & 8), bool(commands & 16),
                      uint32_t(bank), uint32_t(address), uint32_t(mask), uint32_t(word), bool(commands & 32)}});
}}
"""


def _module(name: str, chip: SdramChip, store: Store, io_cycles: int) -> tuple[list[str], str]:
    """The ports of a store, and Verilog that joins it to its chip."""
    geometry, word = chip.geometry, chip.geometry.data_bits
    address = (store.bursts - 1).bit_length()
    ports, links = [], [f".pins__{pin}({name}_{pin})" for pin in _PINS]
    clock = "clk"
    if isinstance(store, ClockedSdramStore):
        clock = "memory_clk"
        links += [".memory_clk(memory_clk)", ".memory_rst(rst)"]
    wide = store.word_bits
    for stream, width, comes in (("command", address + 1, 0), ("write", wide, 0), ("read", wide, 1)):
        for member, bits, is_output in (
            ("payload", width, comes),
            ("valid", 1, comes),
            ("ready", 1, not comes),
        ):
            ports.append(f"{'output' if is_output else 'input'} [{bits - 1}:0] {name}__{stream}__{member}")
            links.append(f".port__{stream}__{member}({name}__{stream}__{member})")
    commands = ", ".join(f"{name}_{pin}" for pin in ("dq__oe", "we", "cas", "ras", "cs", "clk_en"))
    values = ", ".join(f"32'({name}_{pin})" for pin in ("ba", "a", "dqm", "dq__o"))
    late = word * io_cycles
    return (
        ports,
        f"""
  import "DPI-C" function int {name}_edge(
    input int commands, input int bank, input int address, input int mask, input int word);
  wire {commands};
  wire [{geometry.bank_bits - 1}:0] {name}_ba;
  wire [{geometry.address_bits - 1}:0] {name}_a;
  wire [{max(word // 8, 1) - 1}:0] {name}_dqm;
  wire [{word - 1}:0] {name}_dq__o;
  reg [{late + word - 1}:0] {name}_late;
  {name}_store {name}_store (.clk(clk), .rst(rst), .pins__dq__i({name}_late[{late} +: {word}]), {", ".join(links)});
  always @(posedge {clock})
    {name}_late <= {late + word}'({{{name}_late, {word}'({name}_edge(32'({{{commands}}}), {values}))}});
""",
    )


def with_chips(chips: Mapping[str, tuple[SdramChip, Store, int]], clock_hz: float) -> str:
    """A module ``dut`` with the ports of stores, and the clock of those that have one of their own as ``memory_clk``. A broken
    rule of a chip ends the simulator.

    Parameters
    ----------
    chips : mapping of str to (SdramChip, SdramController or ClockedSdramStore, int)
        Chips by the name of their store's port, the store, and its ``io_cycles``: so much later do words come from the chip.
    clock_hz : float
        Frequency of the chips' clock in hertz.
    """
    ports, joins, modules, edges = [], [], [], []
    for name, (chip, store, io_cycles) in chips.items():
        more, join = _module(name, chip, store, io_cycles)
        ports += more
        joins.append(join)
        modules.append(to_verilog(store, f"{name}_store"))
        edges.append(_edge(name, chip, clock_hz))
    return f"""
{"".join(modules)}
module dut (input clk, input memory_clk, input rst, {", ".join(ports)});
`systemc_imp_header
#ifndef SDRAM_CHIPS  // this is written into several files, some of which may be compiled as one
#define SDRAM_CHIPS
{_MODEL.read_text()}
{"".join(edges)}
#endif
`verilog
{"".join(joins)}
endmodule
"""
