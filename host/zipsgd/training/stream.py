"""Training on rows that come in parts, with what is known of all rows so far."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling, Table
from zipsgd.data.clipping import clip_columns
from zipsgd.driver import DeviceError
from zipsgd.memory import default_memory

from .callbacks import Callbacks
from .evidence import examine
from .fitting import Fitted
from .growth import converted, grown
from .guard import Finding
from .loop import Run
from .options import Options
from .parts import ALL_PARTS, Parts
from .preparation import arranged, scaled_task
from .seen import Seen
from .session import Session
from .state import State
from .steps import factor, safe_step
from .targets import Labels, Targets
from .task import Task

__all__ = ["next_task", "train_part"]

_Float = npt.NDArray[np.float64]

_WHOLE = 128
"""Rows of a part that counts as a whole epoch for the schedule. Smaller parts count as fractions, or the step would shrink to
nothing before a stream of single rows has been learnt from."""
_SMALL = 1 << 18
"""Values of a part that fit into memory wherever zipsgd does."""


def next_task(
    table: Table,
    labels: Labels,
    options: Options,
    weights: _Float | None,
    state: State,
    seen: Seen | None,
    former: Task | None = None,
    parts: Parts = ALL_PARTS,
) -> tuple[Task, Seen]:
    """Prepare the next rows of a stream for one epoch.

    The scaling covers all rows so far (:func:`.growth.grown`), and so does the automatic step size. Columns that a fit before
    has clipped stay clipped.

    Parameters
    ----------
    table : Table
        The rows.
    labels : Labels
        Their labels.
    options : Options
        How to train. The number of epochs does not matter, and the schedule must not need it.
    weights : _Float of shape (rows,) or None
        Weights of the rows.
    state : State
        The model to go on from.
    seen : Seen or None
        What is known of the rows so far; None before the first part, and after training on a whole set.
    former : Task or None
        The part before, whose configuration is used again if the options are the same object.
    parts : Parts
        Parts of the device.

    Returns
    -------
    Task
        The prepared rows.
    Seen
        What is known with these rows.

    Raises
    ------
    ValueError
        There is no model yet, and its scaling is to clip.
    """
    table, labels, shares = arranged(_clipped(table, state, options), labels, options, weights)
    if options.scheduled:
        raise ValueError(
            f"partial_fit trains on parts, whose epochs have no schedule: give one number of bits, not bits={options.bits!r}"
        )
    options = options.resolved(diagonal=parts.diagonal, level_planes=parts.level_planes)
    objective = options.objective
    if seen is None:
        seen = Seen.of_model(state) if state.scalings else Seen.none(table.features.shape[1], labels.heads)
    now = seen.with_rows(table.features, labels.values)
    numbers = labels.numbers is None
    if not state.scalings:
        targets = Targets.fit(labels, objective)
        steps = options.level_steps if options.needs_optimal_levels else None
        scalings = targets.scalings(Scaling.fit(table, steps))
    else:
        scalings = grown(state.scalings, seen, now, numbers=numbers)
        if state.scalings[0].clipped:
            fitted_columns = state.scalings[0]
            scalings = tuple(
                fitted_columns.with_labels(each.label_centre, each.label_spread) for each in scalings
            )
        if numbers:
            centres = tuple(scaling.label_centre for scaling in scalings)
            spreads = tuple(scaling.label_spread for scaling in scalings)
            targets = Targets(labels, centres, spreads, (0,) * len(scalings))
        else:
            targets = Targets.fit(labels, objective)
            if targets.spread[0] != scalings[0].label_spread:  # of another loss
                scalings = targets.scalings(scalings[0])
    first = options.step_size
    if first is None:
        now = now.with_spread(scalings[0].rows(table.features), options.planes, options.quantisations)
        penalty = options.device_regulariser
        first = safe_step(
            now.spread(scalings[0].centre, scalings[0].spread),
            options.batch_size,
            options.planes,
            objective.curvature,
            penalty.l2,
            penalty.l1,
        )
    sizes = [first * factor(options.schedule, now.epochs, options.epochs)]
    count, columns = table.features.shape
    memory = 4 * _SMALL if count * (columns + 1) <= _SMALL else default_memory()
    fitted = Fitted(scalings[0], targets, "range", options.needs_optimal_levels)
    task = scaled_task(table, options, fitted, scalings, sizes, shares, memory=memory, former=former)
    return task, replace(now, epochs=now.epochs + min(1.0, count / _WHOLE))


def _clipped(table: Table, state: State, options: Options) -> Table:
    """The rows, clipped as those that the model was first fitted to. Raises ValueError if nothing tells where to clip."""
    if not options.intercept:
        raise ValueError(
            "partial_fit centres columns and targets anew as rows come, so that it needs an intercept: call fit, or leave the "
            "intercept"
        )
    if state.scalings:
        if not state.scalings[0].clipped:
            return table
        rows = clip_columns(table.features[:], state.scalings[0].clipped)
        return table.with_rows(rows, table.labels)
    if options.scaling not in ("auto", "range"):
        raise ValueError(
            f"the first rows of many do not tell where to clip, so that partial_fit cannot begin with "
            f"scaling={options.scaling!r}: use 'range' or 'auto', or call fit with many rows first"
        )
    return table


def train_part(
    session: Session,
    backend: Any,
    task: Task,
    state: State,
    settled: bool,
    callbacks: Callbacks,
    keep: Callable[[Run], None],
) -> list[Finding]:
    """Train on the next rows of a stream for one epoch. If that fails, the backend is closed.

    Parameters
    ----------
    session : Session
        Keeps the backend open from part to part.
    backend : str, BackendOptions or Backend
        As in :func:`.opening.opened`.
    task : Task
        The rows, from :func:`next_task`.
    state : State
        The model to begin with.
    settled : bool
        Whether the model is from enough rows, see :attr:`.seen.Seen.settled`.
    callbacks : Callbacks
        Called as in a run, of which all parts are epochs. They are told of its begin once, and not of its end.
    keep : callable
        Called with the run after the epoch, before the callbacks.

    Returns
    -------
    list of Finding
        What went wrong, as far as a part of the rows can tell: which values were saturated.
    """
    try:
        device, heads = session.use(backend, task)
        limit = 1 << (device.build.model_bits - 1)
        run = Run(task, converted(state, task.scalings, limit, settled=settled), judged=False)
        if not callbacks.begun:
            callbacks.begin(task, device.build)
        run.train(device, callbacks, keep, heads)
        return examine(run, device.build, whole=False)
    except BaseException as error:
        session.close()
        if isinstance(error, DeviceError):
            error.add_note(
                "The model is the one from before these rows. The next call opens the backend again."
            )
        raise
    return run
