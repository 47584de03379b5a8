"""The rows that an estimator trains on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Table, as_features
from zipsgd.training.targets import Labels
from zipsgd.training.weights import copies

__all__ = ["Data"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """Validated training rows.

    Parameters
    ----------
    X : array or CSR matrix of shape (rows, columns)
        Features.
    y : array of shape (rows,) or (rows, outputs)
        Labels as the user gave them.
    labels : Labels
        Labels for the device.
    weights : _Float of shape (rows,) or None
        Weights of the rows; None for equal weights.
    """

    X: Any
    y: Any
    labels: Labels
    weights: _Float | None

    def part(self, rows: _Int) -> "Data":
        """Select some of the rows.

        Parameters
        ----------
        rows : npt.NDArray[np.int64] of shape (selected,)
            Row numbers.

        Returns
        -------
        Data
            These rows.
        """
        weights = None if self.weights is None else self.weights[rows]
        return Data(self.X[rows], self.y[rows], self.labels.take(rows), weights)

    @property
    def samples(self) -> int:
        """int: Number of samples of an epoch, including the copies that whole weights stand for."""
        rows: int = self.X.shape[0]
        return rows if self.weights is None else copies(np.arange(rows), self.weights)[0].size

    def table(self, names: Sequence[str] | None, former: Table | None = None) -> Table:
        """The rows as a table.

        Parameters
        ----------
        names : sequence of str or None
            Names of the columns; None for made-up ones.
        former : Table or None
            A table of the same columns.

        Returns
        -------
        Table
            Features and labels for the device.
        """
        if former is not None and isinstance(self.X, np.ndarray):
            return former.with_rows(self.X, self.labels.values)
        features, made_up = as_features(self.X, "X and y")
        columns = made_up if names is None else map(str, names)
        return Table(features, self.labels.values, tuple(columns), "X and y")
