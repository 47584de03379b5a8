"""How good a model is on rows, exactly: its loss and its score, in float64."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling
from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.rows import Rows, iterate_blocks

from .objective import Objective
from .scores import r2, winners
from .state import State
from .targets import Labels
from .task import Task

__all__ = ["Measured", "Validation", "measure", "measure_task", "measure_validation"]

_Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """What a model is worth on some rows.

    Parameters
    ----------
    loss : float
        Mean loss of scaled targets over rows and heads, as a user counts it.
    score : float
        R2 of numbers, the mean over outputs; accuracy of classes. NaN for numbers that do not vary.
    """

    loss: float
    score: float


@dataclass(frozen=True)
class Validation:
    """Rows that a model is measured on after each epoch, and not trained on.

    Parameters
    ----------
    features : Rows
        In their own units.
    labels : Labels
        Of these rows.
    weights : _Float of shape (rows,) or None
        How much each row counts; None for all alike.
    """

    features: Rows
    labels: Labels
    weights: _Float | None = None


def measure(
    values: Rows,
    models: _Float,
    labels: npt.NDArray[Any],
    objective: Objective,
    numbers: npt.NDArray[np.int16] | None = None,
    weights: _Float | None = None,
) -> Measured:
    """Loss and score of scaled models on scaled values, in one pass.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Scaled, with the intercept's column.
    models : _Float of shape (heads, features)
        For these values, in units of the scaled targets.
    labels : npt.NDArray of shape (rows, heads)
        Scaled targets, or int16 in units of 2^-15.
    objective : Objective
        Whose loss is measured.
    numbers : npt.NDArray[np.int16] of shape (rows,) or None
        Of classes: the number of each row's class.
    weights : _Float of shape (rows,) or None
        How much each row counts.
    """
    rows, heads = labels.shape
    unit = 2.0**-LABEL_FRAC if labels.dtype == np.int16 else 1.0
    total = 0.0
    outputs = np.empty((rows, heads))
    for part, block in iterate_blocks(values):
        outputs[part] = block.astype(np.float64) @ models.T
        losses = objective.values(outputs[part], labels[part] * unit)
        total += float(np.sum(losses if weights is None else losses * weights[part, None]))
    loss = total / heads / (rows if weights is None else float(weights.sum()))
    if numbers is None:
        return Measured(loss, r2(labels * unit, outputs, weights))
    return Measured(loss, float(np.average(winners(outputs) == numbers, weights=weights)))


def measure_task(task: Task, state: State) -> Measured:
    """Loss and score of a model on the rows of its task, each counted once."""
    models = state.scaled_models() / task.scale
    return measure(task.values, models, task.labels, task.options.objective, task.numbers)


def measure_validation(task: Task, validation: Validation, state: State) -> Measured:
    """Loss and score of a model on validation rows, which may lie beyond the range of the task's rows."""
    values = _Unclipped(validation.features, task.scalings[0])
    return measure(
        values,
        state.scaled_models(),
        task.targets.scaled(validation.labels),
        task.options.objective,
        validation.labels.numbers,
        validation.weights,
    )


class _Unclipped:
    """Rows scaled as a task's, but not clipped to its range."""

    def __init__(self, features: Rows, scaling: Scaling) -> None:
        self._features, self._scaling = features, scaling

    @property
    def shape(self) -> tuple[int, int]:
        return self._features.shape[0], self._features.shape[1] + 1

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> _Float:
        block = self._features[rows].astype(np.float64)
        return np.hstack(
            [(block - self._scaling.centre) / self._scaling.spread, np.ones((block.shape[0], 1))]
        )
