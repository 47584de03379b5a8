"""Where training data come from: named sets, files, arrays; and their scaling."""

from collections.abc import Callable
from pathlib import Path

from .errors import DataError
from .files import load_file
from .inputs import as_features, as_table
from .matching import load_rows
from .scaling import Scaling
from .sets import SETS, load_set
from .table import Table

__all__ = [
    "SETS",
    "DataError",
    "Scaling",
    "Table",
    "as_features",
    "as_table",
    "load",
    "load_file",
    "load_rows",
    "load_set",
]


def load(
    source: str | Path,
    *,
    label: str | int | None = None,
    memory: int | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Table:
    """A named set or a file: whichever ``source`` names.

    ``label``, ``memory``: as in :func:`load_file`. ``progress``: told before a set is fetched. Raises :class:`DataError`.
    """
    if str(source) not in SETS:
        return load_file(source, label=label, memory=memory)
    if label is not None:
        raise DataError(f"the set {source} has its label; name no column for it")
    return load_set(str(source), progress)
