"""Least squares on the rows of a probe, with which a trained model is compared."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .probe import ROWS_A_FEATURE, Probe

__all__ = ["Difference", "LeastSquares", "difference", "solve"]

_Float = npt.NDArray[np.float64]

_RIDGE = 1e-10
"""What is added to each feature's mean square, in units of the mean of them all: columns may repeat each other."""

_UNFINISHED = 0.7
"""Share of the difference from which on it is for want of training."""
_MOST = 0.5
"""Share of the difference that is most of it."""
_NARROW = 0.05
"""Root mean square of a scaled column below which values far out leave the others little of its range."""
_COLUMNS = 2
"""Most columns to be named."""


@dataclass(frozen=True)
class LeastSquares:
    """A solution of least squares, with the L2 penalty of the run.

    Parameters
    ----------
    models : _Float of shape (heads, features)
        The solution.
    outputs : _Float of shape (rows, heads)
        Outputs of the solution.
    gram : _Float of shape (features, features)
        Mean of the products of two features, with the penalty.
    """

    models: _Float
    outputs: _Float
    gram: _Float

    def merits(self, probe: Probe) -> _Float:
        """The merits that least squares can be expected to reach on rows that it was not fitted to.

        For classes, each row is predicted by the solution of all other rows. For numbers, one row far out could spoil a mean
        over such predictions, and the loss is corrected for the number of features instead (Akaike's final prediction error).

        Parameters
        ----------
        probe : Probe
            The rows that were fitted.

        Returns
        -------
        _Float of shape (1,) for classification, otherwise (heads,)
            Merits, see :meth:`.probe.Probe.merits`.
        """
        rows, features = probe.rows, len(self.gram)
        if probe.numbers is None:
            worse = (rows + features) / (rows - features)
            return probe.merits(self.outputs, self.models, worse)
        inverse = np.linalg.inv(self.gram)
        sizes = [np.einsum("ij,ij->i", block @ inverse, block) for _, block in probe.blocks()]
        leverage = np.minimum(probe.weights / rows * np.concatenate(sizes), 1 - 1e-9)
        return probe.merits(probe.labels - (probe.labels - self.outputs) / (1 - leverage)[:, None])


def solve(probe: Probe) -> LeastSquares | None:
    """Solve least squares on the rows of a probe by the normal equations.

    Parameters
    ----------
    probe : Probe
        The rows.

    Returns
    -------
    LeastSquares or None
        The solution; None if there are too few rows.
    """
    rows, features = probe.values.shape
    if rows < ROWS_A_FEATURE * features:
        return None
    gram, moment = np.zeros((features, features)), np.zeros((features, probe.labels.shape[1]))
    for part, block in probe.blocks():
        heavy = block * (probe.weights[part, None] / rows)
        gram += heavy.T @ block
        moment += heavy.T @ probe.labels[part]
    gram[np.diag_indices(features - 1)] += probe.penalty.l2  # the intercept has no penalty
    gram[np.diag_indices(features)] += _RIDGE * np.trace(gram) / features
    models = np.asarray(np.linalg.solve(gram, moment).T, dtype=np.float64)
    return LeastSquares(models, probe.outputs(models), gram)


@dataclass(frozen=True)
class Difference:
    """What a model of least squares lacks.

    Parameters
    ----------
    unfinished : bool
        Whether most of it is what further training would add.
    columns : list of int
        The columns in whose weights most of it lies, at most two; empty if it is spread over more.
    squeezed : bool
        Whether most of it lies in columns that a few values far out leave little of the range [-1, 1].
    """

    unfinished: bool
    columns: list[int]
    squeezed: bool


def difference(exact: LeastSquares, model: _Float, head: int) -> Difference:
    """Compare a model of least squares with the solution.

    The difference of the losses is a sum over the eigenvectors. Where the model's part lies between 0 and that of the
    solution, it has not arrived; elsewhere it is off by noise.

    Parameters
    ----------
    exact : LeastSquares
        The solution.
    model : _Float of shape (features,)
        The trained model.
    head : int
        Number of its head.

    Returns
    -------
    Difference
        What the model lacks.
    """
    values, vectors = np.linalg.eigh(exact.gram)
    goal, now = vectors.T @ exact.models[head], vectors.T @ model
    lost = np.maximum(values, 0) * (goal - now) ** 2
    between = (now * np.sign(goal) >= 0) & (np.abs(now) <= np.abs(goal))
    share = (vectors[:-1] ** 2 @ lost) / (lost.sum() or 1.0)
    order = np.argsort(-share)[:_COLUMNS]
    columns = order[: 1 + int(np.searchsorted(share[order].cumsum(), _MOST))]
    most = share[columns].sum() >= _MOST
    narrow = np.sqrt(np.diag(exact.gram)[:-1]) < _NARROW
    return Difference(
        bool(lost[between].sum() > _UNFINISHED * lost.sum()),
        columns.tolist() if most else [],
        bool(share[narrow].sum() >= _MOST),
    )
