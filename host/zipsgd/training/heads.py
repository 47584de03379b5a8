"""Models that are trained side by side on the same rows: one for each class or output."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, EpochResult, build_for
from zipsgd.data import Scaling
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_BITS, MOST_FEATURES, MOST_HEADS
from zipsgd.protocol.run import Refetch
from zipsgd.training import Task
from zipsgd.training.refetching import epoch_with_refetching

__all__ = ["HeadEpoch", "Heads", "build_of", "translate"]

_Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeadEpoch:
    """An epoch of all heads.

    ``loss``: mean while training, of scaled targets and over heads. ``samples``: of the epoch. ``sample_bits``: that went to
    the device. ``result``: what the backend says of all heads together. ``again``: samples that they fetched again.
    """

    loss: float
    samples: int
    sample_bits: int
    result: EpochResult
    again: int


def build_of(task: Task, models: int, **described: Any) -> Build:
    """A build to emulate or simulate that can do the task, and takes as many of the models as builds can in one pass.

    ``described``: what is to be otherwise, or beyond what the task takes: of :func:`zipsgd.backends.build_for`.
    """
    config = task.config
    if config.refetch or config.ball:  # for one model at a time
        described.setdefault("heads", 1)
    if "heads" not in described:
        one = build_for(config.features, **described)
        room = described.get("max_features", MOST_FEATURES) // (one.chunks(config.features) * one.lanes)
        described["heads"] = max(1, min(models, MOST_HEADS, room))
    return build_for(config.features, **{**task.parts, **described})


def translate(words: _Int, unit: float, old: Scaling, new: Scaling, new_unit: float, limit: int) -> _Int:
    """A model's words for another scaling, or a device of another precision; as they are where nothing changes.

    ``unit``: of a word, in scaled units. ``limit``: what a new word stays below.
    """
    same = unit == new_unit and all(
        np.array_equal(a, b) for a, b in zip(vars(old).values(), vars(new).values())
    )
    if same:
        return words
    moved = np.rint(new.model(*old.coefficients(words * np.float64(unit))) / new_unit)
    return np.clip(moved, -limit, limit - 1).astype(np.int64)


class Heads:
    """All heads on one open backend, an epoch at a time.

    As many as its build holds are trained in one pass over the rows, and the rest take turns. The bits are the same: all heads
    share order, up bits and seeds, and every epoch begins from a model, a seed and its number alone.

    Parameters
    ----------
    task : of the rows, with one head.
    labels : int16, shape (rows, heads).
    words : shape (heads, features), models to start from.
    backend : open, of a build that can do the task.
    classes : int16, shape (rows,): the head whose class a row is, where the labels say no more than that. Or None.
    """

    def __init__(
        self,
        task: Task,
        labels: npt.NDArray[np.int16],
        words: _Int,
        backend: Backend,
        classes: npt.NDArray[np.int16] | None = None,
    ) -> None:
        self._backend = backend
        self.words = words.copy()
        count, features = words.shape
        build = backend.build
        size = max(1, min(count, build.heads, build.max_chunks // build.chunks(features)))
        self.refetches = task.config.refetch != Refetch.NEVER
        if self.refetches or task.config.ball:
            size = 1
        self._passes: list[tuple[slice, Task]] = []
        for start in range(0, count, size):
            part = slice(start, min(start + size, count))
            heads = part.stop - start
            own: npt.NDArray[np.int16] = labels[:, start] if heads == 1 else labels[:, part]
            together = classes is not None and heads == count > 1
            if together and classes is not None:  # a number rather than a label for each head
                own = classes
            config = replace(task.config, heads=heads, one_against_all=together)
            self._passes.append((part, replace(task, labels=own, config=config)))

    def epoch(
        self,
        number: int,
        step: Step,
        order: _Int | None = None,
        progress: Callable[[int], None] = lambda samples: None,
    ) -> HeadEpoch:
        """Train all heads on epoch ``number``, in its order or another one.

        ``progress``: told how many of its samples have gone in; where heads take turns, in the mean over them.
        """
        bits = count = again = 0
        total = EpochResult(0, 0, 0, 0, 0, 0, 0)
        for turn, (part, task) in enumerate(self._passes):
            config = task.config
            samples = task.samples(number, order)
            count = samples.order.size
            model = self.words[part].reshape(config.model_shape())
            seed, told = task.options.seed, partial(self._progress, progress, turn, count)
            twice = 0
            if self.refetches:
                fetched = epoch_with_refetching(
                    self._backend, config, samples, model, seed, number, step, told
                )
                result, model, twice = fetched.result, fetched.model, fetched.again
            else:
                self._backend.begin(config, model, seed, number)
                result = self._backend.epoch(samples, step, told)
                model = self._backend.model()
            self.words[part] = model.reshape(config.heads, config.features)
            total += result
            again += twice
            if result.sample_bytes is None:
                labels = LABEL_BITS * config.labels
                bits += count * (config.features * (config.p + config.m) + labels)
                bits += twice * (config.features * (self._backend.build.p_max + config.m) + labels)
            else:
                bits += 8 * result.sample_bytes
        mean = total.loss_sum * config.loss_unit(self._backend.build) / (count * len(self.words))
        return HeadEpoch(mean, count, bits, total, again)

    def _progress(self, progress: Callable[[int], None], turn: int, samples: int, done: int) -> None:
        progress((turn * samples + done) // len(self._passes))
