"""Values that a scaling clips, and the same clipping of rows to predict for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .naming import listed

__all__ = ["Clipped", "clip_columns", "describe_clipped", "outputs_of"]

_Float = npt.NDArray[np.float64]

"""Most columns that a message names."""


@dataclass(frozen=True)
class Clipped:
    """A column some of whose training values were clipped.

    Parameters
    ----------
    column : int
        Index of the column.
    name : str
        Its name.
    low, high : float
        Values below ``low`` count as ``low``, values above ``high`` as ``high``, in the column's units.
    share : float
        Share of the training values that were clipped, above 0.
    """

    column: int
    name: str
    low: float
    high: float
    share: float


def clip_columns(block: npt.NDArray[np.floating], clipped: Sequence[Clipped]) -> npt.NDArray[np.floating]:
    """Clip rows in the data's units.

    Parameters
    ----------
    block : npt.NDArray[np.floating] of shape (rows, columns)
        Rows.
    clipped : sequence of Clipped
        The columns to clip.

    Returns
    -------
    npt.NDArray[np.floating] of shape (rows, columns)
        A copy if a column is clipped; otherwise the rows themselves.
    """
    if not clipped:
        return block
    block = block.astype(np.float64)
    for each in clipped:
        np.clip(block[:, each.column], each.low, each.high, out=block[:, each.column])
    return block


def outputs_of(rows: Any, coef: _Float, intercept: _Float, clipped: Sequence[Clipped]) -> _Float:
    """Outputs of linear models for rows that are clipped as the training rows were.

    Parameters
    ----------
    rows : array or SciPy sparse matrix of shape (rows, columns)
        Rows in the data's units. Only clipped columns of a sparse matrix become dense.
    coef : npt.NDArray[np.float64] of shape (models, columns)
        Weights.
    intercept : npt.NDArray[np.float64] of shape (models,)
        Intercepts.
    clipped : sequence of Clipped
        The columns to clip.

    Returns
    -------
    npt.NDArray[np.float64] of shape (rows, models)
        Outputs.
    """
    if not hasattr(rows, "toarray"):
        return np.asarray(clip_columns(rows, clipped) @ coef.T + intercept)
    places = [each.column for each in clipped]
    others = coef.copy()
    others[:, places] = 0
    outputs = np.asarray(rows @ others.T + intercept)
    if places:
        within = [(each.low, each.high) for each in clipped]
        outputs += np.clip(rows[:, places].toarray(), *np.transpose(within)) @ coef[:, places].T
    return outputs


def describe_clipped(clipped: Sequence[Clipped]) -> str:
    """The columns and the share of each that is clipped, as text.

    Parameters
    ----------
    clipped : sequence of Clipped
        At least one column.

    Returns
    -------
    str
        Such as "0.05 % of 'rooms', 0.1 % of 'bedrooms'"; the columns with the largest shares.
    """
    most = sorted(clipped, key=lambda each: -each.share)
    return listed([f"{100 * each.share:.2g} % of {each.name!r}" for each in most])
