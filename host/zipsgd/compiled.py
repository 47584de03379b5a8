"""Numba's decorator with the options that the whole package uses."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["compiled"]

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """Compile a function with Numba. Its machine code is cached on disk, and it releases the interpreter's lock.

    Parameters
    ----------
    function : Callable[..., object]
        The function to compile.

    Returns
    -------
    Callable[..., object]
        The compiled function, with the type of ``function``.
    """
    return cast(_F, numba.njit(cache=True, nogil=True)(function))
