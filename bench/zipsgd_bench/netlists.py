"""Compare simulations of synthesised netlists with the golden model bit by bit, from random power-up states and with resets."""

from typing import Any

from zipsgd.backends import Backend
from zipsgd.backends.device import DeviceBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.driver import Device
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build

from .comparison import build_name, compare
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "BUILDS", "run"]

SEED = 3
POWER_UPS = (1, 2, 3, 4)
"""Seeds of the contents of flip-flops and memories at power-up."""
BUILDS: tuple[tuple[str, Build], ...] = (
    ("ice40", Build(lanes=4, update_lanes=4, max_features=64, max_batch=32)),
    ("ice40", Build(lanes=4, update_lanes=2, max_features=32, max_batch=16, level_bits=4, level_p_max=1)),
    ("ecp5", Build(lanes=4, update_lanes=4, max_features=64, max_batch=32)),
    ("ecp5", Build(lanes=8, update_lanes=2, max_features=304, level_bits=4, level_p_max=2)),
    ("gowin", Build(lanes=4, update_lanes=4, max_features=64, max_batch=32)),
    ("gowin", Build(lanes=8, update_lanes=2, max_features=304, level_bits=4, level_p_max=2)),
)


def run(
    builds: tuple[tuple[str, Build], ...] = BUILDS,
    power_ups: tuple[int, ...] = POWER_UPS,
    runs: int = 10,
    optimise: int = 1,
) -> Result:
    """Compare random runs from each power-up state. The devices of every other state are reset in each epoch.

    Parameters
    ----------
    builds : tuple[tuple[str, Build], ...]
        Cell families and builds.
    power_ups : tuple[int, ...]
        Seeds of the power-up states.
    runs : int
        Number of random runs for each state.
    optimise : int
        Optimisation level of the compiled simulation.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("build", "this bench"):
        from zipsgd_hw.boards.families import FAMILIES
        from zipsgd_sim.board import VirtualBoard
        from zipsgd_sim.resets import ResetInEpochs

    rows: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    with Steps(len(builds)) as steps:
        for family, build in builds:
            name = build_name(build)
            steps.next(f"{family}, {name}")
            row: dict[str, Any] = {
                "cells of": family,
                "build": name,
                "states at power-up": len(power_ups),
                "resets": 0,
            }
            for number, power_up in enumerate(power_ups):
                with (
                    VirtualBoard(
                        build, netlist=family, power_up=power_up, optimise=optimise, progress=steps.note
                    ) as board,
                    Device(board.url, expect=build) as device,
                ):
                    backend = DeviceBackend(device)
                    resetting = ResetInEpochs(backend, board)
                    backends: dict[str, Backend] = {
                        "golden": GoldenBackend(build),
                        "netlist": resetting if number % 2 else backend,
                    }
                    part, _, wrong = compare(build, backends, [{}] * runs, SEED + number)
                differences += [{"power_up": power_up, **difference} for difference in wrong]
                row["resets"] += resetting.resets
                for key, count in part.items():
                    row[key] = row.get(key, 0) + count
            rows.append(row)
            cells += [
                {"cells of": family, "build": name, "cell": cell, "count": count}
                for cell, count in sorted(board.cells.items())
            ]
    return {
        "goal": "netlists of iCE40, ECP5 and Gowin cells, one of each with a transcoder, produce the bits of the golden model, "
        "with random contents of flip-flops and memories at power-up, and with resets in the middle of epochs",
        "met": not differences
        and {family for family, _ in builds} == FAMILIES.keys()
        and all(row["resets"] > 0 for row in rows),
        "seeds": [SEED],
        "rows": rows,
        "cells": cells,
        "differences": differences,
    }


BENCH = Bench("netlists", "synthesised netlists against the golden model, bit by bit", run)
