"""What the report of a build says before the tools have run."""

import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zipsgd.protocol.formats import Build

from .board import Board
from .memory_blocks import memory_blocks
from .prediction import predict_epoch

__all__ = ["identity", "prepared_report", "stock_report"]


def _california(build: Build) -> dict[str, int]:
    """The epoch that is predicted by default: California housing with the default of training, 4 bits a value; one draw if the
    build has a diagonal, double sampling otherwise."""
    up_planes = 1 if build.diagonal else 2
    return {"samples": 20640, "features": 9, "base_planes": 4 - up_planes, "up_planes": up_planes}


def _revision() -> str | None:
    """The source's git revision, followed by "-dirty" if files differ; None outside a clone."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def identity(board: Board) -> dict[str, Any]:
    """What report and sidecar have in common.

    Parameters
    ----------
    board : Board
        The board.

    Returns
    -------
    dict of str to Any
        Names, versions, parameters of the build, its hash, and the rate of the link.
    """
    return {
        "board": board.name,
        "device": board.device,
        "zipsgd": version("zipsgd"),
        "revision": _revision(),
        "build": board.build.as_dict(),
        "build_hash": f"{board.build.hash():#010x}",
        "link_baud": board.link.baud,
    }


def stock_report(board: Board) -> dict[str, Any]:
    """What the report of a board's default build says before it is made.

    Parameters
    ----------
    board : Board
        The board.

    Returns
    -------
    dict of str to Any
        Board, build, rate of the link, and the predicted epoch of California housing.
    """
    return {
        "board": board.name,
        "device": board.device,
        "build": board.build.as_dict(),
        "link_baud": board.link.baud,
        "predicted_epoch": _predicted(board, _california(board.build)),
    }


def _predicted(board: Board, epoch: Mapping[str, int]) -> dict[str, Any]:
    own = {
        "link_baud": board.link.baud,
        "fast_memory": board.family.fast_memory,
        "store_pace": board.store_pace,
    }
    return predict_epoch(board.build, **{**own, **epoch})


def prepared_report(board: Board, epoch: Mapping[str, int] | None) -> dict[str, Any]:
    """The report before the tools have run.

    Parameters
    ----------
    board : Board
        The board.
    epoch : mapping of str to int or None
        Keyword arguments of :func:`.predict_epoch`; None for those of California housing at 4 bits a value.

    Returns
    -------
    dict of str to Any
        The report. What only the tools can tell is None.
    """
    build = board.build
    memories = memory_blocks(build, board.ram, in_block_ram=board.memory is None)
    return {
        **identity(board),
        "lanes": build.lanes,
        "clock_mhz": build.clock_hz / 1e6,
        "plane_bandwidth_bits_per_second": build.lanes * build.clock_hz,
        "memory_blocks_estimate": memories,
        "block_rams_estimate": {"used": sum(memories.values()), "available": board.block_rams},
        "predicted_epoch": _predicted(board, epoch or _california(build)),
        "tried_on_hardware": board.tried,
        "seed": None,
        "clocks": None,
        "clock_met": None,
        "utilisation": None,
        "cells_per_lane": None,
        "seeds_tried": None,
        "seeds": None,
        "fmax_spread": None,
        "from_cache": None,
        "tools": None,
        "verilog": f"{board.name}.v",
        "bitstream": None,
    }
