"""Preparation of a data set for a device: scaling, placement of levels, and step sizes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochSamples, build_for
from zipsgd.data import DataError, Scaling, Table, as_table
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.memory import default_memory
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_FEATURES, MOST_HEADS
from zipsgd.rows import Rows, in_memory, ranges

from .options import Options
from .state import State
from .steps import default_step_size, factor
from .targets import Labels, Targets, classes_of
from .weights import copies, draw

__all__ = ["Task", "make_task", "prepare"]

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
    classes : tuple of float
        The labels of the classes in ascending order; empty for regression.
    memory : int
        Bytes for values and for packed samples that wait to be sent.
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
    classes: tuple[float, ...]
    memory: int

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
        """
        return [Step.nearest(size / self.options.batch_size / self.scale**2) for size in self.step_sizes]

    def step(self, number: int, build: Build) -> Step:
        """The device's step of an epoch, with its proximal part.

        Parameters
        ----------
        number : int
            Index of the step, which is that of the epoch, counted from 0.
        build : Build
            Widths of the device.

        Returns
        -------
        Step
            The step.
        """
        step = self.steps[number]
        penalty = self.options.regulariser.scaled(self.options.objective.scale)
        return replace(step, prox=penalty.prox(self.rounded_size(step), self.scale, build))

    def rounded_size(self, step: Step) -> float:
        """The size of one of the steps for features in [-1, 1], as rounded for the device."""
        return step.value * self.options.batch_size * self.scale**2

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
        if self.shares is not None:
            return draw(self.shares, self.options.seed, epoch)
        return np.random.default_rng((self.options.seed, epoch)).permutation(self.rows)

    def samples(self, epoch: int, labels: npt.NDArray[np.int16]) -> EpochSamples:
        """The samples of an epoch, counted from 0, with the ``labels`` of the heads that are trained in this pass."""
        options = self.options
        return EpochSamples(
            self.values,
            labels,
            self.order(epoch),
            options.seed,
            epoch if options.fresh else 0,
            self.memory,
        )

    def exact_values(self) -> Rows:
        """The values in [-1, 1], without the factor ``scale``."""
        if self.scale == 1:
            return self.values
        return _fitting(self.scalings[0].rows(self.table.features), self.memory)

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
        if "heads" not in described:
            sizes = {name: described[name] for name in ("lanes", "max_features") if name in described}
            one = build_for(config.features, **sizes)
            most = sizes.get("max_features") or MOST_FEATURES
            room = most // (one.chunks(config.features) * one.lanes)
            described["heads"] = max(1, min(self.heads, MOST_HEADS, room))
        needed = {
            "batch": config.batch,
            "level_planes": None if config.levels is None else config.p,
            "hinge": config.loss.hinge,
            "polynomial": config.degree,
            "refetch": bool(config.refetch),
            "prox": config.prox,
            "ball": config.ball,
        }
        return build_for(config.features, **{**needed, **described})

    def new_state(self) -> State:
        """The state before the first epoch, with all weights 0."""
        return State.new(self.heads, self.config.features)


def prepare(
    X: Any,
    y: Any = None,
    options: Options | None = None,
    *,
    weights: npt.ArrayLike | None = None,
    memory: int | None = None,
) -> Task:
    """Prepare a data set for training: scale it, place its levels and compute its step sizes.

    Parameters
    ----------
    X, y, options, weights, memory
        See :func:`zipsgd.train`.

    Returns
    -------
    Task
        The prepared data set.

    Raises
    ------
    DataError, ValueError
        The data cannot be trained on, or the options do not fit them.
    """
    table, options = as_table(X, y), options or Options()
    classes: _Float = np.empty(0)
    if options.classify:
        classes, numbers = classes_of(table)
        labels = Labels.of_classes(numbers, classes.size)
    else:
        labels = Labels(table.labels.reshape(len(table.labels), -1))
        _check_varies(table)
    checked = None if weights is None else _checked_weights(np.asarray(weights, dtype=np.float64), table)
    return make_task(table, labels, options, weights=checked, classes=tuple(classes.tolist()), memory=memory)


def make_task(
    table: Table,
    labels: Labels,
    options: Options,
    *,
    weights: _Float | None = None,
    classes: tuple[float, ...] = (),
    memory: int | None = None,
    known: State | None = None,
) -> Task:
    """Prepare a table for training, with given labels instead of the table's own.

    Parameters
    ----------
    table : Table
        The rows.
    labels : Labels
        Labels of the rows.
    options : Options
        How to train.
    weights : _Float of shape (rows,) or None
        Weights of the rows, 0 or positive; None for equal weights.
    classes : tuple of float
        The labels of the classes in ascending order; empty for regression.
    memory : int or None
        Bytes for the scaled data; None for a quarter of the free memory.
    known : State or None
        A model whose scaling is kept, but widened where the table exceeds its range; None for a new scaling.

    Returns
    -------
    Task
        The prepared data set.
    """
    memory = default_memory() if memory is None else memory
    index = np.arange(len(table.labels))
    if options.sort_rows:
        from .content_order import content_order  # numba takes a second to import

        index = content_order(table.features, labels.values)
    shares = None
    if weights is not None:
        index, shares = copies(index, weights[index])
    if options.sort_rows or weights is not None:
        table, labels = table.take(index), labels.take(index)
    columns = Scaling.fit(table, options.level_steps)
    former = known.scalings if known is not None and known.scalings else None
    if known is not None and former is not None:
        columns = _widened(columns, known, table.features)
    scale, levels = 1.0, None
    if options.levels == "optimal":
        from zipsgd.levels.placement import level_scale, level_table  # numba takes a second to import

        scale = level_scale(options.level_bits)
    values = _fitting(columns.rows(table.features, scale), memory)
    if options.levels == "optimal":
        levels = level_table(values, options.base_bits, options.level_bits, shared=options.shared_levels)
    objective = options.objective
    targets = Targets.fit(labels, objective, former)
    scalings = targets.scalings(columns)
    config = RunConfig(
        values.shape[1],
        options.base_bits,
        options.quantisations,
        options.batch_size,
        options.one_sided,
        levels,
        loss=objective.loss,
        prox=options.regulariser.any,
        ball=options.radius > 0,
        polynomial=objective.polynomial,
        refetch=options.refetches,
    )
    words = [scaling.labels(target) for scaling, target in zip(scalings, labels.values.T, strict=True)]
    sizes = _step_sizes(options, columns.rows(table.features))
    task = Task(
        table,
        options,
        targets,
        scalings,
        scale,
        values,
        np.stack(words, axis=1),
        sizes,
        config,
        shares,
        classes,
        memory,
    )
    _report(task)
    return task


def _step_sizes(options: Options, values: Rows) -> list[float]:
    """Step size of each epoch for ``values`` in [-1, 1]."""
    first = options.step_size
    if first is None:
        objective = options.objective
        penalty = options.regulariser.scaled(objective.scale)
        first = default_step_size(
            values,
            options.batch_size,
            options.base_bits,
            options.quantisations,
            objective.curvature,
            penalty.l2,
            penalty.l1,
        )
    return [first * factor(options.schedule, epoch, options.epochs) for epoch in range(options.epochs)]


def _fitting(rows: Rows, memory: int) -> Rows:
    """``rows`` as a float32 array if it needs at most ``memory`` bytes; otherwise the rows themselves."""
    return in_memory(rows) if 4 * rows.shape[0] * rows.shape[1] <= memory else rows


def _widened(columns: Scaling, known: State, features: Rows) -> Scaling:
    """The scaling of a known model, widened where ``features`` exceed its range. Columns without weights get the new one."""
    low, high, _ = ranges(features)
    former, used = known.scalings[0], known.words[:, :-1].any(axis=0)
    centre = np.where(used, former.centre, columns.centre)
    needed = np.maximum(high - centre, centre - low)
    spread = np.where(used, np.maximum(former.spread, needed), columns.spread)
    return replace(columns, centre=centre, spread=spread)


def _checked_weights(weights: _Float, table: Table) -> _Float:
    """Raise DataError unless there is a finite weight, 0 or positive, for each row."""
    if weights.shape != (len(table.labels),):
        raise DataError(
            f"weights must have shape ({len(table.labels)},), one for each row, not {weights.shape}"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError("weights must be finite numbers from 0 on")
    return weights


def _check_varies(table: Table) -> None:
    """Raise DataError if an output is the same in all rows."""
    for output in table.labels.reshape(len(table.labels), -1).T:
        if output.min() == output.max():
            raise DataError(f"{table.source}: every label is {output[0]:g}; there is nothing to learn")


def _report(task: Task) -> None:
    """Log what a user should know of the data before training."""
    table, config = task.table, task.config
    _log.debug(
        "%s: %d rows of %d features, %d models; p = %d, m = %d, mini-batches of %d, first step %.3g",
        table.source,
        task.rows,
        config.features,
        task.heads,
        config.p,
        config.m,
        config.batch,
        task.step_sizes[0],
    )
    if getattr(table.features, "sparse", False):
        _log.info(
            "%s: sparse rows are made dense, a block at a time: the device takes every feature of a sample",
            table.source,
        )
    if not isinstance(task.values, np.ndarray):
        _log.info(
            "%s: more than %s MB in memory, so that every epoch reads, scales and packs it anew",
            table.source,
            f"{task.memory / 1e6:,.0f}",
        )
