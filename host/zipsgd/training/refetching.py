"""Refetching: samples of a hinge whose side of the margin is in doubt are used at more bits alone (ZipML, section 4.2).

A hinge's gradient jumps at the margin, and a sample that quantisation moves over it would count, or not count, wrongly. So the
device compares each sample's distance to the margin with a bound on what quantisation may have done, leaves those in doubt out
of the mini-batch, and lists them. They come again behind the others, at the most base planes that there are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.backends.base import Backend, EpochResult, EpochSamples
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Refetch

__all__ = ["FetchedEpoch", "epoch_with_refetching", "samples_at_once"]

_Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FetchedEpoch:
    """``result``: of all parts of the epoch together; ``model``: after it; ``again``: samples that came again."""

    result: EpochResult
    model: _Int
    again: int


def samples_at_once(config: RunConfig, build: Build, samples: int) -> int:
    """Of an epoch of so many, how many the device takes in one part: all, unless it has to list them."""
    return min(samples, build.refetch) if config.refetch else samples


def epoch_with_refetching(
    backend: Backend,
    config: RunConfig,
    samples: EpochSamples,
    model: _Int,
    seed: int,
    number: int,
    step: Step,
    progress: Callable[[int], None] = lambda samples: None,
) -> FetchedEpoch:
    """Train on epoch ``number`` from ``model``, in parts of as many samples as the device lists.

    Each part is trained on without the samples in doubt, and then on those alone, at p_max base planes. A part has seeds of its
    own, so that an epoch's bits depend on the size of the list.
    """
    build = backend.build
    finer = replace(config, p=build.p_max, refetch=Refetch.NEVER)
    total = EpochResult(0, 0, 0, 0, 0, 0, 0)
    again = 0

    def train(run: RunConfig, order: _Int, part: int, before: int, told: bool) -> EpochResult:
        backend.begin(run, model, seed, number + (part << 32))
        taken = replace(samples, order=order)
        return backend.epoch(taken, step, lambda count: progress(before + (count if told else 0)))

    size = samples_at_once(config, build, samples.order.size)
    for part, start in enumerate(range(0, samples.order.size, size)):
        order = samples.order[start : start + size]
        done = train(config, order, 2 * part, start, True)
        model = backend.model()
        assert done.doubts is not None
        doubtful = order[done.doubts]
        total += done
        again += doubtful.size
        if doubtful.size:
            total += train(finer, doubtful, 2 * part + 1, start + order.size, False)
            model = backend.model()
    return FetchedEpoch(total, model, again)
