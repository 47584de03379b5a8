"""The backend for devices: a board on a port, or the virtual board."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from zipsgd.driver import Device, DeviceReset, EpochCounts, EpochPlan, StoreFault, Write, count_on, schedules
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.order import BlockWindow
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build

from .base import EpochByEpoch, EpochResult, EpochSamples, Progress, Stored
from .run_tag import run_tag
from .store_contents import StoreContents

__all__ = ["DeviceBackend"]

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_MOST_RESTARTS = 8
"""How often an epoch is repeated before the run fails."""
_BLOCK_VALUES = 1 << 15
"""Values that are packed at a time: few enough that the device's receive buffer does not run empty meanwhile."""


def _result(counts: EpochCounts, sample_bytes: int, link_bytes: int) -> EpochResult:
    """What a device has counted, and what was sent to it."""
    return EpochResult(
        loss_sum=counts.loss,
        flags=counts.flags,
        cycles=counts.cycles,
        plane_cycles=counts.plane_cycles,
        sample_bytes=sample_bytes,
        link_bytes=link_bytes,
        starved_cycles=counts.starved_cycles,
        doubts=counts.doubts,
        scores=counts.scores,
    )


class DeviceBackend(EpochByEpoch):
    """Streams quantised samples to a device, or keeps them in its store.

    If the device is reset during an epoch, or its store does not give back what was loaded, the device gets the model from the
    beginning of the epoch, and the epoch is repeated. The result has the same bits as without that.

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

    Attributes
    ----------
    restarts : int
        How often an epoch, or a turn of several, was begun again.
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
        self._contents = StoreContents(device, progress)
        self.restarts = 0

    @property
    def build(self) -> Build:
        """Build: The build on the device."""
        return self.device.build

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        """Begin a run, see :meth:`zipsgd.backends.Backend.begin`."""
        self._config, self._model = config, model.copy()
        self._seed, self._epoch = seed, epoch
        config.check(self.build)
        self._begun = False  # only once it is clear that the device has not done the work already

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """Train on one epoch, see :meth:`zipsgd.backends.Backend.epoch`."""
        stored = samples.stored
        self._with_restarts(self._ensure_begun)
        before = self.device.link.counts.sent
        _log.debug("%s: epoch %d, %d samples", self.name, self._epoch + 1, samples.order.size)
        bytes_before = self.device.link.counts.samples
        run = self._streaming(samples, step, progress)
        if stored is not None and self._contents.fits(stored, self._config):
            run = partial(self._resident, samples, stored, step, progress)
        counts, self._model = self._with_restarts(run)
        self._epoch += 1
        sent = (self.device.link.counts.samples - bytes_before, self.device.link.counts.sent - before)
        return _result(counts, *sent)

    def _resident(
        self, samples: EpochSamples, stored: Stored, step: Step, progress: Progress
    ) -> tuple[EpochCounts, npt.NDArray[np.int64]]:
        """Train on the samples of the store, after they have been loaded if they are not there."""
        layout, check = self._contents.ensure(samples, stored, self._config)
        plan = EpochPlan(step, seed_words(self._seed, self._epoch, self.build.update_lanes), stored.order)
        if isinstance(stored.order, BlockWindow):
            check = self._contents.check_of(stored.order)
            part = self.device.run_window(layout, stored.order, check, plan, samples.order.size)
            progress(samples.order.size)
            return part, self._model if step.still else self.device.model()
        counts, model = self.device.run(layout, check, [plan], progress=progress)
        return counts[0], model

    def _streaming(
        self, samples: EpochSamples, step: Step, progress: Progress
    ) -> Callable[[], tuple[EpochCounts, npt.NDArray[np.int64]]]:
        """A function that trains on the samples as they come over the link."""
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

        return run

    def epochs(
        self, samples: Sequence[EpochSamples], steps: Sequence[Step], progress: Progress
    ) -> list[EpochResult]:
        """Train on several epochs, see :meth:`zipsgd.backends.Backend.epochs`."""
        stored = [part.stored for part in samples if part.stored is not None]
        if len(stored) < len(samples) or not self._contents.fits(stored[0], self._config):
            return super().epochs(samples, steps, progress)
        plans = [
            EpochPlan(step, seed_words(self._seed, self._epoch + i, self.build.update_lanes), part.order)
            for i, (step, part) in enumerate(zip(steps, stored, strict=True))
        ]
        bytes_before, before = self.device.link.counts.samples, self.device.link.counts.sent
        layout, _ = self._contents.prepare(samples[0], stored[0], self._config)
        counts: list[EpochCounts] = []
        turns = list(schedules(plans, layout.rows, layout.block_bursts, self.build))
        if len(turns) > 1:
            self._progress(
                f"the board's schedule has room for {turns[0][0]} of the {len(plans)} epochs: the computer is needed in between"
            )
        for epochs, writes in turns:
            done = len(counts) * layout.rows
            run = partial(
                self._play, samples[0], stored[0], epochs, writes, partial(count_on, progress, done)
            )
            more, self._model = self._with_restarts(run)
            counts += more
            self._epoch += epochs
        sent = (self.device.link.counts.samples - bytes_before, self.device.link.counts.sent - before)
        return [_result(one, *(sent if one is counts[0] else (0, 0))) for one in counts]

    def _play(
        self,
        samples: EpochSamples,
        stored: Stored,
        epochs: int,
        writes: Sequence[Write],
        progress: Progress,
    ) -> tuple[list[EpochCounts], npt.NDArray[np.int64]]:
        """Let the device run epochs on its own, or fetch their results if it has begun the same run before."""
        layout, check = self._contents.prepare(samples, stored, self._config)
        tag = run_tag(self._config, self._model, layout, check, writes)
        if self.device.tag == tag:
            self._progress("the board has begun this run before: fetching its results")
            self.device.expect(self._config)
        else:
            self._ensure_begun()
            self._contents.ensure(samples, stored, self._config)
            self.device.start(layout, epochs, writes, tag)
            self._progress(
                f"the board runs {epochs} epochs on its own: the same command, given again, fetches the results"
            )
        counts = self.device.collect(layout, check, epochs, progress)
        model = self.device.model()
        self.device.write_registers({"run_tag": 0})
        self._begun = True
        return counts, model

    def _ensure_begun(self) -> None:
        if not self._begun:
            self._begin()

    def _begin(self) -> None:
        self.device.begin(self._model, self._config)
        self.device.counts()  # when it has arrived
        self._begun = True

    def _with_restarts(self, work: Callable[[], _T]) -> _T:
        """Do ``work``; after a reset of the device, or a fault of its store, repeat it from the beginning of the epoch."""
        reset = False
        for attempt in range(_MOST_RESTARTS + 1):
            try:
                if attempt:
                    self.restarts += 1
                    self._contents.forget()
                    if reset:
                        self.device.restart()
                    self._begin()
                return work()
            except (DeviceReset, StoreFault) as error:
                if attempt == _MOST_RESTARTS:
                    raise
                reset = isinstance(error, DeviceReset)
                self._progress(f"{error}; beginning epoch {self._epoch + 1} again")
        raise AssertionError

    def model(self) -> npt.NDArray[np.int64]:
        """The current model, see :meth:`zipsgd.backends.Backend.model`."""
        return self._model.copy()

    def close(self) -> None:
        """Close the device, and then what belongs to it, such as the virtual board."""
        self.device.close()
        self._resources.close()
