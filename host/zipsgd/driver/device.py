"""A zipsgd device: its model, and training epochs on it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import table_words
from zipsgd.golden.loss import Step
from zipsgd.golden.order import Order
from zipsgd.golden.run import LimitError, RunConfig, model_words, step_registers
from zipsgd.protocol.frames import MAX_PAYLOAD, Kind
from zipsgd.protocol.registers import MOST_EPOCHS, REGISTERS, RESULT_WORDS, WINDOWS, Control, Status
from zipsgd.protocol.run import Refetch
from zipsgd.protocol.store import StoreLayout

from .device_registers import RESULTS, DeviceRegisters
from .epoch_counts import EpochCounts
from .epoch_plan import EpochPlan, schedules, window_words
from .errors import DeviceError, StoreFault

__all__ = ["Device"]

_NAPS = (0.001, 0.05)
"""Shortest and longest time in seconds between two looks at a device that works on its own."""


def _counts(value: Mapping[str, int], doubts: npt.NDArray[np.bool_] | None = None) -> EpochCounts:
    """Result registers as counts."""
    loss = value["loss_high"] << 32 | value["loss_low"]
    return EpochCounts(
        loss=loss - (loss >> 63 << 64),
        flags=value["flags"],
        samples=value["samples_done"],
        cycles=value["cycles_high"] << 32 | value["cycles_low"],
        plane_cycles=value["plane_cycles_high"] << 32 | value["plane_cycles_low"],
        starved_cycles=value["starved_cycles_high"] << 32 | value["starved_cycles_low"],
        doubts=doubts,
        check=value["store_check"],
    )


class Device(DeviceRegisters):
    """An open device that trains: on samples that come over the link, or on those of its store. A context manager.

    See :class:`.DeviceRegisters` for its parameters.
    """

    # Model

    def write_model(self, model: npt.NDArray[np.int64]) -> None:
        """Write the master model. The rest of each head's last chunk becomes zero.

        Parameters
        ----------
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            The master model.
        """
        self.write_window("model_window", model_words(model, self.build).tolist())

    def _results(self, shape: tuple[int, ...], listed: int = 0) -> tuple[EpochCounts, npt.NDArray[np.int64]]:
        """Read result registers, the model of the given ``shape``, and doubts of ``listed`` samples from the idle datapath."""
        features = shape[-1]
        heads = shape[0] if len(shape) > 1 else 1
        room = self.build.chunks(features) * self.build.lanes
        parts = [(WINDOWS["model_window"].address + head * room, features) for head in range(heads)]
        results = REGISTERS[RESULTS[0]].address
        lists = [(WINDOWS["doubt_window"].address, -(-listed // 32))] if listed else []
        words = self.link.read([*parts, (results, len(RESULTS)), *lists], fence=True)
        end = heads * features + len(RESULTS)
        value = dict(zip(RESULTS, words[heads * features : end], strict=True))
        self._check_session(value["session"])
        doubts = np.unpackbits(np.array(words[end:], dtype="<u4").view(np.uint8), bitorder="little")
        counts = _counts(value, doubts[:listed].astype(np.bool_) if listed else None)
        model = np.array(words[: heads * features], dtype=np.uint32).view(np.int32).astype(np.int64)
        return counts, model.reshape(shape)

    # Training

    def begin(
        self,
        model: npt.NDArray[np.int64],
        config: RunConfig,
    ) -> None:
        """Set up a run: check its limits, and write configuration, levels, coefficients and model.

        Parameters
        ----------
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            Initial master model.
        config : RunConfig
            Configuration of the run.

        Raises
        ------
        LimitError
            The build does not support the run.
        """
        config.check(self.build)
        self.write("control", Control.ABORT)
        self.write_registers(config.registers())
        if config.levels is not None:
            self.write_window("level_window", table_words(config.levels, self.build))
        if config.polynomial is not None:
            self.write_window("coefficient_window", config.polynomial.window_words(self.build))
        if config.diagonal is not None:
            self.write_window("variance_window", config.diagonal.words.tolist())
        self.write_model(model)
        self._shape = config.model_shape()
        self._lists = config.refetch != Refetch.NEVER

    def run_epoch(
        self,
        count: int,
        parts: Iterable[bytes],
        *,
        step: Step,
        seeds: Sequence[int],
        progress: Callable[[int], None] = lambda sent: None,
    ) -> tuple[EpochCounts, npt.NDArray[np.int64]]:
        """Train one epoch.

        Parameters
        ----------
        count : int
            Number of samples.
        parts : Iterable[bytes]
            Blocks of the samples' bytes.
        step : Step
            Step size over mini-batch size, and proximal step.
        seeds : Sequence[int]
            LFSR seeds: one for each update lane, then the loss unit's.
        progress : Callable[[int], None]
            Called with the number of sample bytes that have been sent.

        Returns
        -------
        counts : EpochCounts
            Counts of this epoch.
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            The master model after the epoch.
        """
        self.write_registers(step_registers(step))
        # Each written word enters update lane 0 and shifts the others: the last lane's word moves to the loss unit
        for word in reversed(seeds):
            self.write("seed", word)
        self.write("control", Control.CLEAR | Control.LOAD)
        self.write("samples", count)
        self._send(parts, progress)
        return self._results(self._shape, count if self._lists else 0)

    def counts(self) -> EpochCounts:
        """Read the result registers when the datapath is idle.

        Returns
        -------
        EpochCounts
            Counts since the counters were last cleared.
        """
        return self._results((0,))[0]

    def _send(self, parts: Iterable[bytes], progress: Callable[[int], None]) -> None:
        """Send sample bytes in full frames."""
        pending = bytearray()
        sent = 0
        for part in parts:
            pending += part
            full = len(pending) - len(pending) % MAX_PAYLOAD
            self.link.send(Kind.SAMPLES, bytes(pending[:full]))
            del pending[:full]
            sent += len(part)
            progress(sent)
        self.link.send(Kind.SAMPLES, bytes(pending))

    # The store

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
        self._send(parts(), progress)
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
        self._check_room(layout)
        self.write_registers(layout.registers())
        counts: list[EpochCounts] = []

        def told(samples: int) -> None:
            progress(len(counts) * layout.rows + samples)

        if self.build.schedule_words and len(plans) > 1:
            for epochs, writes in schedules(plans, layout.rows, layout.block_bursts, self.build):
                self.write_window("schedule_window", window_words(writes))
                self.write("play", epochs)
                self._wait(told)
                counts += self.results(epochs)
        else:
            for plan in plans:
                self.write_registers(plan.settings(layout.block_bursts))
                for name, word in plan.starts(layout.rows):
                    self.write(name, word)
                counts.append(_counts(self._wait(told)))
        for number, one in enumerate(counts, 1):
            if one.check != check or one.samples != layout.rows:
                raise StoreFault(
                    f"the memory of the board on {self.link.url} has changed: in epoch {number} of {len(counts)} the samples "
                    f"were not those that were loaded; begin again, and if this happens often, lower the memory's clock"
                )
        return counts, self._results(self._shape)[1]

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
        if not 1 <= epochs <= MOST_EPOCHS:
            raise ValueError(f"a schedule has 1 to {MOST_EPOCHS} epochs, not {epochs}")
        size = RESULTS.index("store_check") + 1
        first = WINDOWS["result_window"].address
        words = self.link.read([(first + RESULT_WORDS * epoch, size) for epoch in range(epochs)], fence=True)
        return [
            _counts(dict(zip(RESULTS, words[start : start + size], strict=False)))
            for start in range(0, len(words), size)
        ]

    def _wait(self, progress: Callable[[int], None] = lambda samples: None) -> dict[str, int]:
        """Wait until the device is idle; returns its result registers."""
        nap, seen, since = _NAPS[0], None, time.monotonic()
        while True:
            words = self.read_words(REGISTERS["status"].address, len(RESULTS))
            value = dict(zip(RESULTS, words, strict=True))
            self._check_session(value["session"])
            moved = [value[name] for name in ("epochs_done", "samples_done", "store_check")]
            if moved != seen:
                seen, since = moved, time.monotonic()
            if not value["status"] & Status.BUSY:
                return value
            if time.monotonic() - since > self._patience:
                raise DeviceError(
                    f"the board on {self.link.url} has taken no sample of its store for {self._patience:g} seconds: reset it, "
                    f"and begin again"
                )
            progress(value["samples_done"])
            time.sleep(nap)
            nap = min(2 * nap, _NAPS[1])
