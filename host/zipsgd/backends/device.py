"""A device as a backend: a board on a port, or the virtual board."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import numpy as np
import numpy.typing as npt

from zipsgd.driver import Device
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.run import RunConfig

from .base import EpochResult, EpochSamples, Progress

__all__ = ["DeviceBackend"]

_BLOCK_VALUES = 1 << 15
"""Values packed at a time: done before a receive buffer runs dry."""


class DeviceBackend:
    """Streams quantised samples to a device.

    Parameters
    ----------
    device : open.
    resources : what to close behind it, such as the virtual board.
    name : what the user called it, by default the device's URL.
    """

    def __init__(self, device: Device, resources: ExitStack | None = None, name: str = "") -> None:
        self.device = device
        self.name = name or device.link.url
        self._resources = resources or ExitStack()
        self._flags = 0

    @property
    def build(self) -> Build:
        return self.device.build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        from zipsgd.packing import pack  # numba takes a second to import

        self.device.begin(model, config)
        self._seed, self._epoch = seed, epoch
        self._features = config.features
        self._flags = self.device.counts().flags
        self._pack = partial(pack, p=config.p, m=config.m, lanes=self.build.lanes, levels=config.levels)
        # Compile now, and not while the device waits for an epoch's first samples
        none = np.zeros((0, config.features), dtype=np.float32)
        self._pack(none, np.zeros(0, dtype=np.int16), seed=0, epoch=0, rows=np.arange(0))

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        size = max(16, min(512, _BLOCK_VALUES // self._features))

        def parts() -> Iterator[bytes]:
            for start in range(0, samples.order.size, size):
                rows = samples.order[start : start + size]
                yield self._pack(
                    samples.values[rows],
                    samples.labels[rows],
                    seed=samples.seed,
                    epoch=samples.epoch,
                    rows=rows,
                ).tobytes()
                progress(start + rows.size)

        before = self.device.link.counts.sent
        bytes_before = self.device.link.counts.samples
        counts = self.device.run_epoch(
            samples.order.size,
            parts(),
            step=(step.mantissa, step.exponent),
            seeds=seed_words(self._seed, self._epoch, self.build.update_lanes),
        )
        self._epoch += 1
        self._flags |= counts.flags
        return EpochResult(
            loss_sum=counts.loss,
            flags=self._flags,
            cycles=counts.cycles,
            plane_cycles=counts.plane_cycles,
            sample_bytes=self.device.link.counts.samples - bytes_before,
            link_bytes=self.device.link.counts.sent - before,
            starved_cycles=counts.starved_cycles,
        )

    def model(self) -> npt.NDArray[np.int64]:
        return self.device.read_model(self._features)

    def close(self) -> None:
        self.device.close()
        self._resources.close()
