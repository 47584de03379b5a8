"""A backend that trains shards side by side, averages their models, and goes on with momentum."""

from collections.abc import Sequence
from functools import partial, reduce
from operator import add
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, EpochResult, EpochSamples
from zipsgd.backends.base import EpochByEpoch, Progress
from zipsgd.driver import count_on
from zipsgd.golden.averaging import average_words, go_ahead
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Flag

from .kept import Kept, keep_packed
from .shards import Round, ShardRows, rows_of_shard
from .spool import key_of
from .work import Done, train_shard

__all__ = ["Here", "ShardedBackend", "Where", "sharded"]

_Int = npt.NDArray[np.int64]


class Where(Protocol):
    """Where shards are trained."""

    @property
    def name(self) -> str:
        """str: Name of the backend that trains them."""

    @property
    def build(self) -> Build:
        """Build: Its build."""

    def train(
        self,
        config: RunConfig,
        samples: EpochSamples,
        turns: Sequence[Round],
        model: npt.NDArray[np.int32],
        step: Step,
        progress: Progress,
    ) -> list[Done]:
        """Train all shards in a round.

        Parameters
        ----------
        config : RunConfig
            Configuration of the run.
        samples : EpochSamples
            The samples of the epoch.
        turns : sequence of Round
            The round, as each shard sees it.
        model : npt.NDArray[np.int32] of shape (heads, features)
            The model before it.
        step : Step
            Step of the epoch.
        progress : Progress
            Called with the number of samples that have been taken so far.

        Returns
        -------
        list of Done
            What each shard gives.
        """

    def capacity(self) -> int:
        """How many shards are trained at the same time; 0 if it is not known."""

    def close(self) -> None:
        """Release what was opened."""


class Here:
    """Shards are trained one after the other on an open backend of this process.

    Parameters
    ----------
    backend : Backend
        The backend, which is closed with this object.
    memory : int
        Bytes for the rows of all shards.
    """

    def __init__(self, backend: Backend, memory: int) -> None:
        self.name, self.build = backend.name, backend.build
        self._backend, self._memory = backend, memory
        self._of: tuple[Any, ...] | None = None
        self._rows: list[ShardRows] = []
        self._packed = Kept()

    def train(
        self,
        config: RunConfig,
        samples: EpochSamples,
        turns: Sequence[Round],
        model: npt.NDArray[np.int32],
        step: Step,
        progress: Progress,
    ) -> list[Done]:
        """Train all shards in a round, see :meth:`Where.train`."""
        shards, results = len(turns), list[Done]()
        for shard, turn in enumerate(turns):
            rows = self._rows_of(samples, shards)[shard]
            keep = keep_packed(self._packed, (shards, shard), self._memory // shards, self._memory)
            results.append(train_shard(self._backend, config, rows, turn, model, step, shards, shard, keep))
            progress(sum(done.samples for done in results))
        return results

    def _rows_of(self, samples: EpochSamples, shards: int) -> list[ShardRows]:
        found = key_of(samples.values), key_of(samples.labels), shards, samples.once
        if found != self._of:
            room = 0 if samples.once else self._memory // shards  # what is kept packed is read once
            self._rows = [
                ShardRows.of(samples.values, samples.labels, shards, shard, room) for shard in range(shards)
            ]
            if self._of is None or found[0] != self._of[0]:
                self._packed = Kept()
            self._of = found
            self._kept = samples  # so that no other arrays get their keys
        return self._rows

    def capacity(self) -> int:
        """One, see :meth:`Where.capacity`."""
        return 1

    def close(self) -> None:
        """Close the backend."""
        self._backend.close()


class ShardedBackend(EpochByEpoch):
    """Trains each shard of the rows from the same model, and averages their models.

    A round is a part of an epoch, after which the models are averaged. The next round begins ahead of the mean
    (:mod:`zipsgd.golden.averaging`). A shard has its own rows, order, up bits and device seed, which follow from the run's seed
    and the number of shards. So the bits depend on the number of shards and of rounds, and on nothing else.

    Parameters
    ----------
    where : Where
        Where the shards are trained.
    shards : int
        Number of shards.
    rounds : int
        Rounds in an epoch.
    """

    def __init__(self, where: Where, shards: int, rounds: int = 1) -> None:
        self._where, self._shards, self._rounds = where, shards, rounds
        self.build = where.build
        self.name = where.name

    def with_shards(self, shards: int, rounds: int) -> "ShardedBackend":
        """The same workers with other numbers.

        Parameters
        ----------
        shards, rounds : int
            Number of shards, and rounds in an epoch.

        Returns
        -------
        ShardedBackend
            The backend. Closing one of the two closes both.
        """
        return ShardedBackend(self._where, shards, rounds)

    def begin(self, config: RunConfig, model: _Int, seed: int, epoch: int = 0) -> None:
        """Begin a run, see :meth:`zipsgd.backends.Backend.begin`."""
        config.check(self.build)
        self._config, self._seed, self._epoch = config, seed, epoch
        self._model = self._start = np.array(model, dtype=np.int64, ndmin=2)

    def begin_ahead(self, words: _Int) -> None:
        """Begin the next epoch from other models, see :meth:`zipsgd.backends.Distributed.begin_ahead`."""
        self._start = words

    def ahead(self) -> _Int | None:
        """The models that the next epoch begins from, see :meth:`zipsgd.backends.Distributed.ahead`."""
        return None if self._shards == 1 else self._start

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """Train on one epoch, see :meth:`zipsgd.backends.Backend.epoch`."""
        results, taken = [], 0
        orders = self._orders(samples)
        for part in range(self._rounds):
            turns = [
                Round(
                    self._seed,
                    self._epoch,
                    samples.epoch,
                    part,
                    self._rounds,
                    samples.stored is not None,
                    order,
                    samples.memory,
                    samples.once,
                )
                for order in orders
            ]
            done = self._where.train(
                self._config,
                samples,
                turns,
                self._start.astype(np.int32),
                step,
                partial(count_on, progress, taken),
            )
            taken += sum(each.samples for each in done)
            results += [each.result for each in done]
            results.append(self._averaged([each.model for each in done], turns[0].number))
        self._epoch += 1
        return reduce(add, results)

    def capacity(self) -> int:
        """How many shards are trained at the same time, see :meth:`zipsgd.backends.Distributed.capacity`."""
        return self._where.capacity()

    def _averaged(self, models: list[npt.NDArray[np.int32]], number: int) -> EpochResult:
        """Average the models of a round: whether the next one begins at the end of a range, and the bytes that models took."""
        seed, before = self._seed, self._model
        self._model = average_words(np.stack(models).astype(np.int64), seed, number)
        self._start, saturated = go_ahead(
            self._start, before, self._model, self._shards, seed, number, self.build.model_bits
        )
        moved = 2 * sum(model.nbytes for model in models)  # to the shards and back
        return EpochResult(0, Flag.MODEL if saturated else 0, 0, 0, 0, 0, 0, moved)

    def _orders(self, samples: EpochSamples) -> list[_Int | None]:
        """The samples of each shard where they are not all of its rows: row numbers in the shard."""
        count = len(samples.labels)
        if samples.order.size == count and bool((np.bincount(samples.order, minlength=count) == 1).all()):
            return [None] * self._shards
        orders: list[_Int | None] = []
        for shard in range(self._shards):
            rows = rows_of_shard(count, self._shards, shard)
            here = samples.order[np.isin(samples.order, rows)]
            orders.append(np.searchsorted(rows, here))
        return orders

    def model(self) -> _Int:
        """The current model, see :meth:`zipsgd.backends.Backend.model`."""
        return self._model.reshape(self._config.model_shape())

    def close(self) -> None:
        """Release what was opened for the shards."""
        self._where.close()


def sharded(backend: Backend, shards: int, rounds: int, memory: int) -> ShardedBackend:
    """An open backend that trains shards.

    Parameters
    ----------
    backend : Backend
        An open backend. One that has workers uses them; any other one trains the shards in turn.
    shards, rounds : int
        Number of shards, and rounds in an epoch.
    memory : int
        Bytes for the rows of all shards, where they are trained in turn.

    Returns
    -------
    ShardedBackend
        The backend; closing it closes the one that was given.
    """
    if isinstance(backend, ShardedBackend):
        return backend.with_shards(shards, rounds)
    return ShardedBackend(Here(backend, memory), shards, rounds)
