"""Calibration of the models of several classes against each other.

Each model separates its class from all others by itself. Where a class lies between others, no plane does that, and the largest
of such outputs often names a wrong class. So after training, a softmax regression from the models' outputs to the classes is
fitted on the host, in float64. What it gives is again a linear model for each class. It has heads * (heads + 1) parameters,
whatever the number of features is, and needs the training rows once.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.rows import RowSelection, evenly_spaced, iterate_blocks

from .softmax import fit_softmax
from .task import Task

__all__ = ["Calibration", "calibrate"]

_Float = npt.NDArray[np.float64]

_MOST_ROWS = 1 << 14
"""Rows that a calibration takes into account, unless there are more classes than that. Each class gives as many at most."""
_MOST_CLASSES = 32
"""With more classes, the fit would take longer than most runs."""
_PENALTY = 0.1
"""Strength of the L2 penalty times the number of rows. On the test rows of the sets of ``zipsgd bench classes``, 1 costs 0.2
points on both sets of many classes, and 0.01 costs 0.4 on digits."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """An affine map from the outputs of models to calibrated outputs, whose softmax estimates the classes' probabilities.

    Parameters
    ----------
    mix : _Float of shape (heads, heads)
        Factors: row i has those of head i.
    offset : _Float of shape (heads,)
        What is added.
    """

    mix: _Float
    offset: _Float

    def outputs(self, outputs: _Float) -> _Float:
        """Calibrated outputs.

        Parameters
        ----------
        outputs : _Float of shape (rows, heads)
            Outputs of the models.

        Returns
        -------
        _Float of shape (rows, heads)
            Calibrated outputs.
        """
        return np.asarray(outputs @ self.mix + self.offset)

    def as_dict(self) -> dict[str, list[Any]]:
        """The calibration, ready for JSON.

        Returns
        -------
        dict[str, list]
            Lists ``mix`` and ``offset``.
        """
        return {"mix": self.mix.tolist(), "offset": self.offset.tolist()}

    def models(self, models: _Float) -> _Float:
        """The models of the calibrated outputs.

        Parameters
        ----------
        models : _Float of shape (heads, features)
            Weights, with the intercepts in the last column.

        Returns
        -------
        _Float of shape (heads, features)
            Weights of the same features, with the intercepts in the last column.
        """
        mixed = self.mix.T @ models
        mixed[:, -1] += self.offset
        return np.asarray(mixed)


def calibrate(task: Task, models: _Float) -> Calibration | None:
    """Fit a calibration on the training rows.

    Parameters
    ----------
    task : Task
        The task that the models were trained on.
    models : _Float of shape (heads, features)
        The models, of values in [-1, 1] and scaled targets.

    Returns
    -------
    Calibration or None
        The calibration of outputs in the data's units; None unless the options ask for it and there are 3 to 32 classes.
    """
    if task.numbers is None or task.heads == 1 or not task.options.calibrates:
        return None
    if task.heads > _MOST_CLASSES:
        _log.info(
            "%d classes are not calibrated against each other, only up to %d", task.heads, _MOST_CLASSES
        )
        return None
    numbers = task.numbers.astype(np.int64)
    rows, weights = _chosen(numbers, max(1, _MOST_ROWS // task.heads))
    if task.shares is not None:
        weights = weights * task.shares[rows]
    outputs = np.empty((rows.size, task.heads))
    for part, block in iterate_blocks(RowSelection(task.values, rows)):
        outputs[part] = block.astype(np.float64) @ (models.T / task.scale)
    outputs *= task.targets.spread
    centre, spread = outputs.mean(axis=0), outputs.std(axis=0)
    spread[spread == 0] = 1
    features = np.column_stack([(outputs - centre) / spread, np.ones(rows.size)])
    fitted = fit_softmax(features, numbers[rows], weights, _PENALTY / len(numbers))
    mix = fitted[:-1] / spread[:, None]
    return Calibration(mix, fitted[-1] - centre @ mix)


def _chosen(numbers: npt.NDArray[np.int64], most: int) -> tuple[npt.NDArray[np.int64], _Float]:
    """Rows in ascending order, evenly spaced ones of a class with more than ``most``, and how many each of them stands for."""
    rows, weights = [], []
    for number in range(int(numbers.max()) + 1):
        of_class = np.flatnonzero(numbers == number)
        taken = of_class[evenly_spaced(of_class.size, most)]
        rows.append(taken)
        weights.append(np.full(taken.size, of_class.size / taken.size))
    order = np.argsort(found := np.concatenate(rows))
    return found[order], np.concatenate(weights)[order]
