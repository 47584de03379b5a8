"""Models that are trained side by side on the same rows: one for each class or output."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend
from zipsgd.data import Scaling, Table
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import LABEL_BITS
from zipsgd.training import Options, Task, prepare

__all__ = ["HeadEpoch", "Heads", "prepare_heads", "translate"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeadEpoch:
    """An epoch of all heads.

    ``loss``: shape (heads,), mean squared residual while training, in units of the targets. ``flags``: places where values were
    saturated, by any head. ``samples``: of the epoch. ``sample_bits``: that went to the device.
    """

    loss: _Float
    flags: int
    samples: int
    sample_bits: int


def prepare_heads(table: Table, targets: _Float, scalings: Sequence[Scaling], options: Options) -> list[Task]:
    """A task for each column of ``targets``, shape (rows, heads); features are scaled once for all of them."""
    first = prepare(table, options, scaling=scalings[0])
    return [
        replace(first, scaling=scaling, labels=scaling.labels(target))
        for scaling, target in zip(scalings, targets.T, strict=True)
    ]


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

    Heads share order, up bits and seeds. They take turns on a device: every epoch begins from a model, a seed and its number
    alone, so that the bits are those of as many runs.

    Parameters
    ----------
    tasks : of :func:`prepare_heads`.
    words : shape (heads, features), models to start from.
    backend : open, of a build that can do the tasks.
    """

    def __init__(self, tasks: Sequence[Task], words: _Int, backend: Backend) -> None:
        self._tasks = tasks
        self._backend = backend
        self.words = words.copy()

    def step_size(self, step: Step) -> float:
        """Of a step, for features in [-1, 1], as the device rounded it."""
        task = self._tasks[0]
        return step.value * task.config.batch * task.scale**2

    def epoch(self, number: int, step: Step, order: _Int | None = None) -> HeadEpoch:
        """Train all heads on epoch ``number``, in its order or another one."""
        build = self._backend.build
        loss = np.empty(len(self._tasks))
        flags = bits = count = 0
        for head, task in enumerate(self._tasks):
            samples = task.samples(number, order)
            count = samples.order.size
            self._backend.begin(task.config, self.words[head], task.options.seed, number)
            result = self._backend.epoch(samples, step, lambda done: None)
            self.words[head] = self._backend.model()
            mean = result.loss_sum * 2.0 ** (-2 * build.residual_frac) / count
            loss[head] = mean * task.scaling.label_spread**2
            flags |= result.flags
            if result.sample_bytes is None:
                bits += count * (task.config.features * (task.config.p + task.config.m) + LABEL_BITS)
            else:
                bits += 8 * result.sample_bytes
        return HeadEpoch(loss, flags, count, bits)
