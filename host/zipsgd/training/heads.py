"""Heads: models that are trained side by side on the same rows, one for each class or output."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, EpochResult
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.samples import heads_of_passes

from .refetching import epoch_with_refetching
from .task import Task

__all__ = ["HeadEpoch", "Heads"]

_Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeadEpoch:
    """An epoch of all heads.

    Parameters
    ----------
    loss : float
        Mean loss over samples and heads during the epoch, for scaled targets, in units of the loss that the device minimises.
    samples : int
        Number of samples.
    result : EpochResult
        Loss sum, flags and counts of all heads together.
    again : int
        Number of samples that were sent again, over all heads.
    """

    loss: float
    samples: int
    result: EpochResult
    again: int


@dataclass(frozen=True)
class _Pass:
    """Heads that are trained in one pass over the rows, and their labels."""

    heads: slice
    config: RunConfig
    labels: npt.NDArray[np.int16]


class Heads:
    """All heads of a task on one open backend, an epoch at a time.

    As many heads as the build has room for are trained in one pass over the rows, and the others in further passes. The bits
    do not depend on this: all heads share the order, the up bits and the seeds, and an epoch depends only on its model, the
    seed and its number.

    Parameters
    ----------
    task : Task
        Data and options.
    backend : Backend
        Open backend whose build supports the task.
    """

    def __init__(self, task: Task, backend: Backend) -> None:
        self._task, self._backend = task, backend
        self.refetches = bool(task.config.refetch)
        sizes = heads_of_passes(backend.build, task.config.features, task.heads)
        if self.refetches or task.config.ball:
            sizes = [1] * task.heads
        ends = list(accumulate(sizes))
        self._passes = [self._pass(slice(end - size, end)) for size, end in zip(sizes, ends)]
        self._goes_on = False  # whether the backend holds the model that the next epoch begins with

    def _pass(self, part: slice) -> _Pass:
        task, heads = self._task, part.stop - part.start
        labels: npt.NDArray[np.int16] = task.labels[:, part.start] if heads == 1 else task.labels[:, part]
        together = task.numbers is not None and heads == task.heads > 1
        if together and task.numbers is not None:  # a class's number rather than a label for each head
            labels = task.numbers
        return _Pass(part, replace(task.config, heads=heads, one_against_all=together), labels)

    def epoch(
        self, number: int, words: _Int, step: int, progress: Callable[[int], None] = lambda samples: None
    ) -> tuple[HeadEpoch, _Int]:
        """Train all heads on an epoch.

        Parameters
        ----------
        number : int
            The epoch, counted from 0, which determines the order, the up bits and the seeds.
        words : _Int of shape (heads, features)
            The models to begin with. After the first call they must be those that the last call returned.
        step : int
            Index of the step among the steps of the task.
        progress : callable
            Called with the number of samples that have been taken so far, averaged over the passes.

        Returns
        -------
        tuple of HeadEpoch and _Int
            Loss and counts of the epoch, and the models after it.
        """
        task, backend = self._task, self._backend
        size = task.step(step, backend.build)
        count = again = 0
        total = EpochResult(0, 0, 0, 0, 0, 0, 0)
        words = words.copy()
        for turn, part in enumerate(self._passes):
            config = part.config
            samples = task.samples(number, part.labels)
            count = samples.order.size
            model = words[part.heads].reshape(config.model_shape())
            seed, told = task.options.seed, partial(self._progress, progress, turn, count)
            twice = 0
            if self.refetches:
                fetched = epoch_with_refetching(backend, config, samples, model, seed, number, size, told)
                result, model, twice = fetched.result, fetched.model, fetched.again
            else:
                if not self._goes_on:
                    backend.begin(config, model, seed, number)
                result = backend.epoch(samples, size, told)
                model = backend.model()
                self._goes_on = len(self._passes) == 1
            words[part.heads] = model.reshape(config.heads, config.features)
            total += result
            again += twice
        loss = total.loss_sum * task.config.loss_unit(backend.build) / (count * len(words))
        return HeadEpoch(loss, count, total, again), words

    def _progress(self, progress: Callable[[int], None], turn: int, samples: int, done: int) -> None:
        progress((turn * samples + done) // len(self._passes))
