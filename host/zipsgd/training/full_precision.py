"""SGD in float64, with which quantised training is compared."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LABEL_FRAC

from .calibration import calibrate
from .measuring import measure
from .task import Task

__all__ = ["FloatRun", "float_sgd"]

_Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FloatRun:
    """The result of SGD in float64.

    Parameters
    ----------
    losses, scores : list of float
        Loss and score of the model after each epoch, on the unquantised rows.
    models : _Float of shape (heads, features)
        The final models, in scaled units.
    """

    losses: list[float]
    scores: list[float | None]
    models: _Float


def float_sgd(task: Task, watch: Callable[[_Float], None] = lambda models: None) -> FloatRun:
    """Train in float64, with the order of the samples, the steps, the loss and the regularisers of a task.

    Parameters
    ----------
    task : Task
        Data and options, from :func:`zipsgd.prepare`.
    watch : Callable[[_Float], None]
        Called after each epoch with the models, of shape (heads, features), in scaled units.

    Returns
    -------
    FloatRun
        Losses, scores and final models.
    """
    from zipsgd.packing import shuffled  # numba takes a second to import

    options, objective = task.options, task.options.objective
    penalty = options.regulariser.scaled(objective.scale)
    values, target = task.exact_values(), task.labels * np.float64(2.0**-LABEL_FRAC)
    models = np.zeros((task.heads, values.shape[1]))
    losses, scores = [], []
    for epoch, size in enumerate(task.step_sizes):
        order = task.order(epoch)
        done = 0
        for samples in shuffled(values, order, memory=task.memory, size=options.batch_size):
            exact = samples.astype(np.float64)
            rows = order[done : done + options.batch_size]
            slopes = objective.derivatives(exact @ models.T, target[rows])
            models -= size / options.batch_size * (slopes.T @ exact)
            models = np.stack([penalty.apply(model, size) for model in models])
            done += rows.size
        watch(models)
        found = measure(task, values, models, task.labels, task.numbers, calibration=calibrate(task, models))
        losses.append(found.loss)
        scores.append(found.score)
    return FloatRun(losses, scores, models)
