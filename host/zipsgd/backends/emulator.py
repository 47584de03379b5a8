"""The backend for the emulator."""

import logging
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import is_cached, keeps_code
from zipsgd.emulator import Emulator
from zipsgd.emulator.epochs import epoch_rows
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.packing import unpack
from zipsgd.protocol.formats import Build

from .base import EpochByEpoch, EpochResult, EpochSamples, Progress

_log = logging.getLogger(__name__)

__all__ = ["EmulatorBackend"]

_BLOCK_VALUES = 1 << 24
"""Values between two reports of progress. Ctrl-C takes effect only in between."""
_CODES = 1 << 18
"""Values that are unpacked at a time: few enough for the second-level cache."""
_LANES = 64
"""Lanes of samples that are packed for the emulator."""


class EmulatorBackend(EpochByEpoch):
    """The compiled emulator, which gives the device's bits much faster than the simulated gateware.

    Parameters
    ----------
    build : Build
        The build to emulate.
    """

    name = "emulator"

    def __init__(self, build: Build) -> None:
        self.build = build
        if not is_cached(epoch_rows):
            often = (
                "once"
                if keeps_code(epoch_rows)
                else "in each process, as no folder for a cache can be written"
            )
            _log.info("compiling the emulator; this takes some seconds, %s", often)

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        """Begin a run, see :meth:`zipsgd.backends.Backend.begin`."""
        config.check(self.build)
        self._config = config
        self._epoch = epoch
        previous = getattr(self, "_emulator", None)
        self._emulator = Emulator(self.build, model, config, seed=seed, epoch=epoch)
        if (
            previous is not None
        ):  # consecutive runs usually train on the same values, for another head or the next epoch
            self._emulator.adopt(previous)

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """Train on one epoch, see :meth:`zipsgd.backends.Backend.epoch`."""
        self._emulator.start_epoch(self._epoch)
        sent = samples.sent_bytes(self._config, self.build, self._epoch)
        self._epoch += 1
        loss = done = 0
        layout = self._config.layout(self.build)
        if samples.keep is not None or not isinstance(samples.values, np.ndarray):
            wide = replace(layout, lanes=_LANES)
            size = self._whole_batches(_CODES, layout.features)
            for part in samples.packed(wide, self._config.levels, size):
                loss += self._emulator.epoch_codes(unpack(part, wide), step)
                done += len(part)
                progress(done)
            return self._result(loss, sent)
        samples.check(self._config)
        if samples.fixed is not None:
            self._emulator.keep_in(samples.fixed)
        size = self._whole_batches(_BLOCK_VALUES, samples.values.shape[1])
        for start in range(0, samples.order.size, size):
            loss += self._emulator.epoch_rows(
                samples.values,
                samples.labels,
                samples.order[start : start + size],
                seed=samples.seed,
                epoch=samples.epoch,
                step=step,
            )
            progress(min(start + size, samples.order.size))
        return self._result(loss, sent)

    def _result(self, loss: int, sent: int) -> EpochResult:
        emulator = self._emulator
        return EpochResult(loss, emulator.flags, sent, doubts=emulator.doubts, scores=emulator.scores)

    def _whole_batches(self, values: int, features: int) -> int:
        """Number of samples that have about ``values`` values and form whole mini-batches."""
        batch = self._config.batch
        return max(1, values // features // batch) * batch

    def model(self) -> npt.NDArray[np.int64]:
        """The current model, see :meth:`zipsgd.backends.Backend.model`."""
        return self._emulator.master

    def close(self) -> None:
        """Does nothing: the emulator holds no resources."""
