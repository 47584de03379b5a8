"""Checks of numeric parameters. As usual in scikit-learn, they are made when ``fit`` is called."""

from numbers import Integral, Real
from typing import Any

__all__ = ["batch_of", "number", "whole"]

_BATCH = 16
_FEWEST_BATCHES = 32
"""Least number of mini-batches in an epoch with batch_size="auto"; with few rows, mini-batches are smaller."""


def whole(name: str, value: Any, low: int) -> int:
    """Check that a parameter is a whole number.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : Any
        Its value.
    low : int
        Smallest allowed value.

    Returns
    -------
    int
        The value.

    Raises
    ------
    ValueError
        The value is not a whole number, or is below ``low``.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
        raise ValueError(f"{name} must be a whole number from {low}, not {value!r}")
    return int(value)


def number(name: str, value: Any) -> float:
    """Check that a parameter is a number.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : Any
        Its value.

    Returns
    -------
    float
        The value.

    Raises
    ------
    ValueError
        The value is not a number, or is NaN.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or value != value:
        raise ValueError(f"{name} must be a number, not {value!r}")
    return float(value)


def batch_of(asked: Any, samples: int) -> int:
    """Samples of a mini-batch.

    Parameters
    ----------
    asked : "auto" or int
        What the user asks for. "auto": 16, or fewer in a short epoch.
    samples : int
        Samples of an epoch.

    Returns
    -------
    int
        1 or more.

    Raises
    ------
    ValueError
        ``asked`` is something else.
    """
    if isinstance(asked, str):
        if asked != "auto":
            raise ValueError(f'batch_size must be "auto" or a number of samples, not {asked!r}')
        return min(_BATCH, max(1, samples // _FEWEST_BATCHES))
    return whole("batch_size", asked, 1)
