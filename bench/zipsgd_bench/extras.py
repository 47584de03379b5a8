"""Optional parts of the package that some benches need."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["extra"]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """For imports that need an optional part: what is missing becomes an error that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"this bench needs {error.name}, which is not installed: pip install 'zipsgd[{name}]'",
            name=error.name,
        ) from None
