"""A forecast of the model that SGD will reach, from a sample of the rows, before any training.

On average, SGD on least squares follows gradient descent. In a direction with the eigenvalue e, the model is learnt up to a
share of exp(-e t), where t is the sum of the steps. Eight implicit Euler steps come close to it, without an eigendecomposition;
a few thousand rows take milliseconds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling
from zipsgd.data.spread import sample_of
from zipsgd.rows import Rows

from .options import Options
from .steps import largest_step, step_sizes
from .targets import Targets

__all__ = ["FEWEST_ROWS", "Forecast", "descend", "forecast", "rows_for"]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

_PRODUCTS = 1 << 26
"""Products of two columns in a forecast, which bound its time. With few columns it takes more rows, because where tails are
long only few rows tell what they are worth."""
_MOST_ROWS = 1 << 12
"""Most rows with many columns."""
FEWEST_ROWS = 1 << 8
_MOST_COLUMNS = 1 << 9
"""With fewer rows a forecast says little, with more columns it takes too long."""


_EULER_STEPS = 8


@dataclass(frozen=True)
class Forecast:
    """The model that SGD will reach.

    Parameters
    ----------
    values : _Float of shape (sampled, features)
        A sample of the rows, with features in [-1, 1].
    weights : _Float of shape (features, heads)
        Weights for scaled features and targets.
    residual : _Float of shape (heads,)
        Mean squared residual of the scaled targets.
    """

    values: _Float
    weights: _Float
    residual: _Float


def rows_for(rows: int, columns: int) -> _Index | None:
    """The rows to base a forecast on; None if there are too few rows or too many columns.

    Parameters
    ----------
    rows, columns : int
        Shape of the data set.

    Returns
    -------
    npt.NDArray[np.int64] of shape (sampled,) or None
        Row numbers in ascending order.
    """
    if rows < FEWEST_ROWS or columns > _MOST_COLUMNS:
        return None
    return sample_of(rows, columns, max(_MOST_ROWS, _PRODUCTS // columns**2))


def descend(values: _Float, targets: _Float, travel: float, mass: _Float | None = None) -> _Float:
    """The model of least squares that gradient descent reaches from 0.

    Parameters
    ----------
    values : _Float of shape (rows, features)
        Features.
    targets : _Float of shape (rows, heads)
        Targets.
    travel : float
        Sum of the step sizes, above 0.
    mass : _Float of shape (rows,) or None
        How many rows each row stands for; None for one each.

    Returns
    -------
    _Float of shape (features, heads)
        Weights.
    """
    weighted = values if mass is None else values * mass[:, None]
    rows = len(values) if mass is None else mass.sum()
    gram, slope = weighted.T @ values / rows, weighted.T @ targets / rows
    inverse = np.linalg.inv(gram + np.eye(len(gram)) * (_EULER_STEPS / travel))
    weights = np.zeros_like(slope)
    for _ in range(_EULER_STEPS):
        weights += inverse @ (slope - gram @ weights)
    return weights


def forecast(features: Rows, scaling: Scaling, targets: Targets, options: Options) -> Forecast | None:
    """The model of least squares that SGD will reach.

    Parameters
    ----------
    features : Rows of shape (rows, columns)
        Features in the data's units.
    scaling : Scaling
        Scaling of the columns.
    targets : Targets
        Labels and their scaling.
    options : Options
        How to train.

    Returns
    -------
    Forecast or None
        None if there are too few rows or too many columns for one.
    """
    index = rows_for(*features.shape)
    if index is None:
        return None
    scaled = scaling.features(features[index])
    first = options.step_size
    if first is None:
        bits = options.planes, options.quantisations, options.objective.curvature
        first = largest_step(scaled, options.batch_size, *bits)
    sizes = step_sizes(first, options.schedule, options.epochs)
    travel = sum(sizes) * features.shape[0] / options.batch_size
    values = scaled.astype(np.float64)
    labels = np.clip(targets.scaled(targets.labels.take(index)), -1, 1)
    weights = descend(values, labels, travel)
    return Forecast(values, weights, np.square(values @ weights - labels).mean(axis=0))
