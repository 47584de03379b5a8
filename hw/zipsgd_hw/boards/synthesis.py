"""Synthesis by Yosys: what a board's build and a netlist to simulate have in common, and the latter."""

import json
from pathlib import Path

from .catalogue import BOARDS, Board
from .toolchain import run_tool

__all__ = [
    "AFTER_READ",
    "AFTER_SYNTHESIS",
    "STATISTICS",
    "board_of",
    "cell_counts",
    "netlist_script",
    "synthesise",
]

AFTER_READ = "\n".join(
    (
        "setparam -set COLLISION_X_MASK 1'1 */t:$memrd_v2 */r:CLK_ENABLE=1 %i",
        "rename -hide */w:*[*]",
    )
)
"""What is done to the design first.

What :func:`zipsgd_hw.memory.block_ram` says of its memories, Amaranth's RTLIL cannot; it holds for all clocked ones. And names
such as ``sums[3]``, which Amaranth gives to an array's elements, are those that ABC9 gives to a wire's bits: where both occur,
it fails, without a word in YoWASP.
"""
STATISTICS = "synthesis.json"
AFTER_SYNTHESIS = f"tee -q -o {STATISTICS} stat -json"


def board_of(family: str) -> Board:
    """The board by whose options netlists of ``family`` are synthesised: the table's first."""
    return next(board for board in BOARDS.values() if board.family == family)


def netlist_script(family: str, name: str) -> str:
    """Yosys' script from ``NAME.il`` to ``NAME.v`` in cells of ``family``, with the commands of a board's build."""
    options = " ".join(board_of(family).synth_opts)
    return f"""\
read_rtlil {name}.il
{AFTER_READ}
synth_{family} {options} -top {name}
{AFTER_SYNTHESIS}
write_verilog -noattr {name}.v
"""


def synthesise(rtlil: str, family: str, name: str, folder: Path) -> Path:
    """Synthesise the module ``name`` in ``folder``; the netlist's file, beside it the statistics. Raises
    :class:`.BuildFailed`."""
    (folder / f"{name}.il").write_text(rtlil)
    (folder / f"{name}.ys").write_text(netlist_script(family, name))
    run_tool(["yosys", f"{name}.ys"], folder, folder / "synthesis.log")
    return folder / f"{name}.v"


def cell_counts(statistics: Path) -> dict[str, int]:
    """How many cells of each type, from the statistics of a synthesis."""
    counts: dict[str, int] = json.loads(statistics.read_text())["design"]["num_cells_by_type"]
    return {name: count for name, count in counts.items() if not name.startswith("$")}
