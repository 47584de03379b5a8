"""Optional dependencies that some benches need."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["extra"]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """A context for imports of optional dependencies. If one is missing, the error says how to install it.

    Parameters
    ----------
    name : str
        The optional dependency group of the package.

    Yields
    ------
    None

    Raises
    ------
    ModuleNotFoundError
        A module is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"this bench needs {error.name}, which is not installed: pip install 'zipsgd[{name}]'",
            name=error.name,
        ) from None
