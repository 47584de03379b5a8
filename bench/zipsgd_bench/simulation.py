"""Measure the speed of the virtual board: datapath cycles per second while the real driver streams samples to it."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from zipsgd.backends import EpochSamples, RunConfig
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build

from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated

__all__ = ["BENCH", "run"]

SEED = 1
GOAL = 500_000
BUILD = Build(lanes=64, update_lanes=64, max_features=1024)
FEATURES = 784
P, M, BATCH = 2, 2, 16

_Row = dict[str, Any]


@contextmanager
def _on(core: int | None) -> Iterator[None]:
    """Keep this process, and processes started within, on one core; None for any."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _measure(
    build: Build,
    features: int,
    samples: int,
    epochs: int,
    *,
    board_core: int | None,
    host_core: int | None,
    note: Callable[[str], None],
) -> _Row:
    """Median speed of epochs, with board and driver on their cores."""
    rng = np.random.default_rng(SEED)
    values = rng.uniform(-1, 1, (samples, features)).astype(np.float32)
    labels = rng.integers(-(1 << 15), 1 << 15, samples).astype(np.int16)
    speeds, rates = [], []
    with _on(board_core), simulated(build, note=note) as (_, device), _on(host_core):
        device.begin(RunConfig(features, P, M, BATCH), np.zeros(features, dtype=np.int64), SEED)
        for epoch in range(epochs + 1):
            part = EpochSamples(values, labels, rng.permutation(samples), SEED, epoch)
            start = time.perf_counter()
            result = device.epoch(part, Step.nearest(2.0**-12), lambda done: None)
            seconds = time.perf_counter() - start
            assert result.cycles is not None
            if epoch:  # the first one fills caches
                speeds.append(result.cycles / seconds)
                rates.append(samples / seconds)
    return {
        "cycles/s": round(statistics.median(speeds)),
        "slowest epoch": round(min(speeds)),
        "fastest epoch": round(max(speeds)),
        "samples/s": round(statistics.median(rates)),
    }


def run(build: Build = BUILD, features: int = FEATURES, samples: int = 1024, epochs: int = 7) -> Result:
    """Measure board and driver on one core, and on two. Where processes cannot be bound to a core, the system chooses.

    Parameters
    ----------
    build : Build
        Build of the virtual board.
    features : int
        Number of features.
    samples : int
        Samples of an epoch.
    epochs : int
        Number of measured epochs.

    Returns
    -------
    Result
        The result of the bench.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    places: dict[str, tuple[int | None, int | None]] = {}
    if cores:
        places["one core"] = (cores[-1], cores[-1])
    if len(cores) > 1:
        places["two cores"] = (cores[-1], cores[-2])
    rows = []
    with Steps(max(1, len(places))) as steps:
        for place, (board, host) in (places or {"any cores": (None, None)}).items():
            steps.next(f"board and driver on {place}")
            row = _measure(
                build, features, samples, epochs, board_core=board, host_core=host, note=steps.note
            )
            rows.append({"board and driver on": place, **row})
    return {
        "goal": f"the simulation with the driver reaches at least {GOAL:,} datapath cycles per second on one core, with "
        f"{build.lanes} lanes and n = {features}; this is the device's cycle count of an epoch over the elapsed time",
        "met": rows[0]["board and driver on"] == "one core" and rows[0]["cycles/s"] >= GOAL,
        "seeds": [SEED],
        "p": P,
        "m": M,
        "batch": BATCH,
        "samples": samples,
        "epochs": epochs,
        "rows": rows,
    }


BENCH = Bench("simulation", "datapath cycles per second of the virtual board with the driver", run)
