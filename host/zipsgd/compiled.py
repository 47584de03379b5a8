"""Numba's decorator with the options that the whole package uses."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled", "is_cached", "keeps_code"]

_log = logging.getLogger(__name__)

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """Compile a function with Numba. Its machine code is cached on disk, and it releases the interpreter's lock.

    Where no cache can be written, the function is compiled anew in each process.

    Parameters
    ----------
    function : Callable[..., object]
        The function to compile.

    Returns
    -------
    Callable[..., object]
        The compiled function, with the type of ``function``.
    """
    try:
        found = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return cast(_F, numba.njit(nogil=True)(function))
    _forgive(cast(Any, found)._cache)
    return cast(_F, found)


def _forgive(cache: Any) -> None:
    """Let a cache that cannot be written any more, for instance on a full disk, be no error."""
    save = cache.save_overload

    def save_if_possible(signature: Any, data: Any) -> None:
        try:
            save(signature, data)
        except OSError as error:
            _log.debug("compiled code is not kept: %s", error)

    cache.save_overload = save_if_possible


def keeps_code(function: Callable[..., object]) -> bool:
    """Tell whether the machine code of a compiled function is kept for other processes.

    Parameters
    ----------
    function : Callable[..., object]
        A function that :func:`compiled` has made.

    Returns
    -------
    bool
        False where no cache can be written.
    """
    return getattr(getattr(function, "_cache", None), "cache_path", None) is not None


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
    if not keeps_code(function):
        return False
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}-"
    folder = Path(cast(Any, function)._cache.cache_path)
    return any(file.name.startswith(name) for file in folder.glob("*.nbi"))
