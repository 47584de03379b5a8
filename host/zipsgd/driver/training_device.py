"""An open device that trains on samples from the link."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import table_words
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig, model_words, step_registers
from zipsgd.protocol.frames import MAX_PAYLOAD, Kind
from zipsgd.protocol.registers import REGISTERS, WINDOWS, Control

from .device_registers import RESULTS, DeviceRegisters
from .epoch_counts import EpochCounts

__all__ = ["TrainingDevice", "counts_of"]


def counts_of(value: Mapping[str, int]) -> EpochCounts:
    """Result registers as counts.

    Parameters
    ----------
    value : mapping of str to int
        Words by register name.

    Returns
    -------
    EpochCounts
        The counts.
    """
    loss = value["loss_high"] << 32 | value["loss_low"]
    return EpochCounts(
        loss=loss - (loss >> 63 << 64),
        flags=value["flags"],
        samples=value["samples_done"],
        cycles=value["cycles_high"] << 32 | value["cycles_low"],
        plane_cycles=value["plane_cycles_high"] << 32 | value["plane_cycles_low"],
        starved_cycles=value["starved_cycles_high"] << 32 | value["starved_cycles_low"],
        check=value["store_check"],
    )


def _signed(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    return words.view(np.int32).astype(np.int64)


class TrainingDevice(DeviceRegisters):
    """An open device that trains on samples from the link. A context manager.

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
        """Read results, the model of the given ``shape``, and the lists of ``listed`` samples from the idle datapath."""
        features = shape[-1]
        heads = shape[0] if len(shape) > 1 else 1
        room = self.build.chunks(features) * self.build.lanes
        parts = [(WINDOWS["model_window"].address + head * room, features) for head in range(heads)]
        results = REGISTERS[RESULTS[0]].address
        doubts = -(-listed // 32) if self._config.refetch else 0
        scores = listed * self._config.heads if self._config.scored else 0
        lists = [(WINDOWS["doubt_window"].address, doubts), (WINDOWS["score_window"].address, scores)]
        words = np.array(
            self.link.read([*parts, *lists, (results, len(RESULTS))], fence=True), dtype=np.uint32
        )
        kept, left_out, scored, value = np.split(
            words, np.cumsum([heads * features, doubts, scores], dtype=np.int64)
        )
        named = dict(zip(RESULTS, value.tolist(), strict=True))
        self._check_session(named["session"])
        counts = counts_of(named)
        if doubts:
            bits = np.unpackbits(left_out.astype("<u4").view(np.uint8), bitorder="little")
            counts = replace(counts, doubts=bits[:listed].astype(np.bool_))
        if scores:
            counts = replace(counts, scores=_signed(scored).reshape(listed, -1))
        return counts, _signed(kept).reshape(shape)

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
        self.write_registers({"run_tag": 0})  # first: no tag stands for a run that was stopped
        self.write("control", Control.ABORT)
        self.write_registers(config.registers())
        if config.levels is not None:
            self.write_window("level_window", table_words(config.levels, self.build))
        if config.polynomial is not None:
            self.write_window("coefficient_window", config.polynomial.window_words(self.build))
        if config.diagonal is not None:
            self.write_window("variance_window", config.diagonal.words.tolist())
        self.write_model(model)
        self.expect(config)

    def expect(self, config: RunConfig) -> None:
        """Expect the results of a run that the device has already begun.

        Parameters
        ----------
        config : RunConfig
            Configuration of the run.
        """
        self._config = config

    def model(self) -> npt.NDArray[np.int64]:
        """Read the master model when the datapath is idle.

        Returns
        -------
        npt.NDArray[np.int64] of shape (features,) or (heads, features)
            The words.
        """
        return self._results(self._config.model_shape())[1]

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
        self.send_samples(parts, progress)
        return self._results(self._config.model_shape(), count)

    def counts(self) -> EpochCounts:
        """Read the result registers when the datapath is idle.

        Returns
        -------
        EpochCounts
            Counts since the counters were last cleared.
        """
        return self._results((0,))[0]

    def send_samples(self, parts: Iterable[bytes], progress: Callable[[int], None]) -> None:
        """Send bytes of samples in full frames.

        Parameters
        ----------
        parts : iterable of bytes
            The bytes.
        progress : Callable[[int], None]
            Called with the number of bytes that have been sent.
        """
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
