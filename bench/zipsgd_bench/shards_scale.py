"""What a round of shards takes in time and memory, and what follows for boards."""

import math
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, build_for
from zipsgd.distributed import Workers
from zipsgd.distributed.work import Done
from zipsgd.distributed.worker import Job, run_job
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd_hw.boards.catalogue import BOARDS
from zipsgd_hw.boards.prediction import predict_epoch

from .shards_engines import by_mpi, engine

__all__ = ["boards", "memory_of_worker", "overheads", "round_seconds"]

WORDS, HEADS = 785, 10
FEW_WORDS = 16
"""Weights of a small model, whose exchange takes as long unless it is the bytes that take the time."""
WARM, ROUNDS = 5, 40
PAUSE = 0.02
"""Seconds that each shard takes besides, as rounds that follow each other at once are in each other's way as others are not."""
_BOARD = BOARDS["ulx3s-85f-store"]
_BAUD = 3_000_000 if _BOARD.link.baud is None else _BOARD.link.baud
_UART_BITS = 10
"""Bits on the line a byte: start, eight, stop. The frames around the bytes, some 2 %, are left out."""
_WEIGHT_BYTES = 4
_ROUND = f"""\
from zipsgd_bench.shards_scale import round_seconds
print(round_seconds(lambda: executor), round_seconds(lambda: executor, {FEW_WORDS}, 1))"""


def round_seconds(executor: Callable[[], Executor], words: int = WORDS, heads: int = HEADS) -> float:
    """Seconds of the exchange in a round of two shards: what it takes besides the pause of each.

    Parameters
    ----------
    executor : callable
        Returns the executor.
    words, heads : int
        Weights of a model, and number of models.

    Returns
    -------
    float
        Median of 40 rounds, after five that are not counted.
    """
    random = np.random.default_rng(1)
    values = random.uniform(-1, 1, (4, words)).astype(np.float32)
    values[:, -1] = 1
    labels = random.integers(0, heads, 4).astype(np.int16)
    config = RunConfig(words, 2, 1, 1, heads=heads, one_against_all=heads > 1)
    build = build_for(words, heads=heads)
    backend = Workers("emulator", build, executor=executor).open().with_shards(2, 1)
    backend.begin(config, np.zeros((heads, words), dtype=np.int64), 1)
    samples = EpochSamples(values, labels, np.arange(4), 1, 0)
    taken = []
    with patch("zipsgd.distributed.rounds.run_job", _paused):
        for _ in range(WARM + ROUNDS):
            begun = time.perf_counter()
            backend.epoch(samples, Step.nearest(2.0**-6), lambda count: None)
            taken.append(time.perf_counter() - begun)
    backend.close()
    return median(taken[WARM:]) - PAUSE


def _paused(job: Job) -> Done:
    time.sleep(PAUSE)
    return run_job(job)


def overheads() -> list[dict[str, Any]]:
    """The exchange of each engine, with two workers.

    Returns
    -------
    list of dict
        Milliseconds of a round of a model of 7,850 words, and of one of 16.
    """
    seconds: dict[str, tuple[float, float]] = {}
    for name in ("dask", "loky", "threads"):
        with engine(name, 2) as executor:
            seconds[name] = round_seconds(executor), round_seconds(executor, FEW_WORDS, 1)
    large, small = map(float, by_mpi(_ROUND, 2).split()[-2:])
    seconds["mpi4py"] = large, small
    return [
        {"engine": name, "ms a round": 1e3 * large, f"ms a round of {FEW_WORDS} weights": 1e3 * small}
        for name, (large, small) in seconds.items()
    ]


_LITTLE = 64
"""Rows of an epoch after which a worker has imported and opened all that it needs."""


class Repeated:
    """Rows of a smaller set, again and again, each time read from it anew.

    Parameters
    ----------
    file : str
        A file of NumPy.
    times : int
        How often.
    """

    def __init__(self, file: str, times: int) -> None:
        self._file, self._times = file, times

    @property
    def shape(self) -> tuple[int, int]:
        """tuple[int, int]: Rows and columns."""
        rows, columns = np.load(self._file, mmap_mode="r").shape
        return rows * self._times, columns

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]:
        whole = np.load(self._file, mmap_mode="r")
        index = np.arange(*rows.indices(self.shape[0])) if isinstance(rows, slice) else np.asarray(rows)
        return np.asarray(whole[index % len(whole)])


def _peak() -> int:
    """Peak memory of this process in bytes. What ``getrusage`` says has the peak of the process that started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    time.sleep(0.1)  # so that each worker of a pool is asked
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) << 10


def _highest_peak(pool: Executor) -> float:
    """The highest peak among the processes of a pool, in gigabytes."""
    peaks = [pool.submit(_peak) for _ in range(8)]
    return max(peak.result() for peak in peaks) / 1e9


def memory_of_worker(file: str, times: int, executor: Callable[[], Executor]) -> dict[str, Any]:
    """Peak memory of workers that train on a set that is far larger, on Linux.

    Parameters
    ----------
    file : str
        A file of float32 values in [-1, 1], the last column 1.
    times : int
        How often its rows come.
    executor : callable
        Returns an executor of two processes.

    Returns
    -------
    dict
        Sizes in gigabytes, with the peak after an epoch on 64 rows, and seconds of the epoch on all.
    """
    values: Any = Repeated(file, times)
    rows, features = values.shape
    labels = (np.arange(rows) % 2 * 2 - 1).astype(np.int16) * 16384
    config = RunConfig(features, 2, 1, 16)
    workers = Workers("emulator", build_for(features, batch=16), executor=executor, memory=1 << 28)
    backend = workers.open().with_shards(2, 1)
    backend.begin(config, np.zeros(features, dtype=np.int64), 1)
    peaks, seconds = [], 0.0
    for apart in (rows // _LITTLE, 1):
        samples = EpochSamples(values, labels, np.arange(0, rows, apart), 1, 0, 1 << 28)
        begun = time.perf_counter()
        backend.epoch(samples, Step.nearest(2.0**-12), lambda count: None)
        seconds = time.perf_counter() - begun
        peaks.append(_highest_peak(executor()))
    backend.close()
    return {
        "set, GB as float32": rows * features * 4 / 1e9,
        "rows": rows,
        "a worker's peak with little, GB": peaks[0],
        "a worker's peak, GB": peaks[1],
        "seconds": seconds,
    }


def boards(
    name: str, rows: int, boards: int, hosts: int, host_seconds: float, exchange: float
) -> dict[str, Any]:
    """The predicted epoch of ULX3S boards with resident samples of MNIST's columns, one model at 3 bits, one round an epoch.

    Parameters
    ----------
    name : str
        The case in words.
    rows : int
        Rows of the set.
    boards, hosts : int
        Boards, shared equally by hosts.
    host_seconds : float
        Seconds that a host takes for a shard in a round, besides the link, which no board has been measured with.
    exchange : float
        Seconds of a round between hosts.

    Returns
    -------
    dict
        Seconds of computing, of the models over the links, of the hosts, and between hosts; and what limits the epoch, which is
        infinite where the rows do not fit.
    """
    each = predict_epoch(
        _BOARD.build,
        samples=-(-rows // boards),
        features=WORDS,
        base_planes=2,
        up_planes=1,
        classes=True,
        store_pace=_BOARD.store_pace,
    )["store"]
    parts = {
        "computing": each["seconds"] if each["fits"] else math.inf,
        "links": 2 * _WEIGHT_BYTES * WORDS * _UART_BITS / _BAUD,
        "hosts": host_seconds * boards / hosts,
        "between hosts": exchange if hosts > 1 else 0.0,
    }
    return {
        "case": name,
        "boards": boards,
        "hosts": hosts,
        **{f"{part}, s": seconds for part, seconds in parts.items()},
        "epoch, s": sum(parts.values()),
        "limited by": max(parts, key=lambda part: parts[part]),
    }
