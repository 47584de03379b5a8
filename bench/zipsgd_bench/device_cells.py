"""Cells of the device's quantiser and, for comparison, of the training core, as synthesis counts them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from zipsgd.extras import extra
from zipsgd.protocol.formats import Build

__all__ = ["PARTS", "count_cells"]

FOLDER = Path("build/device-quantiser")
SMALL, WIDE = {"lanes": 8, "update_lanes": 8}, {"lanes": 32, "update_lanes": 16}
PARTS: tuple[tuple[dict[str, int], int], ...] = (
    ({**SMALL, "p_max": 2}, 12),
    (SMALL, 12),
    (SMALL, 16),
    (WIDE, 16),
)
"""Parameters of builds, and bits of a raw word."""
FAMILIES = {"ECP5": ("ecp5", True), "iCE40 UP": ("ice40", True), "iCE40 HX": ("ice40", False)}
"""Families by name: that of the synthesis, and whether there are multipliers."""
_LUTS = {"LUT4": 1, "CCU2C": 2, "SB_LUT4": 1}
_RAMS = ("DP16KD", "SB_RAM40_4K")
_MULTIPLIERS = ("MULT18X18D", "SB_MAC16")


def count_cells(begin: Callable[[str], None] = lambda what: None) -> list[dict[str, Any]]:
    """Synthesise the quantiser of each of :data:`PARTS` for each family, and the core of each build for ECP5.

    Parameters
    ----------
    begin : Callable[[str], None]
        Called before each build.

    Returns
    -------
    list of dict of str to Any
        A row for each synthesis.

    Raises
    ------
    BuildFailed
        Yosys is missing or failed.
    """
    with extra("build", "this bench"), extra("sim", "this bench"):
        from zipsgd_hw.boards import families
        from zipsgd_hw.boards.synthesis import STATISTICS, cell_counts, synthesise
        from zipsgd_hw.datapath.core import TrainingCore
        from zipsgd_hw.quantiser.sample_quantiser import SampleQuantiser
        from zipsgd_sim.verilog import to_rtlil

    rows = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for parameters, raw_bits in PARTS:
        build = Build(**parameters)
        begin(f"cells, {build.lanes} lanes, p up to {build.p_max}, words of {raw_bits} bits")
        wanted = [(name, "quantiser", SampleQuantiser(build, raw_bits)) for name in FAMILIES]
        for name, part, component in (*wanted, ("ECP5", "core", TrainingCore(build))):
            synthesis, multiplies = FAMILIES[name]
            family = families.FAMILIES[synthesis]
            if not multiplies:
                family = replace(family, netlist_options=())
            synthesise(to_rtlil(component, "top"), family, "top", FOLDER)
            cells = cell_counts(FOLDER / STATISTICS)
            rows.append(
                {
                    "part": part,
                    "lanes": build.lanes,
                    "p_max": build.p_max,
                    "bits of a raw word": raw_bits if part == "quantiser" else None,
                    "family": name,
                    "LUTs": sum(cells.get(cell, 0) * count for cell, count in _LUTS.items()),
                    "flip-flops": sum(count for cell, count in cells.items() if "FF" in cell),
                    "block RAMs": sum(cells.get(cell, 0) for cell in _RAMS),
                    "multipliers": sum(cells.get(cell, 0) for cell in _MULTIPLIERS),
                }
            )
    return rows
