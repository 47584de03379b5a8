"""The backend for the golden model."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.protocol.formats import Build

from .base import EpochByEpoch, EpochResult, EpochSamples, Progress

__all__ = ["GoldenBackend"]

_BLOCK = 512
"""Least number of samples between two reports of progress."""


class GoldenBackend(EpochByEpoch):
    """The golden model in NumPy, see :mod:`zipsgd.golden`.

    Parameters
    ----------
    build : Build
        The build whose arithmetic is computed.
    """

    name = "golden"

    def __init__(self, build: Build) -> None:
        self.build = build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        """Begin a run, see :meth:`zipsgd.backends.Backend.begin`."""
        config.check(self.build)
        self._config = config
        self._epoch = epoch
        self._trainer = GoldenTrainer(self.build, model, config, seed=seed, epoch=epoch)

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """Train on one epoch, see :meth:`zipsgd.backends.Backend.epoch`."""
        self._trainer.start_epoch(self._epoch)
        sent = samples.sent_bytes(self._config, self.build, self._epoch)
        self._epoch += 1
        loss = done = 0
        batch = self._config.batch
        for codes in samples.blocks(self._config, -(-_BLOCK // batch) * batch):  # whole mini-batches
            loss += self._trainer.epoch(codes, step)
            done += len(codes.labels)
            progress(done)
        doubts = np.array(self._trainer.doubts, dtype=np.bool_) if self._config.refetch else None
        scores = np.concatenate(self._trainer.scores) if self._config.scored else None
        return EpochResult(loss, self._trainer.flags, sent, doubts=doubts, scores=scores)

    def model(self) -> npt.NDArray[np.int64]:
        """The current model, see :meth:`zipsgd.backends.Backend.model`."""
        return self._trainer.master

    def close(self) -> None:
        """Does nothing: the golden model holds no resources."""
