"""Measure the share of samples in the link's traffic, and whether the line ever waits for the host.

Epochs run through the real driver on the virtual board. Its model of the link rate passes one byte every 10 * clock / baud
cycles. So the simulated cycles are those of a board on a real line with this rate. Idle cycles of the line are counted from the
first block of samples to the end of the epoch.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from zipsgd.backends import EpochSamples, RunConfig
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated

__all__ = ["BENCH", "measure", "run"]

SEED = 1
SHARE = 0.97
IDLE = 0.001
"""Largest share of idle cycles that counts as none: on a busy computer, the driver may have to wait for the processor."""
BUILD = Build(lanes=8, update_lanes=8, max_features=1024, clock_hz=48_000_000)
MEGABAUD = (1, 3, 12)
SETS = (("MNIST", 784, 60_000), ("California housing", 9, 20_640))
"""Shapes of sets: name, features with the intercept, samples."""
P, M, BATCH = 2, 2, 16

_Row = dict[str, Any]


def measure(
    build: Build,
    name: str,
    features: int,
    rows: int,
    *,
    baud: int,
    pins: bool = False,
    size: int,
    note: Callable[[str], None] = lambda message: None,
) -> _Row:
    """Measure one epoch, and compute the time of an epoch of the whole set.

    Parameters
    ----------
    build : Build
        Build of the virtual board.
    name : str
        Name of the set.
    features : int
        Number of features, including the intercept.
    rows : int
        Samples of the whole set.
    baud : int
        Baud rate of the line.
    pins : bool
        Use a UART's pins rather than byte streams.
    size : int
        Approximate number of sample bytes of the measured epoch.
    note : Callable[[str], None]
        Called with a message before a board is compiled.

    Returns
    -------
    dict[str, Any]
        A row.
    """
    config = RunConfig(features, P, M, BATCH, intercept=True)
    each = config.layout(build).size
    count = size // each
    rng = np.random.default_rng(SEED)
    values = rng.uniform(-1, 1, (count, features)).astype(np.float32)
    values[:, -1] = 1
    samples = EpochSamples(
        values,
        rng.integers(-(1 << 15), 1 << 15, count).astype(np.int16),
        np.arange(count),
        SEED,
        0,
    )
    line: dict[str, Any] = {"uart": Uart(baud)} if pins else {"baud": baud}
    with simulated(build, **line, note=note) as (board, device):
        device.begin(config, np.zeros(features, dtype=np.int64), SEED)
        seen: list[dict[str, int]] = []

        def progress(done: int) -> None:
            if not seen:
                seen.append(board.statistics())

        result = device.epoch(samples, Step.nearest(2.0**-12), progress)
        first, last = seen[0], board.statistics()
        resent = device.device.link.counts.resent
    assert result.cycles is not None
    assert result.sample_bytes is not None
    assert result.link_bytes is not None
    idle, busy = (last[key] - first[key] for key in ("line_idle", "line_busy"))
    rate = count * build.clock_hz / result.cycles
    return {
        "set": name,
        "n": features,
        "bytes a sample": each,
        "line": "UART pins" if pins else "byte stream",
        "Mbaud": baud / 1e6,
        "sample bytes": result.sample_bytes,
        "share of the bytes": result.sample_bytes / result.link_bytes,
        "share of the time": result.sample_bytes * 10 * build.clock_hz / baud / result.cycles,
        "idle cycles": idle,
        "of": idle + busy,
        "frames resent": resent,
        "samples/s": round(rate),
        "epoch of the whole set, s": rows / rate,
    }


def run(size: int = 100_000) -> Result:
    """Measure both shapes at each rate, and the fastest rate over the UART's pins.

    Parameters
    ----------
    size : int
        Approximate number of sample bytes of each epoch.

    Returns
    -------
    Result
        The result of the bench.
    """
    fast = replace(BUILD, clock_hz=60_000_000)  # five cycles a bit at the fastest rate
    tasks = [(BUILD, shape, rate, False) for shape in SETS for rate in MEGABAUD]
    tasks.append((fast, SETS[0], MEGABAUD[-1], True))
    rows = []
    with Steps(len(tasks)) as steps:
        for build, shape, rate, pins in tasks:
            steps.next(f"{shape[0]}, {rate} Mbaud{' over the pins' if pins else ''}")
            rows.append(measure(build, *shape, baud=rate * 1_000_000, pins=pins, size=size, note=steps.note))
    return {
        "goal": f"samples are at least {SHARE:.0%} of the bytes that the link transfers in an epoch, and the line is never "
        f"idle while samples wait (less than {IDLE:.1%} of its cycles), at {', '.join(map(str, MEGABAUD))} Mbaud and "
        f"{BUILD.clock_hz / 1e6:g} MHz. The published times of ZipML-PYNQ amount to 10 to 75 % of its bus",
        "met": all(
            row["share of the bytes"] >= SHARE and row["idle cycles"] <= IDLE * row["of"] for row in rows
        ),
        "seeds": [SEED],
        "p": P,
        "m": M,
        "rows": rows,
    }


BENCH = Bench("link", "share of samples in the link's bytes, and the line's idle cycles", run)
