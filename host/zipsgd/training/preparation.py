"""From data and options to a task: rows in order, scaled, with their levels and steps."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Scaling, Table, as_table
from zipsgd.golden.run import RunConfig
from zipsgd.memory import default_memory
from zipsgd.rows import Rows, ranges

from .class_names import class_name
from .class_weights import class_weights
from .options import Options
from .state import State
from .steps import default_step_size, factor
from .targets import Labels, Targets, classes_of
from .task import Task, fit_in_memory
from .two_values import two_valued
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
    checked = None if weights is None else _checked_weights(np.asarray(weights, dtype=np.float64), table)
    if not options.classify:
        _check_varies(table)
        labels = Labels(table.labels.reshape(len(table.labels), -1))
        return make_task(table, labels, options, weights=checked, memory=memory)
    if checked is not None and checked.any() and not checked.all():
        kept = np.flatnonzero(checked)  # a class whose rows all have weight 0 is not a class
        table, checked = table.take(kept), checked[kept]
    classes, numbers = classes_of(table)
    if options.class_weight is not None:
        names = [class_name(label) for label in classes]
        of_class = class_weights(options.class_weight, names, numbers, checked)
        checked = of_class[numbers] if checked is None else checked * of_class[numbers]
    labels = Labels.of_classes(numbers, classes.size)
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
    values = fit_in_memory(columns.rows(table.features, scale), memory)
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
        exact = options.levels == "optimal" and two_valued(
            values
        )  # rounding adds no noise where all values are levels
        first = default_step_size(
            values,
            options.batch_size,
            options.base_bits,
            0 if exact else options.quantisations,
            objective.curvature,
            penalty.l2,
            penalty.l1,
        )
    return [first * factor(options.schedule, epoch, options.epochs) for epoch in range(options.epochs)]


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
    compiled = task.options.objective.compiled
    if compiled is not None and compiled.poor:
        _log.warning("the loss is %s", compiled)
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
