"""How much of the link is samples, and whether it ever waits for them.

Epochs through the real driver on the virtual board, whose link-rate model lets a byte through every 10 * clock / baud cycles;
so cycles of virtual time are those of a board on a real line of that rate. The line's idle cycles are counted from the first
block of samples to the end of the epoch.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from zipsgd.backends import EpochSamples, RunConfig
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.protocol.samples import sample_bytes

from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated

__all__ = ["BENCH", "measure", "run"]

SEED = 1
SHARE = 0.97
IDLE = 0.001
"""Share of the line's cycles that still counts as never idle: a busy computer may keep the driver from the simulation."""
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
    uart: bool = False,
    size: int,
    note: Callable[[str], None] = lambda message: None,
) -> _Row:
    """An epoch of about ``size`` bytes of samples, and what an epoch of all ``rows`` would take.

    ``uart``: over the pins, at the build's rate. ``note`` is told before a board is compiled.
    """
    each = sample_bytes(features, P, M, build.lanes)
    count = size // each
    rng = np.random.default_rng(SEED)
    samples = EpochSamples(
        rng.uniform(-1, 1, (count, features)).astype(np.float32),
        rng.integers(-(1 << 15), 1 << 15, count).astype(np.int16),
        np.arange(count),
        SEED,
        0,
        P,
        M,
    )
    with simulated(build, uart=uart, baud=baud, note=note) as (board, device):
        device.begin(RunConfig(features, P, M, BATCH), np.zeros(features, dtype=np.int64), SEED)
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
        "line": "UART pins" if uart else "byte stream",
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
    """Both shapes at each rate, and the fastest one over the UART's pins."""
    pins = replace(BUILD, clock_hz=60_000_000, uart_baud=MEGABAUD[-1] * 1_000_000)  # five cycles a bit
    tasks = [(BUILD, shape, rate) for shape in SETS for rate in MEGABAUD] + [(pins, SETS[0], MEGABAUD[-1])]
    rows = []
    with Steps(len(tasks)) as steps:
        for build, shape, rate in tasks:
            uart = build is pins
            steps.next(f"{shape[0]}, {rate} Mbaud{' over the pins' if uart else ''}")
            rows.append(measure(build, *shape, baud=rate * 1_000_000, uart=uart, size=size, note=steps.note))
    return {
        "goal": f"samples at least {SHARE:.0%} of the bytes sent over the link in an epoch, the line never idle while samples "
        f"wait (below {IDLE:.1%} of its cycles), at {', '.join(map(str, MEGABAUD))} Mbaud, {BUILD.clock_hz / 1e6:g} MHz. "
        f"ZipML-PYNQ's published times come to 10 to 75 % of its bus",
        "met": all(
            row["share of the bytes"] >= SHARE and row["idle cycles"] <= IDLE * row["of"] for row in rows
        ),
        "seeds": [SEED],
        "p": P,
        "m": M,
        "rows": rows,
    }


BENCH = Bench("link", "share of the link's bytes that are samples, and the line's idle cycles", run)
