"""From data and options to a task: rows in order, scaled, with their levels and steps."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError, Scaling, Table, as_table, class_name
from zipsgd.data.clipping import describe_clipped
from zipsgd.golden.diagonal import Diagonal
from zipsgd.golden.run import RunConfig
from zipsgd.memory import default_memory
from zipsgd.protocol.run import LabelForm
from zipsgd.rows import Rows

from .automatic_step import automatic_steps
from .class_weights import class_weights
from .fitting import Fitted, fit_scaling
from .options import Options
from .parts import ALL_PARTS, Parts
from .rounding_noise import rounding_variance
from .shard_numbers import with_shards
from .steps import step_sizes
from .targets import Labels, classes_of
from .task import Task, fit_in_memory
from .units import check_units
from .weights import copies

__all__ = ["arranged", "configuration", "make_task", "prepare", "scaled_task"]

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
    parts: Parts = ALL_PARTS,
) -> Task:
    """Prepare a data set for training: scale it, place its levels and compute its step sizes.

    Parameters
    ----------
    X, y, options, weights, memory
        See :func:`zipsgd.train`.
    parts : Parts
        Parts of the device, on which what the options leave open depends.

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
        _check_numbers(table)
        _check_varies(table)
        labels = Labels(table.labels.reshape(len(table.labels), -1))
        return make_task(table, labels, options, weights=checked, memory=memory, parts=parts)
    if checked is not None and checked.any() and not checked.all():
        kept = np.flatnonzero(checked)  # a class whose rows all have weight 0 is not a class
        table, checked = table.take(kept), checked[kept]
    classes, numbers = classes_of(table)
    if options.class_weight is not None:
        names = list(map(class_name, classes.tolist()))
        of_class = class_weights(options.class_weight, names, numbers, checked)
        checked = of_class[numbers] if checked is None else checked * of_class[numbers]
    labels = Labels.of_classes(numbers, classes.size)
    if table.textual:
        table = table.with_rows(table.features, numbers.astype(np.float64))
    return make_task(
        table,
        labels,
        options,
        weights=checked,
        classes=tuple(classes.tolist()),
        memory=memory,
        parts=parts,
    )


def make_task(
    table: Table,
    labels: Labels,
    options: Options,
    *,
    weights: _Float | None = None,
    classes: tuple[float, ...] | tuple[str, ...] = (),
    memory: int | None = None,
    parts: Parts = ALL_PARTS,
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
    classes : tuple of float or str
        The labels of the classes in ascending order; empty for regression.
    memory : int or None
        Bytes for the scaled data; None for a quarter of the free memory.
    parts : Parts
        Parts of the device.

    Returns
    -------
    Task
        The prepared data set.
    """
    memory = default_memory() if memory is None else memory
    options = options.resolved(diagonal=parts.diagonal, level_planes=parts.level_planes)
    table, labels, shares = arranged(table, labels, options, weights)
    options = with_shards(options, len(labels.values), parts)
    if options.resident and shares is not None:
        raise ValueError(
            "rows with weights that are not small whole numbers are drawn anew in each epoch, and resident samples are the "
            "same in all epochs: round the weights (also those of classes), or stream the samples"
        )
    fitted = fit_scaling(table, labels, options, parts)
    sizes = (
        [] if options.step_size is None else step_sizes(options.step_size, options.schedule, options.epochs)
    )
    scalings = fitted.targets.scalings(fitted.columns)
    check_units(scalings, table)
    task = scaled_task(table, options, fitted, scalings, sizes, shares, classes=classes, memory=memory)
    if options.step_size is None:
        task = replace(task, step_sizes=automatic_steps(task))
    _report(task)
    return task


def arranged(
    table: Table, labels: Labels, options: Options, weights: _Float | None
) -> tuple[Table, Labels, _Float | None]:
    """Rows in the order that the options ask for, with the copies that whole weights stand for.

    Parameters
    ----------
    table, labels, options, weights
        See :func:`make_task`.

    Returns
    -------
    Table
        The rows.
    Labels
        Their labels.
    _Float of shape (rows,) or None
        Shares of the rows in an epoch, see :func:`.weights.copies`.

    Raises
    ------
    ValueError
        All weights are 0.
    """
    index = np.arange(len(table.labels))
    if options.sort_rows and index.size > 1:
        from .content_order import content_order  # numba takes a second to import

        index = content_order(table.features, labels.values)
    shares = None
    if weights is not None:
        index, shares = copies(index, weights[index])
    if (options.sort_rows and index.size > 1) or weights is not None:
        table, labels = table.take(index), labels.take(index)
    return table, labels, shares


def scaled_task(
    table: Table,
    options: Options,
    fitted: Fitted,
    scalings: tuple[Scaling, ...],
    sizes: list[float],
    shares: _Float | None,
    *,
    classes: tuple[float, ...] | tuple[str, ...] = (),
    memory: int,
    former: Task | None = None,
) -> Task:
    """Scale a table whose scaling is known, and place its levels.

    Parameters
    ----------
    table : Table
        The rows, in their order.
    options : Options
        How to train.
    fitted : Fitted
        The targets, and what was chosen.
    scalings : tuple of Scaling
        Scaling of each head.
    sizes : list of float
        Step size of each epoch.
    shares : _Float of shape (rows,) or None
        Shares of the rows in an epoch.
    classes : tuple of float
        The labels of the classes in ascending order; empty for regression.
    memory : int
        Bytes for the scaled data.
    former : Task or None
        A task of the same kind of rows. Its configuration is used again if the options are the same.

    Returns
    -------
    Task
        The prepared data set.
    """
    scale = 1.0
    if fitted.optimal:
        from zipsgd.levels.placement import level_scale  # numba takes a second to import

        scale = level_scale(options.level_bits)
    values = fit_in_memory(scalings[0].rows(table.features, scale), memory)
    targets = fitted.targets
    form = LabelForm.SIGN if targets.signs else LabelForm.WORD
    if (
        former is not None
        and former.options is options
        and former.config.label_form == form
        and not _depends_on_rows(former.config)
    ):
        config = former.config
    else:
        config = configuration(options, options.planes, values, fitted.optimal, shares, form)
    labels = np.empty(targets.labels.values.shape, dtype=np.int16)
    for head, scaling in enumerate(scalings):
        labels[:, head] = scaling.labels(targets.labels.values[:, head])
    return Task(
        table,
        options,
        targets,
        scalings,
        scale,
        values,
        labels,
        sizes,
        config,
        shares,
        classes,
        memory,
        fitted.kind,
        fitted.coarse,
    )


def _depends_on_rows(config: RunConfig) -> bool:
    return config.levels is not None or config.diagonal is not None


def configuration(
    options: Options, planes: int, values: Rows, optimal: bool, shares: _Float | None, form: LabelForm
) -> RunConfig:
    """The configuration of a run of one head.

    Parameters
    ----------
    options : Options
        How to train.
    planes : int
        Base planes of a value.
    values : Rows of shape (rows, features)
        Scaled values, from which levels and diagonal follow.
    optimal : bool
        Whether levels are optimal ones.
    shares : _Float of shape (rows,) or None
        Shares of the rows in an epoch.
    form : LabelForm
        How the label is written on the wire.

    Returns
    -------
    RunConfig
        The configuration.
    """
    levels, diagonal, objective = None, None, options.objective
    if optimal:
        from zipsgd.levels.placement import level_table  # numba takes a second to import

        levels = level_table(values, planes, options.level_bits, shared=options.shared_levels)
    if options.estimator == "one-draw":
        diagonal = Diagonal.nearest(rounding_variance(values, planes, levels, weights=shares))
    return RunConfig(
        values.shape[1],
        planes,
        options.quantisations,
        options.batch_size,
        options.one_sided,
        levels,
        loss=objective.loss,
        prox=options.regulariser.any,
        ball=options.radius > 0,
        polynomial=objective.polynomial,
        refetch=options.refetches,
        diagonal=diagonal,
        intercept=options.intercept,
        label_form=form,
    )


def _checked_weights(weights: _Float, table: Table) -> _Float:
    """Raise DataError unless there is a finite weight, 0 or positive, for each row."""
    if weights.shape != (len(table.labels),):
        raise DataError(
            f"weights must have shape ({len(table.labels)},), one for each row, not {weights.shape}"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError("weights must be finite numbers from 0 on")
    return weights


def _check_numbers(table: Table) -> None:
    """Raise DataError if the labels are text."""
    if table.textual:
        shown = ", ".join(map(repr, np.unique(table.labels)[:3].tolist()))
        raise DataError(
            f"{table.source}: the label {table.label_name!r} is text, such as {shown}: --classify trains a classifier on it "
            f"(in Python: classify=True), or --label names another column"
        )


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
