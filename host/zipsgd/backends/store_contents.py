"""What is in a device's store."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor

import numpy as np
import numpy.typing as npt

from zipsgd.driver import Device
from zipsgd.golden.order import BlockWindow
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.store import StoreLayout
from zipsgd.rows import Rows

from .base import EpochSamples, Stored

__all__ = ["StoreContents"]

_log = logging.getLogger(__name__)

_SECONDS = 2.0
"""Seconds between two messages while samples are loaded."""


@dataclass(frozen=True)
class _Set:
    """A set that is packed for the store, and the check of each block."""

    values: Rows
    labels: npt.NDArray[np.int16]
    rows: npt.NDArray[np.int64]
    config: RunConfig
    layout: StoreLayout
    images: list[bytes]
    checks: list[int]

    @property
    def check(self) -> int:
        """int: The check of all blocks."""
        return reduce(xor, self.checks)


class StoreContents:
    """Loads sets of samples into a device's store, unless they are there.

    The device is asked for that, and reads its store. So a set stays loaded from one run to the next, also for another
    process.

    Parameters
    ----------
    device : Device
        The device.
    progress : callable
        Called with a message before and while samples are loaded.
    """

    def __init__(self, device: Device, progress: Callable[[str], None]) -> None:
        self._device = device
        self._progress = progress
        self._set: _Set | None = None
        self._sure = False  # the device holds it
        self._refused: StoreLayout | None = None

    def forget(self) -> None:
        """Ask the device again, as it was reset, or its memory is in doubt."""
        self._sure = False

    def _layout(self, stored: Stored, config: RunConfig) -> StoreLayout:
        build = self._device.build
        return StoreLayout(stored.rows.size, config.layout(build).size, build.word_bytes)

    def fits(self, stored: Stored, config: RunConfig) -> bool:
        """Whether the device has a store with room for a set. If not, a message says how much of it would fit.

        Parameters
        ----------
        stored : Stored
            The rows of the set.
        config : RunConfig
            Configuration of the run.

        Returns
        -------
        bool
            Whether the samples can be loaded.
        """
        build, layout = self._device.build, self._layout(stored, config)
        if layout.bursts <= build.store_bursts:
            return True
        if layout != self._refused:
            self._refused = layout
            rows = layout.rows_within(build.store_bursts)
            room = (
                f"{rows:,} of {layout.rows:,} rows fit into its store"
                if build.store_bursts
                else "it has no store"
            )
            self._progress(
                f"the samples are streamed in each epoch: at {layout.sample_bytes} bytes a row, {room}"
            )
        return False

    def ensure(self, samples: EpochSamples, stored: Stored, config: RunConfig) -> tuple[StoreLayout, int]:
        """Load a set unless it is in the store.

        Parameters
        ----------
        samples : EpochSamples
            The samples.
        stored : Stored
            Their order in the store.
        config : RunConfig
            Configuration of the run.

        Returns
        -------
        layout : StoreLayout
            Places of the samples.
        check : int
            Check of the content.

        Raises
        ------
        StoreFault
            The store does not hold what was sent.
        """
        layout, check = self.prepare(samples, stored, config)
        if not self._sure:
            assert self._set is not None
            if self._device.store_check(layout) == check:
                self._progress(f"the board already holds the {layout.rows:,} rows")
            else:
                self._load(layout, self._set.images)
            self._sure = True
        return layout, check

    def prepare(self, samples: EpochSamples, stored: Stored, config: RunConfig) -> tuple[StoreLayout, int]:
        """Pack a set for the store, without asking the device.

        Parameters
        ----------
        samples : EpochSamples
            The samples.
        stored : Stored
            Their order in the store.
        config : RunConfig
            Configuration of the run.

        Returns
        -------
        layout : StoreLayout
            Places of the samples.
        check : int
            Check of the content.
        """
        held = self._set
        if held is None or not _same(held, samples, stored, config):
            layout = self._layout(stored, config)
            packed = samples.in_order(stored.rows).packed(config.layout(self._device.build), config.levels)
            images = list(layout.images(part.tobytes() for part in packed))
            checks = list(layout.block_checks(images))
            held = _Set(samples.values, samples.labels, stored.rows, config, layout, images, checks)
            self._set, self._sure = held, False
        return held.layout, held.check

    def check_of(self, window: BlockWindow) -> int:
        """The check of some blocks of the set that was loaded last.

        Parameters
        ----------
        window : BlockWindow
            The blocks.

        Returns
        -------
        int
            32 bits.
        """
        assert self._set is not None, "ensure() comes first"
        blocks: list[int] = window.positions().tolist()
        return reduce(xor, [self._set.checks[block] for block in blocks])

    def _load(self, layout: StoreLayout, images: list[bytes]) -> None:
        total = layout.bursts * layout.burst_bytes
        since = time.monotonic()

        def progress(sent: int) -> None:
            nonlocal since
            if time.monotonic() - since > _SECONDS:
                since = time.monotonic()
                self._progress(f"loading: {sent / total:.0%} of {total:,} bytes")

        _log.debug("loading %d rows, %d bytes", layout.rows, total)
        self._device.load(layout, images, progress=progress)
        # A load ends what the device was doing
        self._progress(f"loaded {layout.rows:,} rows into the board's store: {total:,} bytes")


def _same(held: _Set, samples: EpochSamples, stored: Stored, config: RunConfig) -> bool:
    """Whether a set is the one that is held: the same values and order, and equal labels in the same form."""
    return (
        held.values is samples.values
        and held.rows is stored.rows
        and held.config is config
        and np.array_equal(held.labels, samples.labels)
    )
