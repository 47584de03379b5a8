"""The rows that an estimator trains on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from zipsgd.data import Table, as_features
from zipsgd.training.content_order import content_order
from zipsgd.training.holdout import stratified
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

    def split(self, share: float, seed: int, names: npt.NDArray[Any]) -> tuple["Data", "Data"]:
        """Rows to train on, and rows that are held out. Of classes, each keeps its share.

        Parameters
        ----------
        share : float
            Share of the rows to hold out, between 0 and 1.
        seed : int
            Seed of the random selection. The order of the rows does not matter.
        names : array of shape (classes,)
            The classes, for messages.

        Returns
        -------
        tuple of Data
            Training rows, and held-out rows.
        """
        rows = content_order(as_features(self.X, "X")[0], self.labels.values)
        if self.weights is not None:
            rows = rows[self.weights[rows] > 0]
        if self.labels.numbers is None:
            kept, held = train_test_split(rows, test_size=share, random_state=seed % (1 << 32))
            return self.part(kept), self.part(held)
        numbers = self.labels.numbers[rows].astype(np.int64)
        kept, held = stratified(numbers, share, seed, "X and y", list(map(str, names)))
        return self.part(rows[kept]), self.part(rows[held])
