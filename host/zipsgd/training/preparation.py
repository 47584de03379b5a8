"""From data and options to a task: rows in order, scaled, with their levels and steps."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Scaling, Table, as_table
from zipsgd.data.clipping import describe_clipped
from zipsgd.data.scaling_kinds import KINDS
from zipsgd.golden.run import RunConfig
from zipsgd.memory import default_memory
from zipsgd.rows import Ranges, Rows, ranges

from .forecast import forecast
from .level_choice import choose_levels
from .options import Options
from .scaling_choice import Choice, choose_scaling
from .state import State
from .steps import default_step_size, factor
from .targets import Labels, Targets, classes_of
from .task import Task, fit_in_memory
from .weights import copies

__all__ = ["make_task", "prepare"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)


def prepare(
    X: Any,
    y: Any = None,
    options: Options | None = None,
    *,
    weights: npt.ArrayLike | None = None,
    memory: int | None = None,
    has_levels: bool = True,
) -> Task:
    """Prepare a data set for training: scale it, place its levels and compute its step sizes.

    Parameters
    ----------
    X, y, options, weights, memory
        See :func:`zipsgd.train`.
    has_levels : bool
        Whether the device has a table of levels; ``levels="auto"`` needs to know.

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
    return make_task(
        table,
        labels,
        options,
        weights=checked,
        classes=tuple(classes.tolist()),
        memory=memory,
        has_levels=has_levels,
    )


def make_task(
    table: Table,
    labels: Labels,
    options: Options,
    *,
    weights: _Float | None = None,
    classes: tuple[float, ...] = (),
    memory: int | None = None,
    known: State | None = None,
    has_levels: bool = True,
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
    has_levels : bool
        Whether the device has a table of levels.

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
    fitted = _fit(table, labels, options, known, has_levels)
    columns, targets, objective = fitted.columns, fitted.targets, options.objective
    scale, levels = 1.0, None
    if fitted.optimal:
        from zipsgd.levels.placement import level_scale, level_table  # numba takes a second to import

        scale = level_scale(options.level_bits)
    values = fit_in_memory(columns.rows(table.features, scale), memory)
    if fitted.optimal:
        levels = level_table(values, options.base_bits, options.level_bits, shared=options.shared_levels)
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
    task = Task(
        table,
        options,
        targets,
        scalings,
        scale,
        values,
        np.stack(words, axis=1),
        fitted.sizes,
        config,
        shares,
        classes,
        memory,
        fitted.kind,
        fitted.coarse,
    )
    _report(task)
    return task


@dataclass(frozen=True)
class _Fitted:
    """The scaling of columns and labels, its kind, the step size of each epoch, whether levels are optimal, and the columns
    for which they are too coarse."""

    columns: Scaling
    targets: Targets
    kind: str
    sizes: list[float]
    optimal: bool
    coarse: tuple[str, ...] = ()


def _fit(table: Table, labels: Labels, options: Options, known: State | None, has_levels: bool) -> _Fitted:
    """Choose scaling and levels, where the options leave them open, and fit them to the data."""
    former = known.scalings if known is not None and known.scalings else None
    kind, found = options.scaling, ranges(table.features)
    clip_labels = kind in KINDS and KINDS[kind].clips and labels.numbers is None
    if kind == "auto":
        choice = Choice("range") if known is not None else choose_scaling(table, labels, options.clip, found)
        kind, clip_labels = choice.kind, choice.clip_labels

    def fit(steps: int | None) -> tuple[Scaling, list[float]]:
        columns = Scaling.fit(table, steps, kind, options.clip, found)
        if known is not None and former is not None:
            columns = _kept(columns, known, table) if KINDS[kind].clips else _widened(columns, known, found)
        return columns, _step_sizes(options, columns.rows(table.features))

    optimal = options.levels == "optimal" or (options.levels == "auto" and options.base_bits == 0)
    columns, sizes = fit(options.level_steps if optimal else None)
    targets = Targets.fit(labels, options.objective, former, clip=clip_labels)
    if known is not None:  # these are a few rows of many, which cannot tell what to expect
        if known.scalings and options.weights_follow_labels:
            targets = targets.with_room(_weights_of(known, targets.scalings(columns)))
        return _Fitted(columns, targets, kind, sizes, optimal)
    expected = forecast(table.features, columns, targets, sum(sizes) * len(table.labels) / options.batch_size)
    if expected is None:
        return _Fitted(columns, targets, kind, sizes, optimal)
    rounding = choose_levels(table, options, expected, kind, has_levels)
    if rounding.optimal != optimal:
        columns, sizes = fit(options.level_steps)
    if options.weights_follow_labels:
        targets = targets.with_room(expected.weights)
    return _Fitted(columns, targets, kind, sizes, rounding.optimal, rounding.coarse)


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


def _widened(columns: Scaling, known: State, found: Ranges) -> Scaling:
    """The scaling of a known model, widened where ``found`` exceeds its range. Columns without weights get the new one."""
    low, high, _ = found
    former, used = known.scalings[0], known.words[:, :-1].any(axis=0)
    centre = np.where(used, former.centre, columns.centre)
    needed = np.maximum(high - centre, centre - low)
    spread = np.where(used, np.maximum(former.spread, needed), columns.spread)
    return replace(columns, centre=centre, spread=spread)


def _weights_of(known: State, scalings: Sequence[Scaling]) -> _Float:
    """The weights of a known model with other scalings, shape (features, heads)."""
    before = zip(known.words, known.scalings, scalings, strict=True)
    return np.stack([new.model(*old.coefficients(words * known.unit)) for words, old, new in before], axis=1)


def _kept(columns: Scaling, known: State, table: Table) -> Scaling:
    """The scaling of a known model, to whose ends the table is clipped. Columns without weights get the new one."""
    former, used = known.scalings[0], np.atleast_1d(known.words[:, :-1].any(axis=0))
    kept = replace(
        columns,
        centre=np.where(used, former.centre, columns.centre),
        spread=np.where(used, former.spread, columns.spread),
    )
    clipped = {each.column: each for each in former.clipped if used[each.column]}
    clipped.update((each.column, each) for each in kept.count_clipped(table))
    return replace(kept, clipped=tuple(clipped[column] for column in sorted(clipped)))


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
    clipped = task.scalings[0].clipped
    if clipped:
        _log.info(
            "%s: the scaling %r clips %s; --scaling range (in Python: scaling='range') clips nothing",
            table.source,
            task.kind,
            describe_clipped(clipped),
        )
    if any(task.targets.clipped):
        _log.warning(
            "%s: %s of %s labels are far beyond all others, and are clipped in training; --scaling range (in Python: "
            "scaling='range') keeps them, and then they determine most of the model",
            table.source,
            " and ".join(f"{count:,}" for count in task.targets.clipped if count),
            f"{task.rows:,}",
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
