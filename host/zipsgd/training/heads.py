"""Heads: models that are trained side by side on the same rows, one for each class or output."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, Distributed, EpochResult
from zipsgd.driver import count_on
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.samples import heads_of_passes

from .refetching import epoch_with_refetching
from .rounding_loss import rounding_loss
from .task import Task

__all__ = ["HeadEpoch", "Heads"]

_log = logging.getLogger(__name__)

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
    ahead : _Int of shape (heads, features) or None
        The models that the next epoch begins from, see :class:`zipsgd.backends.Distributed`; None for those after this one.
    """

    loss: float
    samples: int
    result: EpochResult
    again: int
    ahead: _Int | None = None


@dataclass(frozen=True)
class _Pass:
    """Heads that are trained in one pass over the rows."""

    heads: slice
    config: RunConfig


def _labels(task: Task, part: _Pass) -> npt.NDArray[np.int16]:
    """The labels that the device takes in a pass."""
    if part.config.one_against_all and task.numbers is not None:
        return task.numbers
    return task.labels[:, part.heads.start] if part.config.heads == 1 else task.labels[:, part.heads]


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
        self._backend = backend
        self.refetches = bool(task.config.refetch)
        sizes = heads_of_passes(backend.build, task.config.features, task.heads)
        if self.refetches or task.config.ball:
            sizes = [1] * task.heads
        ends = list(accumulate(sizes))
        self._parts = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        if task.options.resident and len(self._parts) > 1:
            _log.info(
                "the samples are streamed in each epoch, as the %d models take %d passes on this build",
                task.heads,
                len(self._parts),
            )
        self._begin_task(task)

    def _begin_task(self, task: Task) -> None:
        self._task = task
        self._passes = [_Pass(part, task.config_of(part.stop - part.start)) for part in self._parts]
        # The models that the backend holds, those that it begins from, and the epoch that it begins next
        self._held: tuple[_Int, _Int, int] | None = None

    @property
    def build(self) -> Build:
        """Build: The build of the backend."""
        return self._backend.build

    def go_on(self, task: Task) -> None:
        """Go on with other rows, such as the next ones of a stream, or with another precision.

        Parameters
        ----------
        task : Task
            Rows, steps and configuration. The numbers of heads and of features must be those of the task before. If the
            configuration is the same object, the backend is not told anew.
        """
        if task.config is self._task.config:
            self._task = task
        else:
            self._begin_task(task)

    def epoch(
        self,
        number: int,
        words: _Int,
        step: int,
        progress: Callable[[int], None] = lambda samples: None,
        ahead: _Int | None = None,
    ) -> tuple[HeadEpoch, _Int]:
        """Train all heads on an epoch.

        Parameters
        ----------
        number : int
            The epoch, counted from 0, which determines the order, the up bits and the seeds.
        words : _Int of shape (heads, features)
            The models after the epoch before.
        step : int
            Index of the step among the steps of the task.
        progress : callable
            Called with the number of samples that have been taken so far, averaged over the passes.
        ahead : _Int of shape (heads, features) or None
            The models to begin from, as the epoch before said; None for ``words``.

        Returns
        -------
        tuple of HeadEpoch and _Int
            Loss and counts of the epoch, and the models after it.
        """
        task, backend = self._task, self._backend
        size = task.step(step, backend.build, number)
        count = again = 0
        total = EpochResult(0, 0, 0, 0, 0, 0, 0)
        before = words if ahead is None else ahead
        words, further = words.copy(), list[_Int]()
        for turn, part in enumerate(self._passes):
            config = part.config
            samples = task.samples(number, _labels(task, part), passes=len(self._passes))
            count = samples.order.size
            model = words[part.heads].reshape(config.model_shape())
            seed, told = task.options.seed, partial(self._progress, progress, turn, count)
            twice = 0
            if self.refetches:
                fetched = epoch_with_refetching(backend, config, samples, model, seed, number, size, told)
                result, model, twice = fetched.result, fetched.model, fetched.again
            else:
                self._begin(config, words, before, number, part.heads)
                result = backend.epoch(samples, size, told)
                model = backend.model()
                further += self._ahead()
            words[part.heads] = model.reshape(config.heads, config.features)
            total += result
            again += twice
        ahead = np.concatenate(further) if further else None
        if len(self._passes) == 1 and not self.refetches:
            self._hold(words, ahead, number + 1)
        return self._epoch(total, count, again, before, words, ahead), words

    def epochs(
        self,
        number: int,
        words: _Int,
        steps: Sequence[int],
        progress: Callable[[int], None],
        ahead: _Int | None = None,
    ) -> tuple[list[HeadEpoch], _Int]:
        """Train all heads on several epochs, by a backend that goes from one to the next on its own.

        Parameters
        ----------
        number : int
            The first epoch, counted from 0.
        words : _Int of shape (heads, features)
            The models after the epoch before.
        steps : sequence of int
            Index of each epoch's step among the steps of the task.
        progress : callable
            Called with the number of samples of all epochs that have been taken so far.
        ahead : _Int of shape (heads, features) or None
            As of :meth:`epoch`.

        Returns
        -------
        tuple of list of HeadEpoch and _Int
            Loss and counts of each epoch, and the models after the last one. As the models between them are not known, the loss
            of one draw is corrected by the last model from the second epoch on.
        """
        if len(steps) == 1 or len(self._passes) > 1:
            done: list[HeadEpoch] = []
            for index, step in enumerate(steps):
                told = partial(count_on, progress, sum(epoch.samples for epoch in done))
                one, words = self.epoch(number + index, words, step, told, ahead)
                ahead = one.ahead
                done.append(one)
            return done, words
        task, backend, part = self._task, self._backend, self._passes[0]
        samples = [task.samples(number + i, _labels(task, part)) for i in range(len(steps))]
        sizes = [task.step(step, backend.build, number + i) for i, step in enumerate(steps)]
        before = words if ahead is None else ahead
        self._begin(part.config, words, before, number, part.heads)
        results = backend.epochs(samples, sizes, progress)
        after, ahead = backend.model().reshape(words.shape), next(iter(self._ahead()), None)
        self._hold(after, ahead, number + len(steps))
        return [
            self._epoch(result, part.order.size, 0, before if index == 0 else after, after, ahead)
            for index, (result, part) in enumerate(zip(results, samples, strict=True))
        ], after

    def _epoch(
        self, result: EpochResult, count: int, again: int, before: _Int, after: _Int, ahead: _Int | None
    ) -> HeadEpoch:
        """The epoch of all heads, from the models before and after it."""
        task, build = self._task, self._backend.build
        loss = result.loss_sum * task.config.loss_unit(build) / (count * len(after))
        loss -= rounding_loss(task, before, after, build)
        return HeadEpoch(loss, count, result, again, ahead)

    def _begin(self, config: RunConfig, words: _Int, start: _Int, number: int, heads: slice) -> None:
        """Have the backend begin an epoch with these heads, unless it holds just their models."""
        held, self._held = self._held, None
        if (
            held is not None
            and number == held[2]
            and np.array_equal(words, held[0])
            and np.array_equal(start, held[1])
        ):
            return
        seed = self._task.options.seed
        self._backend.begin(config, words[heads].reshape(config.model_shape()), seed, number)
        if isinstance(self._backend, Distributed):
            self._backend.begin_ahead(start[heads])

    def _hold(self, words: _Int, ahead: _Int | None, number: int) -> None:
        """Remember what the backend holds."""
        self._held = words.copy(), words.copy() if ahead is None else ahead, number

    def _ahead(self) -> list[_Int]:
        """The models that the backend begins the next epoch from, if they are others than those after the last one."""
        ahead = self._backend.ahead() if isinstance(self._backend, Distributed) else None
        return [] if ahead is None else [ahead]

    def _progress(self, progress: Callable[[int], None], turn: int, samples: int, done: int) -> None:
        progress((turn * samples + done) // len(self._passes))
