"""What a round of shards takes in time and memory, and what follows for more workers and for boards."""

import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, build_for
from zipsgd.data import load_set
from zipsgd.distributed import Workers
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.training.api import train_task
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare

from .shards_engines import by_mpi, engine

__all__ = ["boards", "epoch_seconds", "fitted", "memory_of_worker", "overheads", "round_seconds"]

WORDS, HEADS = 785, 10
ROUNDS = 40
_ROUND = """\
from zipsgd_bench.shards_scale import round_seconds
print(round_seconds(lambda: executor))"""


def round_seconds(executor: Callable[[], Executor]) -> float:
    """Seconds of a round of two shards, whose samples are so few that the exchange is all that counts.

    Parameters
    ----------
    executor : callable
        Returns the executor.

    Returns
    -------
    float
        Mean of 40 rounds, after two that are not counted.
    """
    random = np.random.default_rng(1)
    values = random.uniform(-1, 1, (4, WORDS)).astype(np.float32)
    values[:, -1] = 1
    labels = random.integers(0, HEADS, 4).astype(np.int16)
    config = RunConfig(WORDS, 2, 1, 1, heads=HEADS, one_against_all=True)
    build = build_for(WORDS, heads=HEADS)
    backend = Workers("emulator", build, executor=executor).open().with_shards(2, 1)
    backend.begin(config, np.zeros((HEADS, WORDS), dtype=np.int64), 1)
    samples = EpochSamples(values, labels, np.arange(4), 1, 0)
    begun = 0.0
    for number in range(ROUNDS + 2):
        if number == 2:
            begun = time.perf_counter()
        backend.epoch(samples, Step.nearest(2.0**-6), lambda count: None)
    seconds = (time.perf_counter() - begun) / ROUNDS
    backend.close()
    return seconds


def epoch_seconds(workers: int, shards: int, engine_name: str = "dask") -> float:
    """Seconds of an epoch of MNIST's ten classes at 3 bits, once the workers have their rows: the median of three."""
    task = prepare(
        load_set("mnist"), None, Options(classify=True, bits=3, epochs=5, shards=shards, keep="last")
    )
    with engine(engine_name, workers) as executor:
        seconds: list[float] = []
        backend = Workers("emulator", task.build(), executor=executor)
        train_task(task, backend=backend, callbacks=[lambda report: seconds.append(report.seconds)])
    return float(np.median(seconds[2:]))


def overheads() -> list[dict[str, Any]]:
    """The exchange of each engine, with two workers.

    Returns
    -------
    list of dict
        Milliseconds of a round of a model of 7,850 words.
    """
    rows = []
    for name in ("dask", "loky", "threads"):
        with engine(name, 2) as executor:
            rows.append({"engine": name, "ms a round": 1e3 * round_seconds(executor)})
    rows.insert(2, {"engine": "mpi4py", "ms a round": 1e3 * float(by_mpi(_ROUND, 2).split()[-1])})
    return rows


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
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) << 10


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
        Sizes in gigabytes, and seconds of the epoch.
    """
    values: Any = Repeated(file, times)
    rows, features = values.shape
    labels = (np.arange(rows) % 2 * 2 - 1).astype(np.int16) * 16384
    config = RunConfig(features, 2, 1, 16)
    workers = Workers("emulator", build_for(features, batch=16), executor=executor, memory=1 << 28)
    backend = workers.open().with_shards(2, 1)
    backend.begin(config, np.zeros(features, dtype=np.int64), 1)
    begun = time.perf_counter()
    backend.epoch(
        EpochSamples(values, labels, np.arange(rows), 1, 0, 1 << 28),
        Step.nearest(2.0**-12),
        lambda count: None,
    )
    seconds = time.perf_counter() - begun
    backend.close()
    pool = executor()
    peaks = [pool.submit(_peak) for _ in range(8)]
    return {
        "set, GB as float32": rows * features * 4 / 1e9,
        "rows": rows,
        "a worker's peak, GB": max(peak.result() for peak in peaks) / 1e9,
        "seconds": seconds,
    }


def fitted(seconds: dict[int, float]) -> tuple[float, float]:
    """Fit the model of an epoch's time, compute / workers + exchange, to the epochs of one and of two workers.

    Parameters
    ----------
    seconds : dict of int to float
        Measured epochs by the number of workers.

    Returns
    -------
    compute, exchange : float
        Seconds.
    """
    compute = 2 * (seconds[1] - seconds[2])
    return compute, seconds[1] - compute


LINK_BYTES = 300_000
"""Bytes a second on a UART of 3 Mbaud."""
HOST_SECONDS = 2e-3
"""Seconds that a host takes for a shard in a round, besides the link: from the rounds of threads."""


def boards(
    name: str, rows: int, features: int, boards: int, hosts: int, epoch: float, exchange: float
) -> dict[str, Any]:
    """The predicted epoch of ULX3S boards with resident samples, one round an epoch.

    Parameters
    ----------
    name : str
        The case in words.
    rows, features : int
        The set.
    boards, hosts : int
        Boards, shared equally by hosts.
    epoch : float
        Seconds of an epoch of MNIST's 60,000 rows of 785 features on one board.
    exchange : float
        Seconds of a round between hosts.

    Returns
    -------
    dict
        Seconds of computing, of the models over the links, and between hosts; and what limits the epoch.
    """
    compute = epoch * rows / 60_000 * features / 785 / boards
    link = 2 * 4 * features / LINK_BYTES + HOST_SECONDS * boards / hosts
    between = exchange if hosts > 1 else 0.0
    parts = {"computing": compute, "links": link, "between hosts": between}
    return {
        "case": name,
        "boards": boards,
        "hosts": hosts,
        **{f"{part}, s": seconds for part, seconds in parts.items()},
        "epoch, s": sum(parts.values()),
        "limited by": max(parts, key=lambda part: parts[part]),
    }
