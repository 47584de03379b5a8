"""The golden model as a backend."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Refetch

from .base import EpochResult, EpochSamples, Progress

__all__ = ["GoldenBackend"]

_BLOCK = 512
"""Samples between two reports of progress, at least."""


class GoldenBackend:
    """NumPy, as it is written in :mod:`zipsgd.golden`."""

    name = "golden"

    def __init__(self, build: Build) -> None:
        self.build = build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        config.check(self.build)
        self._lists = config.refetch != Refetch.NEVER
        self._epoch = epoch
        self._trainer = GoldenTrainer(
            self.build,
            model,
            seed=seed,
            batch=config.batch,
            one_sided=config.one_sided,
            levels=config.levels,
            loss=config.loss,
            polynomial=config.polynomial,
            refetch=config.refetch,
            one_against_all=config.one_against_all,
            epoch=epoch,
        )

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        self._trainer.start_epoch(self._epoch)
        self._epoch += 1
        loss = done = 0
        batch = self._trainer.batch
        for codes in samples.blocks(-(-_BLOCK // batch) * batch):  # whole mini-batches
            loss += self._trainer.epoch(codes, step)
            done += len(codes.labels)
            progress(done)
        doubts = np.array(self._trainer.doubts, dtype=np.bool_) if self._lists else None
        return EpochResult(loss, self._trainer.flags, doubts=doubts)

    def model(self) -> npt.NDArray[np.int64]:
        return self._trainer.master

    def close(self) -> None:
        pass
