"""What runs on a worker: shards' parts of rounds, with rows and backends kept from one to the next."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, BackendOptions, open_backend
from zipsgd.driver import DeviceError
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build

from .kept import Kept, keep_packed
from .shards import Round, ShardRows
from .spool import read_object
from .work import Done, train_shard

__all__ = ["PORTS_VARIABLE", "Job", "ShardLost", "identify", "run_job"]

PORTS_VARIABLE = "ZIPSGD_PORTS"
"""The environment variable with the ports that a worker owns, between blanks."""
_WAIT_SECONDS, _AGAIN_SECONDS = 20.0, 0.2
"""How long a worker waits for a board that is free, such as one that is being replaced, and time between two attempts."""


class ShardLost(RuntimeError):
    """A board was lost while it trained a shard. The shard can be trained again, by whatever worker."""


@dataclass(frozen=True)
class Job:
    """A shard's part of a round, by the names of the files that do not change.

    Parameters
    ----------
    backend : BackendOptions
        What the worker opens. Of a board, only its build counts.
    ports : tuple of str
        Ports of boards, of which a worker takes one that is free; empty for those of :data:`PORTS_VARIABLE`.
    boards : bool
        Whether shards are trained on boards.
    values, labels, config : str
        Files of :class:`.spool.Spool`.
    turn : Round
        The round.
    model : npt.NDArray[np.int32] of shape (heads, features)
        The model before it.
    step : Step
        Step of the epoch.
    shards, shard : int
        Number of shards, and the shard.
    memory : int
        Bytes of rows and labels that the worker keeps.
    sending : int
        How often the shard has been sent in this round. Dask takes equal calls for one, and would not do the work again.
    """

    backend: BackendOptions
    ports: tuple[str, ...]
    boards: bool
    values: str
    labels: str
    config: str
    turn: Round
    model: npt.NDArray[np.int32]
    step: Step
    shards: int
    shard: int
    memory: int
    sending: int = 1


class _Backends:
    """Open backends that no thread uses just now."""

    def __init__(self) -> None:
        self._free: dict[Any, list[Backend]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def use(self, wanted: BackendOptions, ports: tuple[str, ...] | None) -> Iterator[Backend]:
        key = repr((wanted, ports))
        with self._lock:
            free = self._free.setdefault(key, [])
            backend = free.pop() if free else None
        if backend is None:
            backend = _opened(wanted, ports)
        try:
            yield backend
        except BaseException:
            backend.close()
            raise
        with self._lock:
            free.append(backend)


def _opened(wanted: BackendOptions, ports: tuple[str, ...] | None) -> Backend:
    """Open a backend; of several ports, the first one that is free."""
    if ports is None:
        return open_backend(wanted)
    if not ports:
        raise DeviceError(
            f"no ports are named: set {PORTS_VARIABLE} on {_here()}, or name ports=... where training begins"
        )
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        failures = []
        for port in ports:
            try:
                return open_backend(replace(wanted, name=port))
            except DeviceError as error:
                failures.append(str(error))
        if time.monotonic() > end:
            raise DeviceError(f"no board is free on {_here()}: {'; '.join(failures)}")
        time.sleep(_AGAIN_SECONDS)


_rows, _configs, _backends = Kept(), Kept(), _Backends()
_FEW_CONFIGS = 16


def _here() -> str:
    return f"{socket.gethostname()}, process {os.getpid()}"


def _ports(named: tuple[str, ...]) -> tuple[str, ...]:
    return named or tuple(os.environ.get(PORTS_VARIABLE, "").split())


def identify(wanted: BackendOptions, ports: tuple[str, ...]) -> Build:
    """The build of a worker's board.

    Parameters
    ----------
    wanted, ports
        As of :class:`Job`.

    Returns
    -------
    Build
        The build.

    Raises
    ------
    ShardLost
        No board is there.
    """
    with _backends.use(wanted, _ports(ports)) as backend:
        return backend.build


def run_job(job: Job) -> Done:
    """Train a shard in a round.

    Parameters
    ----------
    job : Job
        The shard, the round, and where the rest is.

    Returns
    -------
    Done
        Model and counts.

    Raises
    ------
    ShardLost
        The worker's board was lost.
    ValueError
        The files are not here, or the shard has too few rows.
    """

    def read_rows() -> ShardRows:
        values, labels = read_object(job.values), np.asarray(read_object(job.labels))
        return ShardRows.of(values, labels, job.shards, job.shard, 0 if job.turn.once else job.memory)

    config = _configs.get(job.config, lambda: read_object(job.config), lambda made: 1, _FEW_CONFIGS)
    shard = job.values, job.shards, job.shard
    copies = 2 if job.backend.name == "emulator" and not job.turn.once else 1  # in fixed point as well
    rows = _rows.get(
        (shard, job.labels, job.turn.once), read_rows, lambda made: copies * made.size, job.memory
    )
    keep = keep_packed(_rows, shard, job.memory, job.memory)
    try:
        with _backends.use(job.backend, _ports(job.ports) if job.boards else None) as backend:
            done = train_shard(
                backend, config, rows, job.turn, job.model, job.step, job.shards, job.shard, keep
            )
            return Done(done.model, done.result, done.samples, f"{_here()}, {backend.name}")
    except DeviceError as error:
        raise ShardLost(f"{error} ({_here()})") from None
