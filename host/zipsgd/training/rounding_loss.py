"""What quantisation adds to the loss that a device sums with one draw.

With one draw Q of a sample a, the mean of (Q^T x - b)^2 is (a^T x - b)^2 plus the variance of Q^T x, which over the rows is
x^T D x, where D holds the columns' variances. Double sampling multiplies two independent residuals instead, and adds nothing.
"""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.protocol.run import Loss
from zipsgd.rows import evenly_spaced

from .task import Task

__all__ = ["rounding_loss"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_SAMPLED = 2048
"""Most rows from which the share of samples within the margin is estimated."""


def rounding_loss(task: Task, before: _Int, after: _Int, build: Build) -> float:
    """The part of an epoch's loss, summed with one draw, that comes from quantisation.

    The model changes during an epoch, and the host knows the models before and after it. The part is the mean of theirs. Zero
    models do not count, because the first mini-batches already move them.

    Parameters
    ----------
    task : Task
        Data and options.
    before, after : npt.NDArray[np.int64] of shape (heads, features)
        The models before and after the epoch.
    build : Build
        Binary point of the models.

    Returns
    -------
    float
        Mean over the heads, per sample; 0 without one draw.
    """
    diagonal = task.config.diagonal
    if diagonal is None:
        return 0.0
    variances = diagonal.words * diagonal.unit
    parts = []
    for words in (before, after) if before.any() else (after,):
        models = words * np.float64(2.0**-build.model_frac)
        added = np.square(models) @ variances
        parts.append(added if task.config.loss == Loss.SQUARED else added * _active(task, models))
    return float(np.mean(parts))


def _active(task: Task, models: _Float) -> _Float:
    """The share of samples within the margin of each model, shape (heads,)."""
    rows = evenly_spaced(task.rows, _SAMPLED)
    outputs = task.values[rows].astype(np.float64) @ models.T
    slopes = task.options.objective.derivatives(outputs, task.labels[rows] * np.float64(2.0**-LABEL_FRAC))
    return np.asarray((slopes != 0).mean(axis=0))
