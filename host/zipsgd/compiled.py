"""Numba's decorator with the options that the whole package uses."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

__all__ = ["compiled", "is_cached"]

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


def is_cached(function: Callable[..., object]) -> bool:
    """Tell whether a compiled function has machine code on disk, for some types of arguments.

    Parameters
    ----------
    function : Callable[..., object]
        A function that :func:`compiled` has made.

    Returns
    -------
    bool
        Whether it need not be compiled, if its source has not changed since.
    """
    cache = getattr(function, "_cache", None)
    folder = Path(getattr(cache, "cache_path", None) or ".")
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}-"
    return any(file.name.startswith(name) for file in folder.glob("*.nbi"))
