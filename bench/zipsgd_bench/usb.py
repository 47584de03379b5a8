"""Measure the link over USB: how fast samples come to the device, and whether a run keeps its bits, also when it is unplugged.

The virtual board's USB host moves packets at the bus's own pace: sync and end patterns, stuffed bits, gaps between packets, the
device's time to answer, frames of a millisecond or microframes of 125 us, and a question for the device's answers after every
fourth packet at least. So the cycles of an epoch, as the device counts them, are those of a board that has a bus for itself. A
computer may leave longer gaps.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from zipsgd.backends import BackendOptions, EpochSamples, RunConfig
from zipsgd.data import Table, load_set
from zipsgd.extras import extra
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.training.api import train
from zipsgd_hw.link.physical import Usb

from .faults import OPTIONS, SET, bits
from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated

__all__ = ["BENCH", "measure", "run"]

SEED = 1
BUILD = Build(lanes=64, update_lanes=64, max_features=1024, rx_bytes=32768, clock_hz=60_000_000)
FEATURES = 784
P, M, BATCH = 2, 2, 16
SIZES = {"full": 100_000, "high": 4_000_000}
"""Speeds of USB, and approximate numbers of sample bytes of the measured epoch."""
GOALS = {"full": 1.0, "high": 30.0}
"""Least MB/s of samples."""
UNPLUGS = 5
"""Times that a board is unplugged in mid-epoch, at each speed."""

_Row = dict[str, Any]
_Note = Callable[[str], None]


def measure(build: Build, usb: Usb, features: int, size: int, note: _Note = lambda message: None) -> _Row:
    """Measure one epoch.

    Parameters
    ----------
    build : Build
        Build of the virtual board.
    usb : Usb
        Its USB.
    features : int
        Number of features, including the intercept.
    size : int
        Approximate number of sample bytes.
    note : Callable[[str], None]
        Called with a message before a board is compiled.

    Returns
    -------
    dict[str, Any]
        A row.
    """
    config = RunConfig(features, P, M, BATCH, intercept=True)
    count = size // config.layout(build).size
    rng = np.random.default_rng(SEED)
    values = rng.uniform(-1, 1, (count, features)).astype(np.float32)
    values[:, -1] = 1
    labels = rng.integers(-(1 << 15), 1 << 15, count).astype(np.int16)
    samples = EpochSamples(values, labels, np.arange(count), SEED, 0)
    with simulated(build, usb=usb, note=note) as (board, device):
        device.begin(config, np.zeros(features, dtype=np.int64), SEED)
        before = board.usb()
        result = device.epoch(samples, Step.nearest(2.0**-12), lambda done: None)
        seen = board.usb()
    assert result.cycles is not None
    assert result.sample_bytes is not None
    assert result.link_bytes is not None
    moved = {
        name: int(seen[name]) - int(before[name]) for name in ("out_packets", "in_packets", "naks", "retries")
    }
    return {
        "speed": usb.speed,
        "sample bytes": result.sample_bytes,
        "share of the bytes": result.sample_bytes / result.link_bytes,
        "MB/s": result.sample_bytes * build.clock_hz / result.cycles / 1e6,
        "packets to the device": moved["out_packets"],
        "most in a frame": seen["most_out_in_a_frame"],
        "packets to the host": moved["in_packets"],
        "answers not ready": moved["naks"],
        "retries": moved["retries"],
    }


def _train(table: Table, usb: Usb, build: Build, unplugs: int, steps: Steps) -> list[_Row]:
    """Runs over USB, undisturbed and unplugged, against the golden model's bits."""
    with extra("sim", "this bench"):
        from zipsgd_sim.board import VirtualBoard
        from zipsgd_sim.mishaps import after_bytes

    rng = random.Random(SEED)
    expected = bits(train(table, options=OPTIONS, backend=BackendOptions("golden", build=build)))
    with VirtualBoard(build, usb=usb, progress=steps.note) as board:

        def pull() -> None:
            board.unplug()
            time.sleep(rng.uniform(0.1, 0.5))
            board.plug()

        steps.next(f"{usb.speed} speed, undisturbed")
        whole = bits(train(table, options=OPTIONS, backend=board.url)) == expected
        total = board.statistics()["received"]
        found = int(board.usb()["enumerations"])
        identical = 0
        for number in range(unplugs):
            steps.next(f"{usb.speed} speed, unplugged for the {number + 1}. time")
            # Not in the last tenth, in which the run might be over before
            point = board.statistics()["received"] + rng.randrange(total // 10, total * 9 // 10)
            with after_bytes(board, point, pull):
                identical += bits(train(table, options=OPTIONS, backend=board.url)) == expected
        unplugged = int(board.usb()["enumerations"]) - found
    return [
        {"speed": usb.speed, "run": "undisturbed", "runs": 1, "identical": int(whole)},
        {"speed": usb.speed, "run": "unplugged", "runs": unplugged, "identical": identical},
    ]


def run(
    build: Build = BUILD, features: int = FEATURES, sizes: dict[str, int] = SIZES, unplugs: int = UNPLUGS
) -> Result:
    """Measure both speeds.

    Parameters
    ----------
    build : Build
        Build of the virtual boards.
    features : int
        Number of features of the measured epochs, including the intercept.
    sizes : dict[str, int]
        Approximate number of sample bytes by speed.
    unplugs : int
        Times that a board is unplugged, at each speed.

    Returns
    -------
    Result
        The result of the bench.
    """
    table = load_set(SET)
    rows, runs = [], []
    with Steps(len(sizes) * (2 + unplugs)) as steps:
        for speed, size in sizes.items():
            steps.next(f"{speed} speed, an epoch of {size:,} bytes")
            rows.append(measure(build, Usb(speed), features, size, steps.note))
            runs += _train(table, Usb(speed), build, unplugs, steps)
    return {
        "goal": f"samples come at {GOALS['full']:g} MB/s or more at full speed and {GOALS['high']:g} or more at high speed, "
        f"with a datapath at {BUILD.clock_hz / 1e6:g} MHz; training gives the golden model's bits at both, also when the board "
        f"is unplugged {UNPLUGS} times, each time in mid-run",
        "met": all(row["MB/s"] >= GOALS[row["speed"]] for row in rows)
        and all(row["identical"] == row["runs"] for row in runs)
        and sum(row["runs"] for row in runs) >= len(GOALS) * (1 + UNPLUGS),
        "seeds": [SEED, OPTIONS.seed],
        "p": P,
        "m": M,
        "set": SET,
        "rows": rows,
        "runs": runs,
    }


BENCH = Bench("usb", "rate of samples over USB, and bits of runs in which the board is unplugged", run)
