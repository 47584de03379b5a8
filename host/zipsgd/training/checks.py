"""What the fields of a saved model may be."""

import sys

__all__ = ["are_numbers", "are_texts", "is_number"]


def is_number(value: object) -> bool:
    """Whether the value is a finite number within the range of float64."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def are_numbers(values: object) -> bool:
    """Whether the value is a list of such numbers."""
    return isinstance(values, list) and all(map(is_number, values))


def are_texts(values: object) -> bool:
    """Whether the value is a list of texts."""
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
