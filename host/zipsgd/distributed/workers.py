"""The backend of a user who has workers."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zipsgd.backends import BackendOptions, EpochSamples
from zipsgd.backends.base import Progress
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build

from .backend import ShardedBackend
from .clusters import capacity_of
from .rounds import Crew
from .shards import Round
from .spool import Spool
from .work import Done
from .worker import Job, identify

__all__ = ["Workers"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workers(BackendOptions):
    """Workers that train shards, as the ``backend`` of :func:`zipsgd.train` and of the estimators.

    Parameters
    ----------
    name, build, baud, trace, usb
        What each worker opens, see :class:`zipsgd.BackendOptions`. With ``name="ports"``, the boards on its ports.
    executor : Executor or callable
        Where the workers are: any :class:`concurrent.futures.Executor`. A function makes one, and makes a new one when that is
        broken, as one of processes is when a process is killed.
    ports : tuple of str
        With ``name="ports"``: ports or URLs of boards. Each worker takes one that is free. None: those in the environment
        variable ZIPSGD_PORTS of each worker, between blanks.
    spool : Path or None
        A folder that all workers see, for files by which they get rows that are in memory here; None for the system's folder of
        temporary files, which will do for workers on this computer.
    memory : int
        Bytes of rows that a worker keeps in memory, packed where their up bits are drawn once, and otherwise as float32. A
        shard that is larger is read from its file in each round.

    Raises
    ------
    ValueError
        As for :class:`zipsgd.BackendOptions`, or there is no executor.
    """

    executor: Executor | Callable[[], Executor] | None = None
    ports: tuple[str, ...] = ()
    spool: str | Path | None = None
    memory: int = 1 << 30

    def __post_init__(self) -> None:
        if self.executor is None:
            raise ValueError("workers need an executor, such as executor=client.get_executor() of Dask")
        if self.ports and self.name != "ports":
            raise ValueError(f"ports go with name='ports', not with name={self.name!r}")
        if self.name == "ports":
            object.__setattr__(self, "ports", tuple(self.ports))
        else:
            super().__post_init__()
        if self.trace is not None:
            raise ValueError("the virtual boards of workers write no waveform: leave out trace")

    def __deepcopy__(self, memo: object) -> "Workers":
        """The same object, as scikit-learn copies parameters and executors cannot be copied."""
        return self

    def capacity(self) -> int:
        """How many shards are trained at the same time, see :meth:`zipsgd.backends.Distributed.capacity`."""
        executor = self.executor
        assert executor is not None
        count = capacity_of(executor if isinstance(executor, Executor) else executor())
        return min(count, len(self.ports)) if self.ports else count

    def open(self) -> ShardedBackend:
        """Open the backend, see :meth:`zipsgd.BackendOptions.open`."""
        if self.build is not None and not isinstance(self.build, Build):
            raise ValueError("a build described by words is made for a task: give zipsgd.train these options")
        assert self.executor is not None
        return ShardedBackend(_Remote(self, self.build, Crew(self.executor)), 1)


class _Remote:
    """Shards are trained by workers."""

    def __init__(self, wanted: Workers, build: Build | None, crew: Crew) -> None:
        self._boards = wanted.name == "ports"
        self._wanted, self._crew, self._spool = wanted, crew, Spool(wanted.spool)
        name = "sim" if self._boards else wanted.name
        self._inner = BackendOptions(name, build, wanted.baud, usb=wanted.usb)
        self.name = wanted.name
        self._told = False  # who trains which shard
        try:
            self.build = self._found_build() if self._boards else build or Build()
        except BaseException:
            self.close()
            raise

    def _found_build(self) -> Build:
        """The build of a worker's board."""
        build: Build = self._crew.ask(identify, self._inner, self._wanted.ports)
        return build

    def train(
        self,
        config: RunConfig,
        samples: EpochSamples,
        turns: Sequence[Round],
        model: npt.NDArray[np.int32],
        step: Step,
        progress: Progress,
    ) -> list[Done]:
        """Train all shards in a round, see :meth:`.backend.Where.train`."""
        if config.refetch:
            raise ValueError(
                "refetch does not work with workers: choose refetch='never' (on the command line: leave out --refetch), or "
                "train without workers"
            )
        first = Job(
            self._inner,
            self._wanted.ports,
            self._boards,
            self._spool.file(samples.values, "values"),
            self._spool.file(samples.labels, "labels"),
            self._spool.file(config, "config"),
            turns[0],
            model,
            step,
            len(turns),
            0,
            self._wanted.memory,
        )
        jobs = [replace(first, turn=turn, shard=shard) for shard, turn in enumerate(turns)]
        done = self._crew.train(jobs, progress)
        if not self._told:
            self._told = True
            for job, each in zip(jobs, done, strict=True):
                _log.info("shard %d was trained on %s", job.shard, each.where)
        return done

    def capacity(self) -> int:
        """How many shards are trained at the same time, see :meth:`.backend.Where.capacity`."""
        return self._wanted.capacity()

    def close(self) -> None:
        """Delete the files for the workers, and say what was lost."""
        if self._crew.lost_seconds:
            _log.warning("%.1f s of work were lost with workers, and done again", self._crew.lost_seconds)
        self._spool.close()
