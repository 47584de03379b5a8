"""Synthesis by Yosys: the commands that boards' builds and netlists share, and the synthesis of netlists to simulate."""

import json
from collections.abc import Sequence
from pathlib import Path

from .families import Family
from .toolchain import run_tool

__all__ = [
    "AFTER_SYNTHESIS",
    "QUEUES",
    "STATISTICS",
    "after_read",
    "cell_counts",
    "choose_logic_script",
    "netlist_script",
    "synthesise",
]

QUEUES = ("crossing",)
"""Names of the submodules in which there are queues between clocks."""


def after_read(queues: Sequence[str] = QUEUES) -> str:
    """Commands that change the design before synthesis.

    The first one says that the word is undefined where a clocked port reads a word that is being written, as
    :func:`zipsgd_hw.memory.block_ram` promises; Amaranth's RTLIL cannot say so. Queues between clocks are left out, as Yosys
    takes this for ports of one clock only; they never read a word that is being written. The second one hides names such as
    ``sums[3]``, which Amaranth gives to an array's elements: ABC9 names a wire's bits in the same way, and fails where both
    occur, without a message in YoWASP.

    Parameters
    ----------
    queues : sequence of str
        Names of submodules whose memories are left out.

    Returns
    -------
    str
        The commands, a line each.
    """
    left_out = "".join(f" *.{name}.*/* %d" for name in queues)
    return (
        f"setparam -set COLLISION_X_MASK 1'1 */t:$memrd_v2 */r:CLK_ENABLE=1 %i{left_out}\n"
        "rename -hide */w:*[*]"
    )


STATISTICS = "synthesis.json"
"""Name of the file with the statistics of a synthesis."""
AFTER_SYNTHESIS = f"tee -q -o {STATISTICS} stat -json"
"""Command that writes it."""


def choose_logic_script(name: str | None) -> str:
    """Commands before synthesis that choose the script by which logic is mapped.

    Parameters
    ----------
    name : str or None
        Name of the script in Yosys' scratchpad, or None for its own.

    Returns
    -------
    str
        The commands; none for Yosys' own script.
    """
    return "" if name is None else f"scratchpad -copy {name} abc9.script"


def netlist_script(family: Family, name: str) -> str:
    """Yosys' script for a netlist to simulate, with the commands of a board's build.

    Parameters
    ----------
    family : Family
        The family whose cells the netlist has.
    name : str
        Name of the top module: the script reads ``NAME.il`` and writes ``NAME.v``.

    Returns
    -------
    str
        The script.
    """
    options = " ".join(family.netlist_options)
    return f"""\
read_rtlil {name}.il
{after_read()}
synth_{family.name} {options} -top {name}
{AFTER_SYNTHESIS}
write_verilog -noattr {name}.v
"""


def synthesise(rtlil: str, family: Family, name: str, folder: Path) -> Path:
    """Synthesise a netlist to simulate.

    Parameters
    ----------
    rtlil : str
        The design in RTLIL.
    family : Family
        The family whose cells the netlist has.
    name : str
        Name of the top module.
    folder : Path
        Folder for the netlist, and beside it script, log and :data:`STATISTICS`.

    Returns
    -------
    Path
        The netlist's Verilog.

    Raises
    ------
    BuildFailed
        Yosys is missing or failed.
    """
    (folder / f"{name}.il").write_text(rtlil)
    (folder / f"{name}.ys").write_text(netlist_script(family, name))
    run_tool(["yosys", f"{name}.ys"], folder, folder / "synthesis.log")
    return folder / f"{name}.v"


def cell_counts(statistics: Path) -> dict[str, int]:
    """How many cells of each type a design has.

    Parameters
    ----------
    statistics : Path
        The statistics of its synthesis.

    Returns
    -------
    dict of str to int
        Counts by cell type; Yosys' internal cells, which describe no hardware, are left out.
    """
    counts: dict[str, int] = json.loads(statistics.read_text())["design"]["num_cells_by_type"]
    return {name: count for name, count in counts.items() if not name.startswith("$")}
