"""The backend for devices: a board on a port, or the virtual board."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from zipsgd.driver import Device, DeviceReset, EpochCounts
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build

from .base import EpochResult, EpochSamples, Progress

__all__ = ["DeviceBackend"]

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_MOST_RESTARTS = 8
"""How often an epoch is repeated before the run fails."""
_BLOCK_VALUES = 1 << 15
"""Values that are packed at a time: few enough that the device's receive buffer does not run empty meanwhile."""


class DeviceBackend:
    """Streams quantised samples to a device.

    If the device is reset during an epoch, it gets the model from the beginning of the epoch, and the epoch is repeated. The
    result has the same bits as without the reset.

    Parameters
    ----------
    device : Device
        The open device.
    resources : ExitStack or None
        Things to close after the device, such as the virtual board.
    name : str
        The name that the user chose it by; the device's URL if it is empty.
    progress : callable
        Called with a message when the device was reset.
    """

    def __init__(
        self,
        device: Device,
        resources: ExitStack | None = None,
        name: str = "",
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.device = device
        self._progress = progress
        self.name = name or device.link.url
        self._resources = resources or ExitStack()

    @property
    def build(self) -> Build:
        """Build: The build on the device."""
        return self.device.build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        """Begin a run, see :meth:`zipsgd.backends.Backend.begin`."""
        self._config, self._model = config, model.copy()
        self._seed, self._epoch = seed, epoch
        self._with_restarts(self._begin)

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """Train on one epoch, see :meth:`zipsgd.backends.Backend.epoch`."""
        size = max(16, min(512, _BLOCK_VALUES // self._config.features))

        def run() -> tuple[EpochCounts, npt.NDArray[np.int64]]:
            packed = samples.packed(self._config.layout(self.build), self._config.levels, size)
            # Prepare the first block before the epoch begins, because compiling or a slow disk may take a while
            first = list(islice(packed, 1))

            def parts() -> Iterator[bytes]:
                done = 0
                for part in chain(first, packed):
                    yield part.tobytes()
                    done += len(part)
                    progress(done)

            return self.device.run_epoch(
                samples.order.size,
                parts(),
                step=step,
                seeds=seed_words(self._seed, self._epoch, self.build.update_lanes),
            )

        before = self.device.link.counts.sent
        _log.debug("%s: epoch %d, %d samples", self.name, self._epoch + 1, samples.order.size)
        bytes_before = self.device.link.counts.samples
        counts, self._model = self._with_restarts(run)
        self._epoch += 1
        return EpochResult(
            loss_sum=counts.loss,
            flags=counts.flags,
            cycles=counts.cycles,
            plane_cycles=counts.plane_cycles,
            sample_bytes=self.device.link.counts.samples - bytes_before,
            link_bytes=self.device.link.counts.sent - before,
            starved_cycles=counts.starved_cycles,
            doubts=counts.doubts,
        )

    def _begin(self) -> EpochCounts:
        self.device.begin(self._model, self._config)
        return self.device.counts()

    def _with_restarts(self, work: Callable[[], _T]) -> _T:
        """Do ``work``; after a reset of the device, repeat it from the beginning of the epoch."""
        for attempt in range(_MOST_RESTARTS + 1):
            try:
                if attempt:
                    self.device.restart()
                    self._begin()
                return work()
            except DeviceReset as error:
                if attempt == _MOST_RESTARTS:
                    raise
                self._progress(f"{error}; beginning epoch {self._epoch + 1} again")
        raise AssertionError

    def model(self) -> npt.NDArray[np.int64]:
        """The current model, see :meth:`zipsgd.backends.Backend.model`."""
        return self._model.copy()

    def close(self) -> None:
        """Close the device, and then what belongs to it, such as the virtual board."""
        self.device.close()
        self._resources.close()
