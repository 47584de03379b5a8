"""Compare a simulation of the HX8K board's bitstream with the golden model, bit by bit.

The bitstream is converted back to cells, and simulated from its pins. This needs icebox_vlog of Project IceStorm, which is not
on PyPI (``apt-get install fpga-icestorm``). ``make bitstream-test`` runs the bench.
"""

from pathlib import Path
from typing import Any

from zipsgd.backends import Backend
from zipsgd.backends.device import DeviceBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.driver import Device
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .identity import build_name, compare
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

BOARD = "ice40-hx8k-b-evn"
FOLDER = Path("build/bitstream")
SEED = 6
POWER_UPS = (1, 2)
"""Seeds of the contents of flip-flops and memories at power-up."""


def run(runs: int = 6) -> Result:
    """Build the bitstream, and compare random runs from each power-up state.

    The device of the last state is reset in each epoch.

    Parameters
    ----------
    runs : int
        Number of random runs for each power-up state.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("build", "this bench"):
        from zipsgd_hw.boards import build_board
        from zipsgd_sim.bitstreams import bitstream_design
        from zipsgd_sim.board import VirtualBoard
        from zipsgd_sim.resets import ResetInEpochs

    rows: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    with Steps(1 + len(POWER_UPS)) as steps:
        steps.next(f"the bitstream of {BOARD}")
        report = build_board(BOARD, out_dir=FOLDER, progress=steps.note)
        build, uart = Build(**report["build"]), Uart(report["link_baud"])
        design = bitstream_design(FOLDER / report["bitstream"])
        for power_up in POWER_UPS:
            steps.next(f"power-up {power_up}")
            with (
                VirtualBoard(
                    build, design=design, power_up=power_up, uart=uart, optimise=1, progress=steps.note
                ) as board,
                Device(board.url, expect=build) as device,
            ):
                resetting = ResetInEpochs(DeviceBackend(device), board)
                backends: dict[str, Backend] = {
                    "golden": GoldenBackend(build),
                    "bitstream": resetting if power_up == POWER_UPS[-1] else DeviceBackend(device),
                }
                row, _, wrong = compare(build, backends, [{}] * runs, SEED + power_up)
            rows.append(
                {
                    "bitstream": report["bitstream"],
                    "build": build_name(build),
                    "power-up": power_up,
                    "resets": resetting.resets,
                    **row,
                }
            )
            differences += wrong
    return {
        "goal": "a board's bitstream, converted back to cells and simulated from its pins, produces the bits of the golden "
        "model from random power-up states and across resets",
        "met": not differences and all(row["losses compared"] > 0 for row in rows),
        "seeds": [SEED],
        "rows": rows,
        "differences": differences,
        "cells": report["utilisation"],
        "tools": report["tools"],
    }


BENCH = Bench("bitstream", "a board's simulated bitstream against the golden model, bit by bit", run)
