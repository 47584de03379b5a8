"""A zipsgd device: training on samples from the link, or on those of its store."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from zipsgd.golden.order import BlockWindow, Order
from zipsgd.golden.run import LimitError
from zipsgd.protocol.numbers import BLOCK_ROWS
from zipsgd.protocol.registers import REGISTERS, RESULT_WORDS, WINDOWS, Control, Status
from zipsgd.protocol.store import StoreLayout

from .device_registers import RESULTS
from .epoch_counts import EpochCounts
from .epoch_plan import EpochPlan, Write, schedules, window_words
from .errors import DeviceError, StoreFault
from .training_device import TrainingDevice, counts_of

__all__ = ["Device", "count_on"]

_NAPS = (0.001, 0.05)
"""Shortest and longest time in seconds between two looks at a device that works on its own."""


def count_on(progress: Callable[[int], None], before: int, count: int) -> None:
    """Report progress that is counted from a later beginning on.

    Parameters
    ----------
    progress : Callable[[int], None]
        Called with the sum of the two counts.
    before : int
        What was done before.
    count : int
        What has been done since.
    """
    progress(before + count)


class Device(TrainingDevice):
    """An open device that trains: on samples that come over the link, or on those of its store. A context manager.

    See :class:`.DeviceRegisters` for its parameters.
    """

    def load(
        self,
        layout: StoreLayout,
        images: Iterable[bytes],
        *,
        progress: Callable[[int], None] = lambda sent: None,
    ) -> int:
        """Fill the store with a set of samples, and check what arrived there.

        Parameters
        ----------
        layout : StoreLayout
            Places of the samples.
        images : iterable of bytes
            The store's content, from :meth:`.StoreLayout.images`.
        progress : Callable[[int], None]
            Called with the number of bytes that have been sent.

        Returns
        -------
        int
            The check of the content, which :meth:`run` takes.

        Raises
        ------
        LimitError
            The device has no store, or the set does not fit into it.
        StoreFault
            The store does not hold what was sent.
        """
        self._check_room(layout)
        check = burst = 0

        def parts() -> Iterable[bytes]:
            nonlocal check, burst
            for image in images:
                check ^= layout.check([image], burst)
                burst += len(image) // layout.burst_bytes
                yield image

        self.write("control", Control.ABORT)
        self.write_registers({"fill_start": 0, "fill": layout.bursts * layout.burst_bytes})
        self.send_samples(parts(), progress)
        found = self.store_check(layout)
        if found != check:
            raise StoreFault(
                f"the memory of the board on {self.link.url} does not hold what was sent (check {found:#010x}, not "
                f"{check:#010x}): try again; if this happens often, the memory or its clock is faulty"
            )
        return check

    def _check_room(self, layout: StoreLayout) -> None:
        """Raise LimitError if a set does not fit into the store."""
        build = self.build
        if not build.store_words:
            raise LimitError("this build has no store: stream the samples, or take a build with store_words")
        if layout.word_bytes != build.word_bytes:
            raise ValueError(f"the layout is for words of {layout.word_bytes} bytes, not {build.word_bytes}")
        if layout.bursts > build.store_bursts:
            rows = layout.rows_within(build.store_bursts)
            raise LimitError(
                f"{rows:,} of {layout.rows:,} rows fit into the board's store of {build.store_bytes:,} bytes, at "
                f"{layout.sample_bytes} bytes a row: use fewer bits or rows, or stream the samples"
            )

    def store_check(self, layout: StoreLayout) -> int:
        """Let the device read its store.

        Parameters
        ----------
        layout : StoreLayout
            Places of the samples.

        Returns
        -------
        int
            The check of what it read, see :meth:`.StoreLayout.check`.
        """
        self.write_registers(
            {
                **layout.registers(),
                **Order(layout.blocks, 0, min(1, layout.blocks - 1)).registers(layout.block_bursts),
            }
        )
        self.write("resident_samples", 0)
        return self._wait()["store_check"]

    def run(
        self,
        layout: StoreLayout,
        check: int,
        plans: Sequence[EpochPlan],
        *,
        progress: Callable[[int], None] = lambda samples: None,
    ) -> tuple[list[EpochCounts], npt.NDArray[np.int64]]:
        """Train epochs on the samples of the store, after :meth:`begin`.

        A device with a schedule runs up to 64 epochs back to back, without the host.

        Parameters
        ----------
        layout : StoreLayout
            Places of the samples.
        check : int
            The check of the store's content, from :meth:`load`.
        plans : sequence of EpochPlan
            The epochs.
        progress : Callable[[int], None]
            Called with the number of samples that have been trained on.

        Returns
        -------
        counts : list of EpochCounts
            Counts of each epoch.
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            The master model after the last epoch.

        Raises
        ------
        StoreFault
            The samples that the device read are not those that were loaded.
        """
        counts: list[EpochCounts] = []
        for epochs, writes in schedules(plans, layout.rows, layout.block_bursts, self.build):
            self.start(layout, epochs, writes)
            counts += self.collect(
                layout, check, epochs, partial(count_on, progress, len(counts) * layout.rows)
            )
        return counts, self.model()

    def run_window(
        self, layout: StoreLayout, window: BlockWindow, check: int, plan: EpochPlan, samples: int
    ) -> EpochCounts:
        """Run an epoch on some blocks of the store, after :meth:`begin`.

        Parameters
        ----------
        layout : StoreLayout
            Places of the samples.
        window : BlockWindow
            The blocks: whole ones, or the last one alone.
        check : int
            The check of these blocks.
        plan : EpochPlan
            The epoch, in the order of the window.
        samples : int
            Samples of these blocks.

        Returns
        -------
        EpochCounts
            Counts, with what the run lists.

        Raises
        ------
        StoreFault
            The samples that the device read are not those that were loaded.
        """
        self._check_room(layout)
        whole = samples % BLOCK_ROWS == 0
        last = layout.block_bytes if whole else layout.last_block_bytes
        self.write_registers(
            {**layout.registers(), "last_block_bytes": last, **plan.settings(layout.block_bursts)}
        )
        for name, word in plan.starts(samples):
            self.write(name, word)
        self._wait()
        counts, _ = self._results((0,), samples)
        if counts.check != check or counts.samples != samples:
            raise self._changed("")
        return counts

    def _changed(self, when: str) -> StoreFault:
        return StoreFault(
            f"the memory of the board on {self.link.url} has changed: {when}the samples were not those that were loaded; begin "
            f"again, and if this happens often, lower the memory's clock"
        )

    def start(self, layout: StoreLayout, epochs: int, writes: Sequence[Write], tag: int = 0) -> None:
        """Let the device run a schedule on the samples of its store. It needs no host until it is over.

        Parameters
        ----------
        layout : StoreLayout
            Places of the samples.
        epochs : int
            Epochs of the schedule.
        writes : sequence of Write
            The schedule, see :func:`.schedules`.
        tag : int
            A word by which a later host recognises the run, see :attr:`tag`; 0 for none.
        """
        self._check_room(layout)
        self.write_registers(layout.registers())
        if self.build.schedule_words:
            self.write_window("schedule_window", window_words(writes))
            self.write("play", epochs)
            self.write("run_tag", tag)  # last: a tag says that its run has begun
            self._check_session(self.read("session"))  # all has arrived: the host may leave
        else:
            for name, word in writes:
                self.write(name, word)

    @property
    def tag(self) -> int:
        """int: The tag of the run that the device has begun; 0 if there is none."""
        return self.read("run_tag") if self.build.schedule_words else 0

    def collect(
        self,
        layout: StoreLayout,
        check: int,
        epochs: int,
        progress: Callable[[int], None] = lambda samples: None,
    ) -> list[EpochCounts]:
        """Wait for a run to end, and read its results. The run may be one that another host has begun.

        Parameters
        ----------
        layout : StoreLayout
            Places of the samples.
        check : int
            The check of the store's content.
        epochs : int
            Epochs of the run.
        progress : Callable[[int], None]
            Called with the number of samples that have been trained on.

        Returns
        -------
        list of EpochCounts
            Counts of each epoch.

        Raises
        ------
        StoreFault
            The samples that the device read are not those that were loaded.
        """
        last = self._wait(progress, layout.rows, epochs if self.build.schedule_words else 0)
        counts = self.results(epochs) if self.build.schedule_words else [counts_of(last)]
        for number, one in enumerate(counts, 1):
            if one.check != check or one.samples != layout.rows:
                raise self._changed(f"in epoch {number} of {len(counts)} ")
        return counts

    def results(self, epochs: int) -> list[EpochCounts]:
        """Results of the schedule that has been played, also by an earlier host.

        Parameters
        ----------
        epochs : int
            Number of epochs, 1 to 64.

        Returns
        -------
        list of EpochCounts
            Counts of each epoch.
        """
        most = self.build.schedule_epochs
        if not 1 <= epochs <= most:
            raise ValueError(f"a schedule has 1 to {most} epochs, not {epochs}")
        size = RESULTS.index("store_check") + 1
        first = WINDOWS["result_window"].address
        words = self.link.read([(first + RESULT_WORDS * epoch, size) for epoch in range(epochs)], fence=True)
        return [
            counts_of(dict(zip(RESULTS, words[start : start + size], strict=False)))
            for start in range(0, len(words), size)
        ]

    def _wait(
        self, progress: Callable[[int], None] = lambda samples: None, rows: int = 0, epochs: int = 0
    ) -> dict[str, int]:
        """Wait until the device is idle; returns its result registers.

        ``rows``, ``epochs``: samples of each epoch of a schedule, and its epochs, between which the datapath is idle, too.
        """
        nap, seen, since = _NAPS[0], None, time.monotonic()
        while True:
            value = self._read_results()
            moved = [value[name] for name in ("epochs_done", "samples_done", "store_check")]
            if moved != seen:
                seen, since = moved, time.monotonic()
            if not value["status"] & Status.BUSY and value["epochs_done"] >= epochs:
                # Once more: on a bad line, parts of an answer may be of different times
                value = self._read_results(fence=True)
                progress(epochs * rows or value["samples_done"])
                return value
            if time.monotonic() - since > self._patience:
                raise DeviceError(
                    f"the board on {self.link.url} has taken no sample of its store for {self._patience:g} seconds: reset it, "
                    f"and begin again"
                )
            done = value["epochs_done"] * rows + value["samples_done"]
            progress(min(done, (value["epochs_done"] + 1) * rows) if rows else done)
            time.sleep(nap)
            nap = min(2 * nap, _NAPS[1])

    def _read_results(self, *, fence: bool = False) -> dict[str, int]:
        words = self.read_words(REGISTERS["status"].address, len(RESULTS), fence=fence)
        value = dict(zip(RESULTS, words, strict=True))
        self._check_session(value["session"])
        return value
