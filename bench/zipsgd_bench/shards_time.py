"""How long an epoch of shards takes by workers of this computer: a model of one worker's computing and of the exchange."""

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from zipsgd.backends import Backend, EpochSamples
from zipsgd.data import load_set
from zipsgd.distributed import Workers
from zipsgd.extras import extra
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare

from .shards_engines import engine

__all__ = ["TOLERANCE", "TimeModel", "checked", "fitted", "measured_times"]

TOLERANCE = 20.0
"""Most per cent by which a measured epoch deviates from the model. The model leaves out that a worker may get a shard more than
another one."""
WORKERS, SHARDS = (1, 2, 4), (4, 8)
FEW_SHARDS = (2, 4, 8)
"""Shards of the rounds with few rows."""
FIT = 8
"""Shards of the epoch by which computing is fitted. Each worker has several then, as with fewer boards than shards."""
_FEW_ROWS = 128
_WARM, _COUNT = 10, 21
"""Epochs until workers have compiled, have read their rows and seen most shards; and epochs that are measured."""


@dataclass(frozen=True)
class TimeModel:
    """The time of an epoch with one round: computing, shared by workers as far as there are cores, and the exchange.

    Parameters
    ----------
    compute : float
        Seconds that all shards together keep one core busy.
    exchanges : dict of int to tuple of float
        By the number of workers: seconds of the exchange that a round takes, and that each of its shards takes besides.
    """

    compute: float
    exchanges: dict[int, tuple[float, float]]

    def exchange(self, workers: int, shards: int) -> float:
        """Seconds of the exchange in a round.

        Parameters
        ----------
        workers, shards : int
            Number of workers, and of shards.

        Returns
        -------
        float
            The seconds.
        """
        each_round, each_shard = self.exchanges[workers]
        return each_round + each_shard * shards

    def epoch(self, workers: int, shards: int, cores: float) -> float:
        """Seconds of an epoch.

        Parameters
        ----------
        workers : int
            Workers of one thread each.
        shards : int
            Number of shards.
        cores : float
            Cores that the workers have: those of the computer without what this and other processes take.

        Returns
        -------
        float
            The seconds. Some worker trains ceil(shards / workers) shards, one after the other; and no more cores than there are
            compute at a time.
        """
        longest = math.ceil(shards / workers) / shards
        return self.compute * max(longest, 1 / cores) + self.exchange(workers, shards)


def fitted(rounds: Mapping[tuple[int, int], float], epoch: float, shards: int) -> TimeModel:
    """Fit the model to rounds without computing, and to an epoch of one worker.

    Parameters
    ----------
    rounds : mapping of (int, int) to float
        Seconds of a round with so few rows that the exchange is all that counts, by numbers of workers and of shards: for each
        number of workers two numbers of shards or more.
    epoch : float
        Seconds of an epoch of all rows by one worker.
    shards : int
        Shards of that epoch.

    Returns
    -------
    TimeModel
        The model: the exchange is the line by least squares, and computing is the rest of the epoch.
    """
    exchanges = {}
    for workers in {number for number, _ in rounds}:
        line = {each: seconds for (number, each), seconds in rounds.items() if number == workers}
        each_shard, each_round = map(float, np.polyfit(list(line), list(line.values()), 1))
        exchanges[workers] = each_round, each_shard
    exchange = TimeModel(0.0, exchanges).exchange(1, shards)
    return TimeModel(epoch - exchange, exchanges)


def checked(model: TimeModel, epochs: Mapping[tuple[int, int], tuple[float, float]]) -> list[dict[str, Any]]:
    """Hold the model against measured epochs.

    Parameters
    ----------
    model : TimeModel
        The model.
    epochs : mapping of (int, int) to (float, float)
        By numbers of workers and of shards: measured seconds, and the cores that the workers had meanwhile.

    Returns
    -------
    list of dict
        For each case the seconds, measured and predicted, and the deviation of the measured ones in per cent.
    """
    rows = []
    for (workers, shards), (seconds, cores) in epochs.items():
        predicted = model.epoch(workers, shards, cores)
        rows.append(
            {
                "workers": workers,
                "shards": shards,
                "cores": cores,
                "fitted": (workers, shards) == (1, FIT),
                "measured, s": seconds,
                "predicted, s": predicted,
                "deviation, %": 100 * (seconds / predicted - 1),
            }
        )
    return rows


@dataclass(frozen=True, eq=False)
class _Case:
    """Epochs of some samples, with so many shards, by the workers of a backend."""

    backend: Backend
    config: RunConfig
    samples: EpochSamples
    step: Step

    def begin(self) -> None:
        self.backend.begin(self.config, np.zeros(self.config.model_shape(), dtype=np.int64), 1)

    def seconds(self) -> float:
        begun = time.perf_counter()
        self.backend.epoch(self.samples, self.step, lambda count: None)
        return time.perf_counter() - begun


@contextmanager
def _workers(count: int, build: Build) -> Iterator[Any]:
    """A backend with so many workers of Dask, of one thread each."""
    with engine("dask", count) as executor:
        backend = Workers("emulator", build, executor=executor).open()
        try:
            yield backend
        finally:
            backend.close()


def _taken_by_others() -> float:
    """Seconds of cores that all processes but the workers have taken since the computer started, this one among them."""
    with extra("distributed", "this bench"):
        import psutil  # which Dask needs
    times = psutil.cpu_times()
    own = [each.cpu_times() for each in psutil.Process().children(recursive=True)]
    busy = sum(times) - times.idle - getattr(times, "iowait", 0.0)
    taken: float = busy - sum(each.user + each.system for each in own)
    return taken


class _Taken:
    """What the epochs of a case have taken."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.others = self.whole = 0.0

    def add(self, case: _Case) -> None:
        begun, before = time.perf_counter(), _taken_by_others()
        self.seconds.append(case.seconds())
        self.others += _taken_by_others() - before
        self.whole += time.perf_counter() - begun

    @property
    def median_and_cores(self) -> tuple[float, float]:
        cores = (os.cpu_count() or 1) - self.others / self.whole
        return median(self.seconds), max(1.0, cores)


def _alternating(cases: Sequence[_Case]) -> list[tuple[float, float]]:
    """The median of each case's epochs, and the cores it had. The cases take turns, as does then what disturbs them."""
    for case in cases:
        case.begin()
        for _ in range(_WARM):
            case.seconds()
    taken = [_Taken() for _ in cases]
    for _ in range(_COUNT):
        for case, of_case in zip(cases, taken, strict=True):
            of_case.add(case)
    return [each.median_and_cores for each in taken]


def measured_times() -> tuple[TimeModel, list[dict[str, Any]]]:
    """Measure epochs of MNIST's ten classes at 3 bits by workers of Dask, without what training does between epochs.

    Returns
    -------
    model : TimeModel
        Fitted to rounds with 128 rows, and to the epoch of one worker with 8 shards.
    rows : list of dict
        The model held against the epochs of one, two and four workers, see :func:`checked`.
    """
    task = prepare(load_set("mnist"), None, Options(classify=True, bits=3, calibrate=False))
    build, config = task.build(), task.config_of(task.heads)
    assert task.numbers is not None
    whole = task.samples(0, task.numbers)
    few = replace(
        whole,
        values=np.asarray(whole.values[:_FEW_ROWS]),
        labels=whole.labels[:_FEW_ROWS],
        order=np.arange(_FEW_ROWS),
    )
    step = task.step(0, build, 0)
    cases: dict[tuple[int, int, bool], _Case] = {}
    with ExitStack() as stack:
        for workers in WORKERS:
            backend = stack.enter_context(_workers(workers, build))
            for shards in SHARDS:
                cases[workers, shards, True] = _Case(backend.with_shards(shards, 1), config, whole, step)
            for shards in FEW_SHARDS:
                cases[workers, shards, False] = _Case(backend.with_shards(shards, 1), config, few, step)
        found = dict(zip(cases, _alternating(list(cases.values())), strict=True))
    epochs = {(workers, shards): taken for (workers, shards, all_rows), taken in found.items() if all_rows}
    rounds = {
        (workers, shards): taken[0] for (workers, shards, all_rows), taken in found.items() if not all_rows
    }
    model = fitted(rounds, epochs[1, FIT][0], FIT)
    return model, checked(model, epochs)
