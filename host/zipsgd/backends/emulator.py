"""The emulator as a backend."""

import numpy as np
import numpy.typing as npt

from zipsgd.emulator import Emulator
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.run import RunConfig

from .base import EpochResult, EpochSamples, Progress

__all__ = ["EmulatorBackend"]

_BLOCK_VALUES = 1 << 24
"""Values between two reports of progress, and chances for Ctrl-C."""


class EmulatorBackend:
    """The compiled emulator: the device's bits at many times its speed."""

    name = "emulator"

    def __init__(self, build: Build) -> None:
        self.build = build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        config.check(self.build)
        self._epoch = epoch
        self._emulator = Emulator(
            self.build,
            model,
            seed=seed,
            batch=config.batch,
            one_sided=config.one_sided,
            levels=config.levels,
        )

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        self._emulator.start_epoch(self._epoch)
        self._epoch += 1
        loss = 0
        batch = self._emulator.batch
        size = max(1, _BLOCK_VALUES // samples.values.shape[1] // batch) * batch  # whole mini-batches
        for start in range(0, samples.order.size, size):
            loss += self._emulator.epoch_rows(
                samples.values,
                samples.labels,
                samples.order[start : start + size],
                samples.p,
                samples.m,
                seed=samples.seed,
                epoch=samples.epoch,
                step=step,
            )
            progress(min(start + size, samples.order.size))
        return EpochResult(loss, self._emulator.flags)

    def model(self) -> npt.NDArray[np.int64]:
        return self._emulator.master

    def close(self) -> None:
        pass
