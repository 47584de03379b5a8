"""Refetching: with a hinge loss, samples that are too close to the margin are sent again with more bits (ZipML, section 4.2).

The gradient of a hinge jumps at the margin. If quantisation moves a sample across the margin, the sample counts wrongly, or
wrongly does not count. So the device compares each sample's distance to the margin with a bound on the quantisation error. It
leaves samples in doubt out of the mini-batch and lists them. The host sends them again after the others, with as many base
planes as the build allows.
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
    """An epoch with refetching.

    Parameters
    ----------
    result : EpochResult
        Loss, flags and counts of all parts of the epoch together.
    model : npt.NDArray[np.int64] of shape (features,)
        Words of the model after the epoch.
    again : int
        Number of samples that were sent again.
    """

    result: EpochResult
    model: _Int
    again: int


def samples_at_once(config: RunConfig, build: Build, samples: int) -> int:
    """How many samples of an epoch the device takes in one part.

    Parameters
    ----------
    config : RunConfig
        Configuration of the run.
    build : Build
        The device's build, which limits the list of samples in doubt.
    samples : int
        Samples of the epoch.

    Returns
    -------
    int
        All samples, or with refetching at most as many as the device can list.
    """
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
    """Train one epoch in parts, each as large as the device's list of samples in doubt.

    Each part is first trained without the samples in doubt, and then with these samples alone, at p_max base planes. Each part
    has its own seeds, so the bits of an epoch depend on the length of the list.

    Parameters
    ----------
    backend : Backend
        Open backend whose build supports the run.
    config : RunConfig
        Configuration of the run.
    samples : EpochSamples
        The samples of the epoch.
    model : npt.NDArray[np.int64] of shape (features,)
        Words of the model at the beginning.
    seed : int
        Seed of the run.
    number : int
        The epoch, counted from 0.
    step : Step
        Step size and proximal step.
    progress : callable
        Called with the number of samples that have been taken so far; samples sent again do not count.

    Returns
    -------
    FetchedEpoch
        Results and the model after the epoch.
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
