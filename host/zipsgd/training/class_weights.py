"""Weights of classes: how much the rows of a class count in training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data.naming import listed

__all__ = ["BALANCED", "check_class_weight", "class_weights"]

_Float = npt.NDArray[np.float64]

BALANCED = "balanced"
"""Weights inversely proportional to the frequency of each class."""
_SHOWN = 10
"""Most classes in an error."""


def class_weights(
    asked: str | Mapping[Any, float],
    classes: Sequence[Any],
    numbers: npt.NDArray[np.integer],
    weights: _Float | None = None,
) -> _Float:
    """The weight of each class.

    Parameters
    ----------
    asked : "balanced" or mapping of class to weight
        "balanced": rows / (classes * rows of the class), where rows count by their weights. A class that a mapping does not
        name has the weight 1.
    classes : sequence of shape (classes,)
        The classes.
    numbers : npt.NDArray[np.integer] of shape (rows,)
        Class number of each row.
    weights : _Float of shape (rows,) or None
        Weights of the rows; None for equal weights.

    Returns
    -------
    _Float of shape (classes,)
        The weights, above 0.

    Raises
    ------
    ValueError
        A mapping names another class, or a weight is not a positive number.
    """
    if isinstance(asked, str):
        totals = np.bincount(numbers, weights, len(classes))
        return np.asarray(totals.sum() / (len(classes) * totals))
    known = list(classes)
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise ValueError(
            f"class_weight names {unknown[0]!r}, which is not a class: the classes are "
            f"{listed(list(map(repr, known)), _SHOWN)}"
        )
    return np.array([float(asked.get(each, 1.0)) for each in known])


def check_class_weight(asked: Any) -> None:
    """Check weights of classes before the classes are known.

    Parameters
    ----------
    asked : Any
        What a user gives as ``class_weight``.

    Raises
    ------
    ValueError
        It is neither "balanced" nor a mapping to positive numbers.
    """
    if isinstance(asked, str) and asked == BALANCED:
        return
    if not isinstance(asked, Mapping):
        raise ValueError(f'class_weight must be a dict or "{BALANCED}", not {asked!r}')
    for name, weight in asked.items():
        if not (isinstance(weight, int | float | np.number) and 0 < weight < np.inf):
            raise ValueError(
                f"class_weight must be positive numbers, not {weight!r} for the class {name!r}; leave out the rows of a class "
                f"that is not to count"
            )
