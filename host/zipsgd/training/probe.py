"""A sample of rows on which a run judges its models, so cheaply that it can do so after every epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.protocol.run import Loss
from zipsgd.rows import Rows, RowSelection, evenly_spaced, iterate_blocks

from .measuring import Validation, unclipped
from .objective import Objective
from .regulariser import Regulariser
from .scores import winners
from .task import Task

__all__ = ["Probe"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_QUICK = (1 << 12, 1 << 19)
"""Most rows and most values of a probe for every epoch."""
_THOROUGH = (1 << 17, 1 << 20)
"""Most rows and most values of a probe for the end of a run."""
ROWS_A_FEATURE = 2
"""Fewest rows for each feature from which least squares says something of new rows."""
_MOST_FEATURES = 1 << 10
"""Most features for which a probe for the end of a run has so many rows, whatever its number of values."""


def probe_rows(shape: tuple[int, ...], *, thorough: bool = False) -> _Int:
    """Numbers of evenly spaced rows, few enough for a probe.

    Parameters
    ----------
    shape : tuple of int
        Numbers of rows and columns of the set.
    thorough : bool
        Whether the probe is for the end of a run, and not for every epoch.

    Returns
    -------
    npt.NDArray[np.int64] of shape (rows of the probe,)
        Row numbers, in ascending order.
    """
    count, columns = shape
    most, values = _THOROUGH if thorough else _QUICK
    rows = min(most, values // columns)
    if thorough and columns <= _MOST_FEATURES:
        rows = max(rows, ROWS_A_FEATURE * columns)
    return evenly_spaced(count, max(1, rows))


@dataclass(frozen=True)
class Probe:
    """Some rows of a set, with what is needed to judge a model on them.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Scaled values, including the intercept's column, times ``scale``.
    scale : float
        Factor of the values.
    labels : _Float of shape (rows, heads)
        Scaled targets.
    numbers : npt.NDArray[np.int16] of shape (rows,) or None
        Class numbers; None for regression.
    weights : _Float of shape (rows,)
        Weights of the rows, with a mean of 1.
    objective : Objective
        The loss.
    penalty : Regulariser
        The penalties, in the units of the device.
    """

    values: Rows
    scale: float
    labels: _Float
    numbers: npt.NDArray[np.int16] | None
    weights: _Float
    objective: Objective
    penalty: Regulariser

    @classmethod
    def of_task(cls, task: Task, *, thorough: bool = False) -> Self:
        """A sample of the rows that a task trains on.

        Parameters
        ----------
        task : Task
            The task.
        thorough : bool
            Whether the probe is for the end of a run, and not for every epoch.

        Returns
        -------
        Probe
            The sample.
        """
        rows = probe_rows(task.values.shape, thorough=thorough)
        labels = task.labels[rows] * np.float64(2.0**-LABEL_FRAC)
        weights = None if task.shares is None else task.shares[rows]
        values: Rows = RowSelection(task.values, rows) if thorough else task.values[rows]
        numbers = None if task.numbers is None else task.numbers[rows]
        return cls._made(values, task.scale, labels, numbers, weights, task)

    @classmethod
    def of_validation(cls, task: Task, validation: Validation) -> Self:
        """A sample of the validation rows.

        Parameters
        ----------
        task : Task
            The task that is trained on.
        validation : Validation
            The validation rows.

        Returns
        -------
        Probe
            The sample.
        """
        scaled = unclipped(task, validation)
        rows = probe_rows(scaled.shape)
        labels = validation.labels.take(rows)
        weights = None if validation.weights is None else validation.weights[rows]
        return cls._made(
            scaled[rows],
            1.0,
            task.targets.scaled(labels),
            labels.numbers,
            weights,
            task,
        )

    @classmethod
    def _made(
        cls,
        values: Rows,
        scale: float,
        labels: _Float,
        numbers: npt.NDArray[np.int16] | None,
        weights: _Float | None,
        task: Task,
    ) -> Self:
        share = np.ones(len(labels))
        if weights is not None and weights.sum() > 0:
            share = weights / weights.mean()
        objective = task.options.objective
        penalty = task.options.regulariser.scaled(objective.scale)
        return cls(values, scale, labels, numbers, share, objective, penalty)

    @property
    def rows(self) -> int:
        """int: Number of rows."""
        return len(self.labels)

    def blocks(self) -> Iterator[tuple[slice, _Float]]:
        """The values in [-1, 1], block by block.

        Yields
        ------
        part : slice
            Row numbers of the block.
        block : _Float of shape (rows of the block, features)
            The values.
        """
        for part, block in iterate_blocks(self.values):
            yield part, block.astype(np.float64) / self.scale

    def outputs(self, models: _Float) -> _Float:
        """The outputs of models.

        Parameters
        ----------
        models : _Float of shape (heads, features)
            Models of scaled values and scaled targets.

        Returns
        -------
        _Float of shape (rows, heads)
            Outputs.
        """
        return np.concatenate([block @ models.T for _, block in self.blocks()])

    def losses(self, outputs: _Float, models: _Float | None = None) -> _Float:
        """What training minimises, for each head.

        Parameters
        ----------
        outputs : _Float of shape (rows, heads)
            Outputs of models.
        models : _Float of shape (heads, features) or None
            The models, whose penalties are added; None to add none.

        Returns
        -------
        _Float of shape (heads,)
            Mean loss over the rows, with penalties, in the units that are reported to users.
        """
        mean = np.average(self.objective.values(outputs, self.labels), axis=0, weights=self.weights)
        if models is None:
            return np.asarray(mean)
        # Squared losses are reported without their factor of 1/2, compiled ones times their scale
        unit = 2.0 if self.objective.loss in (Loss.SQUARED, Loss.SQUARED_HINGE) else self.objective.scale
        coef = models[:, :-1]
        size = self.penalty.l2 / 2 * (coef**2).sum(axis=1) + self.penalty.l1 * np.abs(coef).sum(axis=1)
        return np.asarray(mean + unit * size)

    @cached_property
    def constants(self) -> _Float:
        """_Float of shape (heads,): The loss of each head's best constant: its mean label, or 0."""
        mean = np.average(self.labels, axis=0, weights=self.weights)
        zero = np.zeros_like(self.labels)
        return np.minimum(self.losses(zero), self.losses(zero + mean))

    def merits(self, outputs: _Float, models: _Float | None = None, worse: float = 1.0) -> _Float:
        """How good models are: the accuracy, or for regression the share of a constant's loss that each head removes.

        Parameters
        ----------
        outputs, models
            See :meth:`losses`.
        worse : float
            Factor of the losses.

        Returns
        -------
        _Float of shape (1,) for classification, otherwise (heads,)
            Merits, at most 1. That of a head whose labels do not vary is 1.
        """
        if self.numbers is not None:
            right = winners(outputs) == self.numbers
            return np.array([np.average(right, weights=self.weights)])
        constant = self.constants
        share = np.divide(
            worse * self.losses(outputs, models), constant, out=np.zeros_like(constant), where=constant > 0
        )
        return np.asarray(1 - share)

    def judge(self, models: _Float) -> tuple[float, float]:
        """The merit and the loss of models.

        Parameters
        ----------
        models : _Float of shape (heads, features)
            Models of scaled values and scaled targets.

        Returns
        -------
        tuple of float
            Means over the heads, see :meth:`merits` and :meth:`losses`.
        """
        outputs = self.outputs(models)
        return float(self.merits(outputs, models).mean()), float(self.losses(outputs, models).mean())
