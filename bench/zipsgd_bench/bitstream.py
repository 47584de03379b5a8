"""Compare simulations of the HX8K board's bitstreams with the golden model, bit by bit.

A bitstream is converted back to cells, and simulated from its pins. This needs icebox_vlog of Project IceStorm, which is not
on PyPI (``apt-get install fpga-icestorm``). ``make bitstream-test`` runs the bench.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zipsgd.backends import Backend
from zipsgd.backends.device import DeviceBackend
from zipsgd.backends.golden import GoldenBackend
from zipsgd.driver import Device
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .comparison import build_name, compare
from .progress import Steps
from .registry import Bench, Result
from .store_comparison import compare_stored

__all__ = ["BENCH", "run"]

BOARD = "ice40-hx8k-b-evn"
FOLDER = Path("build/bitstream")
SEED = 6
POWER_UPS = (1, 2)
"""Seeds of the contents of flip-flops and memories at power-up."""
KINDS = ("resident", "unattended", "streamed")
"""Where samples are, in turns, of runs on the build with a store."""
STORE = {
    "lanes": 4,
    "update_lanes": 1,
    "max_features": 32,
    "max_batch": 16,
    "p_max": 4,
    "model_bits": 20,
    "q3_bits": 10,
    "delta_bits": 12,
    "gradient_bits": 14,
    "replay_words": 128,
    "hinge": 0,
    "diagonal": 1,
    "word_bytes": 2,
    "store_words": 1024,
    "schedule_words": 64,
    "clock_hz": 36_000_000,
}
"""Parameters of a build with a store, which is smaller than the board's own in all else."""
STORE_BAUD = 6_000_000
"""Rate of its UART in bits per second, for its slower clock."""

_Row = dict[str, Any]


def _board_rows(
    out_dir: Path, changes: Mapping[str, int], runs: int, steps: Steps
) -> tuple[list[_Row], list[_Row], dict[str, Any]]:
    """Build a bitstream, and compare random runs from each power-up state; returns rows, differences, and the report."""
    with extra("build", "this bench"):
        from zipsgd_hw.boards import build_board
        from zipsgd_sim.bitstreams import bitstream_design
        from zipsgd_sim.board import VirtualBoard
        from zipsgd_sim.resets import ResetInEpochs

    rows: list[_Row] = []
    differences: list[_Row] = []
    stored = "a store" if changes else "no store"
    steps.next(f"the bitstream of {BOARD}, {stored}")
    baud = STORE_BAUD if changes else None
    report = build_board(BOARD, out_dir=out_dir, changes=changes, baud=baud, progress=steps.note)
    build, uart = Build(**report["build"]), Uart(report["link_baud"])
    design = bitstream_design(out_dir / report["bitstream"])
    for power_up in POWER_UPS:
        steps.next(f"power-up {power_up}, {stored}")
        with (
            VirtualBoard(
                build, design=design, power_up=power_up, uart=uart, optimise=1, progress=steps.note
            ) as board,
            Device(board.url, expect=build) as device,
        ):
            backend = DeviceBackend(device)
            resetting = ResetInEpochs(backend, board)
            backends: dict[str, Backend] = {
                "golden": GoldenBackend(build),
                "bitstream": resetting if power_up == POWER_UPS[-1] else backend,
            }
            if changes:
                kinds = [{"samples": KINDS[number % len(KINDS)]} for number in range(runs)]
                row, _, wrong = compare_stored(build, backends, backend, kinds, SEED + power_up)
            else:
                row, _, wrong = compare(build, backends, [{}] * runs, SEED + power_up)
        where = {
            "bitstream": report["bitstream"],
            "build": build_name(build),
            "bytes of store": build.store_bytes,
        }
        rows.append({**where, "power-up": power_up, "resets": resetting.resets, **row})
        differences += [{**where, "power-up": power_up, **each} for each in wrong]
    return rows, differences, report


def run(runs: int = 6) -> Result:
    """Build two bitstreams, and compare random runs from each power-up state.

    The board's own build gets samples over the link. A smaller one has a store, and trains from it, also unattended. The device
    of the last state is reset in each epoch.

    Parameters
    ----------
    runs : int
        Number of random runs for each bitstream and power-up state.

    Returns
    -------
    Result
        The result of the bench.
    """
    with Steps(2 * (1 + len(POWER_UPS))) as steps:
        rows, differences, report = _board_rows(FOLDER, {}, runs, steps)
        stored, more, stored_report = _board_rows(FOLDER / "store", STORE, runs, steps)
    return {
        "goal": "a board's bitstream, converted back to cells and simulated from its pins, produces the bits of the golden "
        "model from random power-up states and across resets; so does one with a store, from its store",
        "met": not differences
        and not more
        and all(row["losses compared"] > 0 for row in rows)
        and all(row["from the store"] > 0 and row["unattended"] > 0 for row in stored),
        "seeds": [SEED],
        "rows": rows,
        "differences": differences,
        "from the store": stored,
        "differences from the store": more,
        "cells": report["utilisation"],
        "cells with a store": stored_report["utilisation"],
        "tools": report["tools"],
    }


BENCH = Bench("bitstream", "a board's simulated bitstream against the golden model, bit by bit", run)
