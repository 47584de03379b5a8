"""The interface of a backend: what a run hands to it, and what it returns."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zipsgd.driver import count_on
from zipsgd.fixed_rows import FixedRows
from zipsgd.golden.levels import LevelTable, check_intercept
from zipsgd.golden.loss import Step
from zipsgd.golden.order import BlockWindow, Order
from zipsgd.golden.quantise import Codes, fixed_point, quantise_fixed_point
from zipsgd.golden.run import RunConfig
from zipsgd.golden.weave import check_labels, unweave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.samples import SampleLayout
from zipsgd.rows import Rows

from .packed_rows import PackedRows

__all__ = ["Backend", "EpochByEpoch", "EpochResult", "EpochSamples", "Keep", "Progress", "Stored"]

Progress = Callable[[int], None]
"""A function that is called with the number of samples of the epoch that have been taken so far."""

Keep = Callable[["EpochSamples", SampleLayout, LevelTable | None], PackedRows | None]
"""A function that packs all rows of samples, or has them from before; None where there is no room for them."""

_THREADS = min(2, os.cpu_count() or 1)
"""Threads that read, scale and pack rows that are not in memory."""


@dataclass(frozen=True, eq=False)
class Stored:
    """How samples may lie in a device's store.

    Parameters
    ----------
    rows : npt.NDArray[np.int64] of shape (samples,)
        Row numbers in the order of the store, the same array in all epochs of a run.
    order : Order or BlockWindow
        Order of the blocks in this epoch. A window has some of the blocks.
    """

    rows: npt.NDArray[np.int64]
    order: Order | BlockWindow


@dataclass(frozen=True)
class EpochSamples:
    """The samples of one epoch, scaled but not quantised yet, and their order.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Values in [-1, 1] as float32: an array, or rows that are read when they are needed.
    labels : npt.NDArray[np.int16] of shape (rows,) or (rows, heads)
        Labels in units of 2^-15, or class numbers; one column for each head if the heads have their own labels.
    order : npt.NDArray[np.int64] of shape (samples,)
        Row numbers in the order of training.
    seed : int
        Seed of the run. Together with the epoch and the row number it determines the up bits.
    epoch : int
        Number of the epoch that the up bits are drawn for, counted from 0.
    memory : int
        Bytes for packed samples that wait to be sent. It matters only if ``values`` is not an array.
    stored : Stored or None
        The places of the samples in a store, from which ``order`` follows; None for samples that are streamed in each epoch.
    once : bool
        Whether a row has the same bits in all epochs.
    keep : Keep or None
        Keeps rows packed from one epoch to the next; None for rows that are packed in each epoch.
    fixed : FixedRows or None
        Where the emulator keeps ``values`` as fixed-point numbers; None for a place of its own.
    """

    values: Rows
    labels: npt.NDArray[np.int16]
    order: npt.NDArray[np.int64]
    seed: int
    epoch: int
    memory: int = 1 << 28
    stored: Stored | None = None
    once: bool = False
    keep: Keep | None = None
    fixed: FixedRows | None = None

    def sent_bytes(self, config: RunConfig, build: Build, epoch: int) -> int:
        """Bytes of packed samples that a device receives in an epoch.

        Parameters
        ----------
        config : RunConfig
            Numbers of planes and labels.
        build : Build
            Lanes of the device.
        epoch : int
            Number of the epoch in the run. Stored samples are received before the first one.

        Returns
        -------
        int
            The bytes.
        """
        return 0 if self.stored is not None and epoch else self.order.size * config.layout(build).size

    def in_order(self, rows: npt.NDArray[np.int64]) -> "EpochSamples":
        """The same samples in another order.

        Parameters
        ----------
        rows : npt.NDArray[np.int64] of shape (samples,)
            Row numbers.

        Returns
        -------
        EpochSamples
            The samples.
        """
        return replace(self, order=rows)

    def blocks(self, config: RunConfig, size: int = 512) -> Iterator[Codes]:
        """The quantised samples in the order of training, as codes.

        Parameters
        ----------
        config : RunConfig
            Numbers of planes, and the levels.
        size : int
            Samples of a block.

        Yields
        ------
        Codes
            ``size`` samples; the last block may have fewer.

        Raises
        ------
        ValueError
            As :meth:`check`.
        """
        p, m, levels = config.p, config.m, config.levels
        layout = config.layout(Build())  # of any build, as only codes count
        if (kept := self._kept(layout, levels)) is not None:
            yield from (unweave(part, layout) for part in kept.blocks(self.order, self.labels, layout, size))
            return
        for start in range(0, self.order.size, size):
            rows = self.order[start : start + size]
            values = self.values[rows]
            self._check(values, rows, config)
            fixed = fixed_point(values, p) if levels is None else levels.fixed_point(values)
            yield quantise_fixed_point(
                fixed, self.labels[rows], p, m, seed=self.seed, epoch=self.epoch, rows=rows
            )

    def check(self, config: RunConfig) -> None:
        """Check that the samples, whose values are an array, can be written as the configuration says.

        Parameters
        ----------
        config : RunConfig
            Levels, intercept and form of the labels.

        Raises
        ------
        ValueError
            A device makes the intercept, and the last feature has other values; or labels do not have their form.
        """
        assert isinstance(self.values, np.ndarray)
        self._check(self.values, np.arange(len(self.values)), config)

    def _check(self, values: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], config: RunConfig) -> None:
        if config.intercept:
            check_intercept(values, rows, config.levels)
        check_labels(self.labels[rows], config.label_form)

    def _kept(self, layout: SampleLayout, levels: LevelTable | None) -> PackedRows | None:
        return None if self.keep is None else self.keep(self, layout, levels)

    def packed(
        self, layout: SampleLayout, levels: LevelTable | None, size: int = 512
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """The quantised samples in the order of training, as the bytes that a device receives.

        Parameters
        ----------
        layout : SampleLayout
            The layout.
        levels : LevelTable | None
            The levels of each column; None for evenly spaced levels.
        size : int
            Samples of a block.

        Yields
        ------
        npt.NDArray[np.uint8] of shape (size, layout.size)
            Packed samples; the last block may have fewer.

        Raises
        ------
        ValueError
            As :func:`zipsgd.packing.pack`.
        """
        if (kept := self._kept(layout, levels)) is not None:
            yield from kept.blocks(self.order, self.labels, layout, size)
            return
        from zipsgd.packing import pack, stream  # numba takes a second to import

        if not isinstance(self.values, np.ndarray):
            yield from stream(
                self.values,
                self.labels,
                self.order,
                layout,
                seed=self.seed,
                epoch=self.epoch,
                levels=levels,
                threads=_THREADS,
                memory=self.memory,
                size=size,
            )
            return
        for start in range(0, self.order.size, size):
            rows = self.order[start : start + size]
            yield pack(
                self.values[rows],
                self.labels[rows],
                layout,
                seed=self.seed,
                epoch=self.epoch,
                rows=rows,
                levels=levels,
            )


@dataclass(frozen=True)
class EpochResult:
    """What a backend reports of an epoch. Counts that may be None are so for a backend without a device.

    Parameters
    ----------
    loss_sum : int
        Sum of the losses of all samples and heads, in units of :meth:`zipsgd.golden.run.RunConfig.loss_unit`.
    flags : int
        Bits of :class:`zipsgd.protocol.run.Flag`: the places where values were saturated in the epoch.
    sample_bytes : int
        Bytes of packed samples that were sent to the device, or that a device would have received: labels, and planes with
        their padding (:class:`zipsgd.protocol.samples.SampleLayout`). What was sent again because of a bad line counts once.
    cycles : int or None
        Clock cycles from the first to the last of the epoch.
    plane_cycles : int or None
        Cycles in which the datapath took a plane word.
    link_bytes : int or None
        All bytes that were sent over the link: samples, frames around them, registers, and what was sent again.
    starved_cycles : int or None
        Cycles in which the datapath could have taken a plane word, but none had arrived.
    exchange_bytes : int
        Bytes of models that went to the workers of shards and back.
    doubts : npt.NDArray[np.bool_] of shape (samples,) or None
        Whether each sample was left out because it was in doubt; None for a run without refetching.
    scores : npt.NDArray[np.int64] of shape (samples, heads) or None
        The score of each sample and head, see :func:`zipsgd.golden.dot.score_words`; None for a run that is not scored.
    """

    loss_sum: int
    flags: int
    sample_bytes: int = 0
    cycles: int | None = None
    plane_cycles: int | None = None
    link_bytes: int | None = None
    starved_cycles: int | None = None
    exchange_bytes: int = 0
    doubts: npt.NDArray[np.bool_] | None = None
    scores: npt.NDArray[np.int64] | None = None

    def __add__(self, other: "EpochResult") -> "EpochResult":
        """Add the counts of two parts of an epoch.

        Parameters
        ----------
        other : EpochResult
            The other part.

        Returns
        -------
        EpochResult
            Sums; None where one of the two counts is None. ``doubts`` and ``scores`` are always None.
        """

        def total(name: str) -> int | None:
            counts = (getattr(self, name), getattr(other, name))
            return None if None in counts else sum(counts)

        counted: dict[str, Any] = {
            name: total(name) for name in vars(self) if name not in ("loss_sum", "flags", "doubts", "scores")
        }
        return EpochResult(self.loss_sum + other.loss_sum, self.flags | other.flags, **counted)


class EpochByEpoch:
    """Backends that train one epoch after the other."""

    def epochs(
        self: "Backend", samples: Sequence[EpochSamples], steps: Sequence[Step], progress: Progress
    ) -> list[EpochResult]:
        """Train on several epochs, see :meth:`Backend.epochs`."""
        results: list[EpochResult] = []
        done = 0
        for part, step in zip(samples, steps, strict=True):
            results.append(self.epoch(part, step, partial(count_on, progress, done)))
            done += part.order.size
        return results


class Backend(Protocol):
    """Trains on one build: the emulator, the golden model or a device."""

    @property
    def name(self) -> str:
        """str: The name that the user chose it by."""

    @property
    def build(self) -> Build:
        """Build: The build that is emulated, simulated or on the board."""

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        """Begin a run.

        Parameters
        ----------
        config : RunConfig
            Configuration of the run.
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            Words of the master model to begin with.
        seed : int
            Seed of the stochastic rounding on the device.
        epoch : int
            Number of the next epoch, counted from 0.

        Raises
        ------
        LimitError
            The build does not support the run.
        """

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """Train on one epoch.

        Parameters
        ----------
        samples : EpochSamples
            The samples.
        step : Step
            Step size and proximal step of the epoch.
        progress : Progress
            Called with the number of samples that have been taken so far.

        Returns
        -------
        EpochResult
            Loss, flags and counts of the epoch.
        """

    def epochs(
        self, samples: Sequence[EpochSamples], steps: Sequence[Step], progress: Progress
    ) -> list[EpochResult]:
        """Train on several epochs, on the device's own if it can, so that the host may be gone meanwhile.

        Parameters
        ----------
        samples : sequence of EpochSamples
            The samples of each epoch.
        steps : sequence of Step
            The step of each epoch.
        progress : Progress
            Called with the number of samples of all epochs that have been taken so far.

        Returns
        -------
        list of EpochResult
            The result of each epoch.
        """

    def model(self) -> npt.NDArray[np.int64]:
        """The current model.

        Returns
        -------
        npt.NDArray[np.int64] of shape (features,) or (heads, features)
            Words of the master model.
        """

    def close(self) -> None:
        """Release the device, the simulator and the memory."""
