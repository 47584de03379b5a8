"""Measure the SDRAM controller alone: its share of the bus on the model of its chip, its cells and its clock on an ECP5."""

from pathlib import Path
from statistics import median
from typing import Any

from zipsgd.extras import extra

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

CASES = (("16Mx16", 100e6), ("16Mx16", 133e6), ("M12L64322A-7", 100e6), ("M12L64322A-7", 133e6))
"""Chips and clocks in hertz: that of the ULX3S, and that of the Colorlight i5 and the Tang Nano 20K."""
IO_CYCLES = 2
BURSTS, SEED = 200_000, 1
PLACEMENTS = (1, 2, 3)
LEAST_SHARE, LEAST_MHZ = 0.97, 133.0
DEVICE = ("--85k", "--package", "CABGA381", "--speed", "6")
FOLDER = Path("build/sdram")
READS = ("reads in order", "reads of random blocks of 4 KB")


def _placed(controller: Any, folder: Path, clock_hz: float) -> dict[str, Any]:
    """Cells and clock of a controller by itself, without the pins' cells."""
    from zipsgd_hw.boards.families import FAMILIES
    from zipsgd_hw.boards.report import clocks, utilisation
    from zipsgd_hw.boards.synthesis import AFTER_SYNTHESIS, STATISTICS, after_read
    from zipsgd_hw.boards.toolchain import run_tool
    from zipsgd_sim.verilog import to_rtlil

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.il").write_text(to_rtlil(controller, "top"))
    script = ("read_rtlil top.il", after_read(), "synth_ecp5 -top top -json top.json", AFTER_SYNTHESIS)
    (folder / "top.ys").write_text("\n".join(script) + "\n")
    run_tool(["yosys", "top.ys"], folder, folder / "synthesis.log")
    route = ["nextpnr-ecp5", *DEVICE, "--out-of-context", "--json", "top.json", "--freq", str(clock_hz / 1e6)]
    reached = []
    for seed in PLACEMENTS:
        report = folder / f"seed-{seed}.json"
        options = ["--seed", str(seed), "--report", report.name, "--timing-allow-fail"]
        run_tool([*route, *options], folder, folder / f"seed-{seed}.log")
        reached += [row["fmax_mhz"] for row in clocks(report)]
    used = utilisation(FAMILIES["ecp5"], report, folder / STATISTICS)
    return {
        "cells": used["cells"]["used"],
        "flip-flops": used["ff"]["used"],
        "memory cells": used["lutram"]["used"],
        "MHz": median(reached),
        "MHz at least": min(reached),
    }


def run() -> Result:
    """Exercise and place the controller for each chip and clock, into ``build/sdram``. This takes two minutes.

    Returns
    -------
    Result
        The result of the bench.

    Raises
    ------
    BuildFailed
        A tool is missing or failed.
    RuleBroken, RuntimeError
        The controller broke a rule of its chip, or a word was wrong.
    """
    with extra("build", "this bench"), extra("sim", "this bench"):
        from zipsgd_hw.store.sdram import CHIPS, SdramController
        from zipsgd_sim.sdram import exercise_program, run_exercise

    rows: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    with Steps(len(CASES)) as steps:
        for name, clock_hz in CASES:
            chip = CHIPS[name]
            steps.next(f"{name}, {clock_hz / 1e6:.0f} MHz")
            controller = SdramController(chip.geometry, chip.timing, clock_hz, io_cycles=IO_CYCLES)
            program = exercise_program(controller, progress=steps.note)
            found = run_exercise(program, chip, clock_hz, io_cycles=IO_CYCLES, bursts=BURSTS, seed=SEED)
            row = {"chip": name, "clock MHz": clock_hz / 1e6}
            rows.append(row | _placed(controller, FOLDER / f"{name}-{clock_hz / 1e6:.0f}", clock_hz))
            mb_a_second = clock_hz * chip.geometry.data_bits / 8e6
            shares.append(
                row
                | found["share"]
                | {"reads in MB/s": round(found["share"][READS[1]] * mb_a_second, 1)}
                | {f"latency, {kind}": cycles for kind, cycles in found["latency"].items()}
                | {kind: found[kind] for kind in ("cycles", "refreshes", "words read", "words written")}
            )
    return {
        "goal": f"reads in order and of random blocks of 4 KB have a word on the bus in {LEAST_SHARE:.0%} of all cycles, with "
        f"refreshes; {len(PLACEMENTS)} placements reach {LEAST_MHZ:.0f} MHz on an ECP5 of speed grade 6",
        "met": all(share[order] >= LEAST_SHARE for share in shares for order in READS)
        and all(row["MHz at least"] >= LEAST_MHZ for row in rows),
        "seeds": [SEED],
        "rows": rows,
        "share of the bus": shares,
    }


BENCH = Bench("sdram", "the SDRAM controller: share of the bus, cells and clock", run)
