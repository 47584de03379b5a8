"""Checks of numeric parameters. As usual in scikit-learn, they are made when ``fit`` is called."""

from numbers import Integral, Real
from typing import Any

__all__ = ["number", "whole"]


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
