"""Preparation of a data set for a device: scaling, placement of levels, and step sizes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, Stored, build_for, most_features, with_store
from zipsgd.data import Scaling, Table
from zipsgd.golden.diagonal import Growth
from zipsgd.golden.loss import Step
from zipsgd.golden.order import Order, row_order
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import BLOCK_ROWS, MOST_HEADS, MOST_STORE_WORDS
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.store import StoreLayout
from zipsgd.rows import Rows, in_memory

from .options import Options
from .state import State
from .targets import Targets
from .weights import draw

__all__ = ["Task", "fit_in_memory", "shuffled"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """A data set that is prepared for a device.

    Parameters
    ----------
    table : Table
        The training rows in their own units.
    options : Options
        How to train.
    targets : Targets
        Labels and their scaling.
    scalings : tuple of Scaling
        Scaling of each head; that of the columns is the same for all.
    scale : float
        Factor by which the values are scaled further for optimal levels; 1 for uniform levels.
    values : Rows of shape (rows, features)
        The columns of the table and that of the intercept as float32, scaled to [-1, 1] times ``scale``: an array or, if an
        array would need more than ``memory`` bytes, rows that are scaled when they are needed.
    labels : npt.NDArray[np.int16] of shape (rows, heads)
        Scaled targets in units of 2^-15.
    step_sizes : list of float
        Step size of each epoch, for features in [-1, 1].
    config : RunConfig
        Configuration of a run of one head.
    shares : _Float of shape (rows,) or None
        Mean number of times that each row comes in an epoch; None if each row comes once.
    classes : tuple of float or str
        The labels of the classes in ascending order; empty for regression.
    memory : int
        Bytes for values and for packed samples that wait to be sent.
    kind : str
        Kind of the scaling of columns, see :data:`zipsgd.data.scaling_kinds.KINDS`.
    coarse : tuple of str
        Columns most of whose values share a level, so that rounding them adds far more than the residuals' own variance.
    """

    table: Table
    options: Options
    targets: Targets
    scalings: tuple[Scaling, ...]
    scale: float
    values: Rows
    labels: npt.NDArray[np.int16]
    step_sizes: list[float]
    config: RunConfig
    shares: _Float | None
    classes: tuple[float, ...] | tuple[str, ...]
    memory: int
    kind: str
    coarse: tuple[str, ...]

    @property
    def heads(self) -> int:
        """int: Number of models that are trained side by side."""
        return self.targets.labels.heads

    @property
    def numbers(self) -> npt.NDArray[np.int16] | None:
        """npt.NDArray[np.int16] of shape (rows,) or None: Class number of each row; None for regression."""
        return self.targets.labels.numbers

    @property
    def rows(self) -> int:
        """int: Number of training rows."""
        return len(self.labels)

    @cached_property
    def steps(self) -> list[Step]:
        """list of Step: The device's step of each epoch, without its proximal part.

        The step is divided by scale^2, because both the gradient and the model on the device are scaled by ``scale``.

        Raises
        ------
        ValueError
            A step size that no device has.
        """
        unit = self.options.batch_size * self.scale**2
        try:
            return [Step.nearest(size / unit) for size in self.step_sizes]
        except ValueError:
            raise ValueError(
                f"step sizes from {min(self.step_sizes):.3g} to {max(self.step_sizes):.3g}: with mini-batches of "
                f"{self.options.batch_size} they must be between {2.0**-28 * unit:.2g} and {unit:.3g}; choose another step_size"
            ) from None

    def step(self, index: int, build: Build, epoch: int) -> Step:
        """The device's step of an epoch, with its proximal part and its growth.

        Parameters
        ----------
        index : int
            Index of the step.
        build : Build
            Widths of the device.
        epoch : int
            The epoch, counted from 0 since training began.

        Returns
        -------
        Step
            The step.
        """
        step = self.steps[index]
        samples, config = self.samples_of_epoch, self.config
        growth = Growth.of_samples(config.diagonal, step.value, samples, config.batch, epoch)
        step = replace(step, growth=growth)
        penalty = self.options.device_regulariser
        if not penalty.any:
            return step
        return replace(step, prox=penalty.prox(self.rounded_size(step), self.scale, build))

    def rounded_size(self, step: Step) -> float:
        """The size of one of the steps for features in [-1, 1], as rounded for the device."""
        return step.value * self.options.batch_size * self.scale**2

    @property
    def samples_of_epoch(self) -> int:
        """int: Samples of an epoch."""
        return self.rows if self.shares is None else round(float(self.shares.sum()))

    @cached_property
    def _stored_rows(self) -> _Int:
        """Row numbers in the order of a device's store."""
        return self._drawn(0)

    def order(self, epoch: int) -> _Int:
        """The order of training, which the seed determines.

        Parameters
        ----------
        epoch : int
            The epoch, counted from 0.

        Returns
        -------
        npt.NDArray[np.int64] of shape (samples,)
            Row numbers.
        """
        if not self.options.resident:
            return self._drawn(epoch)
        rows = self._stored_rows
        return rows[row_order(self._blocks(epoch), rows.size)]

    def _blocks(self, epoch: int) -> Order:
        return Order.draw(-(-self._stored_rows.size // BLOCK_ROWS), self.options.seed, epoch)

    def _drawn(self, epoch: int) -> _Int:
        """All rows in a random order or, with weights that are no copies, as many random rows."""
        if self.shares is not None:
            return draw(self.shares, self.options.seed, epoch)
        return shuffled(self.rows, self.options.seed, epoch)

    def samples(self, epoch: int, labels: npt.NDArray[np.int16], *, passes: int = 1) -> EpochSamples:
        """The samples of an epoch, counted from 0.

        Parameters
        ----------
        epoch : int
            The epoch.
        labels : npt.NDArray[np.int16] of shape (rows,) or (rows, heads)
            Labels of the heads that are trained in this pass.
        passes : int
            Passes over the rows in the epoch. Samples of several passes have different labels, and cannot stay in a store.

        Returns
        -------
        EpochSamples
            The samples.
        """
        options = self.options
        stays = options.resident and passes == 1
        drawn_once = options.resident or not options.fresh or not self.config.m
        return EpochSamples(
            self.values,
            labels,
            self.order(epoch),
            options.seed,
            0 if drawn_once else epoch,
            self.memory,
            Stored(self._stored_rows, self._blocks(epoch)) if stays else None,
            drawn_once,
        )

    def exact_values(self) -> Rows:
        """The values in [-1, 1], without the factor ``scale``."""
        if self.scale == 1:
            return self.values
        return fit_in_memory(self.scalings[0].rows(self.table.features), self.memory)

    def build(self, described: Mapping[str, Any] | None = None) -> Build:
        """A build to emulate or simulate that supports the task, with as many heads as possible in one pass.

        Parameters
        ----------
        described : mapping or None
            Arguments of :func:`zipsgd.backends.build_for` that replace those that the task needs.

        Returns
        -------
        Build
            The build.
        """
        config, described = self.config, dict(described or {})
        if config.refetch or config.ball:  # for one model at a time
            described.setdefault("heads", 1)
        planes = None if config.levels is None else self._most_planes
        if "heads" not in described:
            sizes = {name: described[name] for name in ("lanes", "max_features") if name in described}
            one = build_for(config.features, **sizes)
            most = sizes.get("max_features") or most_features(
                one.lanes, described.get("level_planes", planes)
            )
            room = most // (one.chunks(config.features) * one.lanes)
            described["heads"] = max(1, min(self.heads, MOST_HEADS, room))
        needed = {
            "batch": config.batch,
            "level_planes": planes,
            "hinge": config.loss.hinge,
            "polynomial": config.degree,
            "refetch": bool(config.refetch),
            "prox": config.prox,
            "ball": config.ball,
            "diagonal": config.diagonal is not None,
        }
        build = build_for(config.features, **{**needed, **described})
        return build if "store" in described or not self.options.resident else self._with_store(build)

    def _with_store(self, build: Build) -> Build:
        """The build with a store that holds the samples, if any store does."""
        if build.heads < self.heads:
            return build  # samples of several passes are streamed
        stored = with_store(build, 1)
        size = self.config_of(self.heads).layout(build).size
        layout = StoreLayout(self._stored_rows.size, size, stored.word_bytes)
        size = layout.bursts * layout.burst_bytes
        return with_store(build, size) if size <= MOST_STORE_WORDS * stored.word_bytes else build

    @property
    def _most_planes(self) -> int:
        """Most base planes of any epoch."""
        return max(self.config.p, *self.options.precision(diagonal=True).planes)

    def config_of(self, heads: int) -> RunConfig:
        """The configuration of a pass. If it has the heads of all classes, it takes a class's number for a sample's label.

        Parameters
        ----------
        heads : int
            Heads of the pass.

        Returns
        -------
        RunConfig
            The configuration.
        """
        together = self.numbers is not None and heads == self.heads > 1
        form = LabelForm.BYTE if together else self.config.label_form if heads == 1 else LabelForm.WORD
        return replace(self.config, heads=heads, one_against_all=together, label_form=form)

    def new_state(self) -> State:
        """The state before the first epoch, with all weights 0."""
        return State.new(self.heads, self.config.features)


def shuffled(rows: int, seed: int, epoch: int) -> _Int:
    """The row numbers in the random order of an epoch."""
    if rows == 1:
        return np.zeros(1, dtype=np.int64)
    return np.random.default_rng((seed, epoch)).permutation(rows)


def fit_in_memory(rows: Rows, memory: int) -> Rows:
    """``rows`` as a float32 array if it needs at most ``memory`` bytes; otherwise the rows themselves."""
    return in_memory(rows) if 4 * rows.shape[0] * rows.shape[1] <= memory else rows
