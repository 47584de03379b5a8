"""Parameters that are numbers: scikit-learn's habit is to look at them when ``fit`` is called."""

from numbers import Integral, Real
from typing import Any

__all__ = ["number", "whole"]


def whole(name: str, value: Any, low: int) -> int:
    """Raises ValueError, which names the parameter, for what is no whole number from ``low`` on."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
        raise ValueError(f"{name} must be a whole number from {low}, not {value!r}")
    return int(value)


def number(name: str, value: Any) -> float:
    """Raises ValueError, which names the parameter, for what is no number, or NaN."""
    if not isinstance(value, Real) or isinstance(value, bool) or value != value:
        raise ValueError(f"{name} must be a number, not {value!r}")
    return float(value)
