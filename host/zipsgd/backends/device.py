"""A device as a backend: a board on a port, or the virtual board."""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from zipsgd.driver import Device
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build

from .base import EpochResult, EpochSamples, Progress, RunConfig

__all__ = ["DeviceBackend"]

_BLOCK_VALUES = 1 << 15
"""Values quantised at a time: done before a receive buffer runs dry."""


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

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int) -> None:
        self.device.begin(
            model,
            seed_words(seed, self.build.update_lanes),
            p=config.p,
            m=config.m,
            batch=config.batch,
            one_sided=config.one_sided,
        )
        self._features = config.features
        self._flags = self.device.counts().flags

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        def parts() -> Iterator[bytes]:
            done = 0
            for codes in samples.blocks(max(16, min(512, _BLOCK_VALUES // self._features))):
                yield weave(codes, self.build.lanes).tobytes()
                done += codes.labels.size
                progress(done)

        before = self.device.link.counts.sent
        bytes_before = self.device.link.counts.samples
        counts = self.device.run_epoch(samples.order.size, parts(), step=(step.mantissa, step.exponent))
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
