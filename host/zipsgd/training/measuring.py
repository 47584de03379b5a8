"""The exact loss and score of a model on given rows, in float64."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling
from zipsgd.data.clipping import clip_columns
from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.rows import Rows, iterate_blocks

from .calibration import Calibration
from .state import State
from .targets import Labels
from .task import Task

__all__ = ["Measured", "Validation", "measure", "measure_task", "measure_validation", "unclipped"]

_Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Loss and score of a model on some rows.

    Parameters
    ----------
    loss : float
        Mean loss over rows and heads, for scaled targets.
    score : float or None
        The score that the options ask for; None if it is not defined for these rows.
    """

    loss: float
    score: float | None


@dataclass(frozen=True)
class Validation:
    """Rows that are held out of training, on which the model is measured after each epoch.

    Parameters
    ----------
    features : Rows
        Features in their own units.
    labels : Labels
        Labels of these rows.
    weights : _Float of shape (rows,) or None
        Weight of each row; None for equal weights.
    """

    features: Rows
    labels: Labels
    weights: _Float | None = None


def measure(
    task: Task,
    values: Rows,
    models: _Float,
    labels: npt.NDArray[Any],
    numbers: npt.NDArray[np.int16] | None = None,
    weights: _Float | None = None,
    calibration: Calibration | None = None,
) -> Measured:
    """Loss and score of scaled models on scaled values, in one pass over the rows.

    Parameters
    ----------
    task : Task
        The task that the models were trained on.
    values : Rows of shape (rows, features)
        Scaled values, including the intercept's column.
    models : _Float of shape (heads, features)
        Models of scaled values and scaled targets.
    labels : npt.NDArray of shape (rows, heads)
        Scaled targets, as floats or as int16 in units of 2^-15.
    numbers : npt.NDArray[np.int16] of shape (rows,) or None
        For classification the class number of each row; None for regression.
    weights : _Float of shape (rows,) or None
        Weight of each row; None for equal weights.
    calibration : Calibration or None
        Calibration of the models, which the score is of; the loss is that of the models themselves.

    Returns
    -------
    Measured
        Loss and score.
    """
    objective = task.options.objective
    rows, heads = labels.shape
    unit = 2.0**-LABEL_FRAC if labels.dtype == np.int16 else 1.0
    total = 0.0
    outputs = np.empty((rows, heads))
    for part, block in iterate_blocks(values):
        outputs[part] = block.astype(np.float64) @ models.T
        losses = objective.values(outputs[part], labels[part] * unit)
        total += float(np.sum(losses if weights is None else losses * weights[part, None]))
    loss = total / heads / (rows if weights is None else float(weights.sum()))
    if numbers is not None:
        outputs *= task.targets.spread
        if calibration is not None:
            outputs = calibration.outputs(outputs)
    score = task.options.scoring.function(outputs, labels * unit if numbers is None else numbers, weights)
    return Measured(loss, None if math.isnan(score) else score)


def measure_task(task: Task, state: State, calibration: Calibration | None) -> Measured:
    """Loss and score of a model on the training rows, where each row counts once.

    Parameters
    ----------
    task : Task
        The task with the training rows.
    state : State
        The model.
    calibration : Calibration or None
        Its calibration.

    Returns
    -------
    Measured
        Loss and score.
    """
    models = state.scaled_models() / task.scale
    return measure(task, task.values, models, task.labels, task.numbers, calibration=calibration)


def measure_validation(
    task: Task, validation: Validation, state: State, calibration: Calibration | None
) -> Measured:
    """Loss and score of a model on validation rows. Their values are clipped only where those of the training rows were.

    Parameters
    ----------
    task : Task
        The task that the model was trained on.
    validation : Validation
        The validation rows.
    state : State
        The model.
    calibration : Calibration or None
        Its calibration.

    Returns
    -------
    Measured
        Loss and score.
    """
    return measure(
        task,
        unclipped(task, validation),
        state.scaled_models(),
        task.targets.scaled(validation.labels),
        validation.labels.numbers,
        validation.weights,
        calibration,
    )


def unclipped(task: Task, validation: Validation) -> Rows:
    """Validation rows with the scaling of a task, which are not clipped to the range of the training rows.

    Parameters
    ----------
    task : Task
        The task that models are trained on.
    validation : Validation
        The validation rows.

    Returns
    -------
    Rows of shape (rows, features)
        Scaled values, including the intercept's column.
    """
    return _Unclipped(validation.features, task.scalings[0])


class _Unclipped:
    """Rows with the scaling of a task, but clipped only where the training rows were."""

    def __init__(self, features: Rows, scaling: Scaling) -> None:
        self._features, self._scaling = features, scaling

    @property
    def shape(self) -> tuple[int, int]:
        return self._features.shape[0], self._features.shape[1] + 1

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> _Float:
        block = clip_columns(self._features[rows].astype(np.float64), self._scaling.clipped)
        return np.hstack(
            [(block - self._scaling.centre) / self._scaling.spread, np.ones((block.shape[0], 1))]
        )
