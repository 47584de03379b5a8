"""Numbers of Python in place of NumPy's scalars, which overflow, lack methods of int, and cannot be written as JSON.

The scalars are known by their shape and their method ``item``, since this package does not import NumPy.
"""

from dataclasses import fields
from typing import Any

__all__ = ["make_plain", "plain"]


def plain(value: Any) -> Any:
    """Python's number for a scalar of NumPy, such as 3 for ``np.int64(3)``; anything else as it is.

    Parameters
    ----------
    value : Any
        The value.

    Returns
    -------
    Any
        An int, float, bool or complex for a scalar or an array without dimensions; otherwise ``value``.
    """
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def make_plain(instance: Any) -> None:
    """Replace NumPy's scalars among the fields of a dataclass; to be called first in ``__post_init__``.

    Parameters
    ----------
    instance : dataclass instance
        The instance, which may be frozen.
    """
    for field in fields(instance):
        value = getattr(instance, field.name)
        if (number := plain(value)) is not value:
            object.__setattr__(instance, field.name, number)
