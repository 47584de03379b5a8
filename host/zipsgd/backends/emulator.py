"""The emulator as a backend."""

import numpy as np
import numpy.typing as npt

from zipsgd.driver.device import check_limits
from zipsgd.emulator import Emulator
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build

from .base import EpochResult, EpochSamples, Progress, RunConfig

__all__ = ["EmulatorBackend"]


class EmulatorBackend:
    """The compiled emulator: the device's bits at many times its speed."""

    def __init__(self, build: Build) -> None:
        self.build = build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int) -> None:
        check_limits(self.build, config.features, config.p, config.m, config.batch)
        self._emulator = Emulator(
            self.build, model, seed=seed, batch=config.batch, one_sided=config.one_sided
        )

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        loss = self._emulator.epoch_rows(
            samples.values,
            samples.labels,
            samples.order,
            samples.p,
            samples.m,
            seed=samples.seed,
            epoch=samples.epoch,
            step=step,
        )
        progress(samples.order.size)
        return EpochResult(loss, self._emulator.flags)

    def model(self) -> npt.NDArray[np.int64]:
        return self._emulator.master

    def close(self) -> None:
        pass
