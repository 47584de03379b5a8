"""A virtual board that is reset while it trains."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochResult, EpochSamples, RunConfig
from zipsgd.backends.base import Progress
from zipsgd.backends.device import DeviceBackend
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build

from .board import VirtualBoard

__all__ = ["ResetInEpochs"]


class ResetInEpochs:
    """A backend that pulls the board's reset pin once in each epoch, after the first block of its samples.

    Of several epochs that the device runs on its own, it does so once.

    Parameters
    ----------
    device : DeviceBackend
        The backend that drives the board; it must begin such epochs again.
    board : VirtualBoard
        The board.

    Attributes
    ----------
    name : str
        Name of the backend.
    resets : int
        Number of resets so far.
    """

    def __init__(self, device: DeviceBackend, board: VirtualBoard) -> None:
        self._device, self._board = device, board
        self.name = f"{device.name}, reset in each epoch"
        self.resets = 0

    @property
    def build(self) -> Build:
        """The device's build."""
        return self._device.build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        """See :meth:`zipsgd.backends.Backend.begin`."""
        self._device.begin(config, model, seed, epoch)

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """See :meth:`zipsgd.backends.Backend.epoch`."""
        return self._device.epoch(samples, step, self._once(progress))

    def epochs(
        self, samples: Sequence[EpochSamples], steps: Sequence[Step], progress: Progress
    ) -> list[EpochResult]:
        """See :meth:`zipsgd.backends.Backend.epochs`."""
        return self._device.epochs(samples, steps, self._once(progress))

    def _once(self, progress: Progress) -> Progress:
        """``progress`` that resets the board when it is first called."""
        before = self.resets

        def told(done: int) -> None:
            if self.resets == before:
                self._board.reset()
                self.resets += 1
            progress(done)

        return told

    def model(self) -> npt.NDArray[np.int64]:
        """See :meth:`zipsgd.backends.Backend.model`."""
        return self._device.model()

    def close(self) -> None:
        """See :meth:`zipsgd.backends.Backend.close`."""
        self._device.close()
