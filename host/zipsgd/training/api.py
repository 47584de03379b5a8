"""Training: from data to a model in the data's own units."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import reduce
from operator import add
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, BackendOptions
from zipsgd.data import DataError, Table, arrange, as_table
from zipsgd.protocol.formats import Build
from zipsgd.protocol.plain import plain
from zipsgd.protocol.run import Flag

from .calibration import calibrate
from .callbacks import Callback, Callbacks
from .checkpoint import resume as resume_run
from .checkpoint import settled
from .class_numbers import numbers_of
from .epochs import EpochReport
from .evidence import examine
from .guard import ConvergenceWarning, describe
from .holdout import hold_out
from .lock import locked
from .loop import Run
from .measuring import Validation, measure_task
from .opening import opened
from .option_words import options_with
from .options import Options
from .parts import connected, parts_of
from .preparation import prepare
from .result import ClassifierResult, RegressionResult, Result
from .sample_record import SampleRecord
from .targets import Labels
from .task import Task

__all__ = ["train", "train_task"]


def train(
    X: Any,
    y: Any = None,
    options: Options | None = None,
    *,
    weights: npt.ArrayLike | None = None,
    validation: Any = None,
    backend: str | BackendOptions | Backend = "emulator",
    memory: int | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    callbacks: Iterable[Any] = (),
    **words: Any,
) -> Result:
    """Train a linear model by SGD on quantised samples.

    Parameters
    ----------
    X : array, data frame, sparse matrix or Table, of shape (rows, columns)
        The features in their own units. A table, for instance from :func:`zipsgd.load`, also contains the labels.
    y : array or series of shape (rows,) or (rows, outputs)
        The labels: numbers, or classes with ``classify=True``. Not given with a table.
    options : Options or None
        How to train; None for ``Options()``.
    weights : array of shape (rows,) or None
        Weights of the rows, 0 or positive. Whole numbers are copies of a row, and 0 leaves it out. With other numbers, each
        epoch draws as many rows as there are, in proportion to the weights.
    validation : float, Table, pair (X, y) or None
        Rows that are held out of training to measure the model: a share of the rows, or other rows. The result's
        ``held_out_score`` is the model's score on them.
    backend : str, BackendOptions or Backend
        "emulator", "golden", "sim", or a serial port or URL; :class:`zipsgd.BackendOptions` for more, such as the build; or
        an open backend, which stays open.
    memory : int or None
        Bytes for the scaled data. Larger data stay where they are, and each epoch reads, scales and packs them in blocks. The
        result does not depend on it. None for a quarter of the free memory.
    checkpoint : str, Path or None
        File in which the run is saved after each epoch. It must not exist yet, unless ``resume`` is set.
    resume : bool
        Continue the run in ``checkpoint``, on any backend. The result has the same bits as without the interruption. If there
        is no such file yet, training begins with the first epoch. By default the build is that of the saved run.
    callbacks : iterable of Callback or callable
        Called as the run proceeds; a plain function is called with each :class:`zipsgd.EpochReport`.
    words
        Fields of :class:`Options` that replace those of ``options``, as in ``train(X, y, bits=3)``.

    Returns
    -------
    RegressionResult or ClassifierResult
        The model, and a record of the run.

    Warns
    -----
    ConvergenceWarning
        The run went wrong, see :mod:`zipsgd.training.guard`; ``warnings`` of the result says how.

    Raises
    ------
    DataError, LimitError, ValueError
        The data, the build, the options or the checkpoint do not fit each other. Raised before a device is used.
    DeviceError
        There is no device, it is a wrong one, or it was lost.
    CheckpointInUse
        Another run uses the checkpoint.
    OutputError
        The checkpoint cannot be written.
    """
    if isinstance(y, Options):
        raise TypeError("options come third: train(X, y, options), or train(table, options=options)")
    path = None if checkpoint is None else Path(checkpoint)
    options = settled(options_with(options, words), path, go_on=resume)
    table = as_table(X, y)
    held, validation = None, plain(validation)
    if isinstance(validation, float | int):
        if weights is not None:
            raise ValueError(
                "a share to hold out does not go with weights: give the rows themselves as (X, y)"
            )
        table, held = hold_out(table, validation, options.seed, classify=options.classify)
    elif validation is not None:
        held = validation if isinstance(validation, Table) else as_table(*validation, source="validation")
    with connected(backend) as found:
        task = prepare(table, None, options, weights=weights, memory=memory, parts=parts_of(found))
        result = train_task(
            task,
            held,
            backend=found,
            checkpoint=path,
            resume=resume,
            callbacks=callbacks,
        )
    if result.warnings:
        warnings.warn(describe(result.warnings), ConvergenceWarning, stacklevel=2)
    return result


def train_task(
    task: Task,
    held: Table | None = None,
    *,
    backend: str | BackendOptions | Backend = "emulator",
    checkpoint: Path | None = None,
    resume: bool = False,
    callbacks: Iterable[Callback | Any] = (),
) -> Result:
    """Train on a prepared task.

    Parameters
    ----------
    task : Task
        Data and options, from :func:`zipsgd.prepare`.
    held : Table or None
        Rows to measure the model on.
    backend, checkpoint, resume, callbacks
        See :func:`train`.

    Returns
    -------
    RegressionResult or ClassifierResult
        The model, and a record of the run.
    """
    with locked(checkpoint):
        return _train(task, held, backend, checkpoint, resume, callbacks)


def _train(
    task: Task,
    held: Table | None,
    backend: str | BackendOptions | Backend,
    checkpoint: Path | None,
    resume: bool,
    callbacks: Iterable[Callback | Any],
) -> Result:
    """Train on a task whose checkpoint no other run uses."""
    begun = resume_run(checkpoint, task, go_on=resume)
    run = begun.run(task, None if held is None else _validation(task, held))
    if task.options.patience and held is None:
        raise ValueError("patience needs rows to measure models on: say validation=0.2, for one")
    build = Build(**begun.build) if begun.build else None
    with (
        Callbacks(callbacks) as told,
        opened(backend, task, begun.check_build, build) as device,
    ):
        told.begin(task, device.build)

        def keep(run: Run) -> None:
            if checkpoint is not None:
                begun.after(run, device.build).save(checkpoint)

        run.train(device, told, keep)
        result = _result(run, device)
        if held is not None:
            result.evaluate(held, held.labels)
        told.result = result
    return result


def _validation(task: Task, held: Table) -> Validation:
    """The validation rows, with classes numbered as in the task."""
    features = arrange(held.features, held.names, task.table.names, held.source)
    if not task.options.classify:
        if held.textual:
            raise DataError(f"{held.source}: the labels must be numbers, as those to train on are")
        values = held.labels.reshape(len(held.labels), -1)
        if values.shape[1] != task.heads:
            raise DataError(
                f"{held.source} has {values.shape[1]} outputs, and the rows to train on {task.heads}"
            )
        return Validation(features, Labels(values))
    classes = np.array(task.classes)
    if (classes.dtype.kind == "U") != held.textual:
        raise DataError(
            f"{held.source}: the labels must be {'text' if not held.textual else 'numbers'}, as those to train on are"
        )
    # A class without training rows is always predicted wrongly
    numbers = numbers_of(held.labels, task.classes)
    return Validation(features, Labels.of_classes(numbers, len(task.classes)))


def _measured(reports: Sequence[EpochReport], name: str) -> list[float]:
    return [value for report in reports if (value := getattr(report, name)) is not None]


_END = 0.99
"""Share of a weight's range from which on it counts as at its end."""


def _at_end(words: npt.NDArray[np.int64], names: Sequence[str], build: Build) -> list[str]:
    """The columns with a weight at the end of its range, or just below, where steps push it to and fro; in any model."""
    ends = np.atleast_1d((np.abs(words) >= _END * (1 << (build.model_bits - 1))).any(axis=0))
    return [name for name, end in zip((*names, "the intercept"), ends, strict=True) if end]


def _bits_per_value(run: Run) -> float:
    """The bits of a value: a whole number, or the mean over the epochs where it changes."""
    config = run.task.config
    bits = [config.p + config.m if report.bits is None else report.bits for report in run.reports]
    return bits[0] if min(bits) == max(bits) else mean(bits)


def _result(run: Run, backend: Backend) -> Result:
    """The result of a finished run."""
    task, reports, state = run.task, run.reports, run.state
    cost = reduce(add, (report.result for report in reports))
    calibration, models = calibrate(task, state.scaled_models()), state.models()
    found = measure_task(task, state, calibration)
    if calibration is not None:
        models = calibration.models(models)
    flags = {name for report in reports for name in report.flags}
    table, single = task.table, not task.options.classify and task.table.labels.ndim == 1
    fields: dict[str, Any] = {
        "loss": [report.loss for report in reports],
        "final_loss": found.loss,
        "train_score": found.score,
        "loss_name": task.options.objective.name,
        "bits_per_value": _bits_per_value(run),
        "flags": [name for name in Flag.NAMES.values() if name in flags],
        "last_flags": reports[-1].flags,
        "kept_epoch": run.kept,
        "warnings": examine(run, backend.build),
        "cycles": cost.cycles,
        "plane_cycles": cost.plane_cycles,
        "starved_cycles": cost.starved_cycles,
        "sample_bytes": cost.sample_bytes,
        "link_bytes": cost.link_bytes,
        "exchange_bytes": cost.exchange_bytes,
        "rows": task.rows,
        "seconds": sum(report.seconds for report in reports),
        "step_sizes": [report.step_size for report in reports],
        "columns": list(table.names),
        "label": table.label_name,
        "categories": {name: list(values) for name, values in table.categories.items()},
        "coef": (models[0, :-1] if single else models[:, :-1]).tolist(),
        "intercept": (models[0, -1] if single else models[:, -1]).tolist(),
        "model_words": (state.words[0] if single else state.words).tolist(),
        "backend": backend.name,
        "build": backend.build.as_dict(),
        "options": task.options.as_dict(),
        "scaling": task.kind,
        "levels": "uniform" if task.config.levels is None else "optimal",
        "clipped": [asdict(each) for each in task.scalings[0].clipped],
        "clipped_labels": list(task.targets.clipped),
        "coarse": list(task.coarse),
        "samples": SampleRecord.of_task(run.trained),
        "at_end": _at_end(state.words, table.names, backend.build),
        "refetched": _measured(reports, "refetched"),
        "exact_losses": _measured(reports, "exact_loss"),
        "scores": _measured(reports, "score"),
        "validation_losses": _measured(reports, "validation_loss"),
        "validation_scores": _measured(reports, "validation_score"),
    }
    if task.options.classify:
        kept = None if calibration is None else calibration.as_dict()
        return ClassifierResult(**fields | {"classes": list(task.classes), "calibration": kept})
    return RegressionResult(**fields)
