"""Numba's decorator as the whole package uses it."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["compiled"]

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """The type of the function kept, machine code cached on disk, the interpreter's lock let go."""
    return cast(_F, numba.njit(cache=True, nogil=True)(function))
