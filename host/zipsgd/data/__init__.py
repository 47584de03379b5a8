"""Where training data come from: named sets, files, and their scaling."""

from .errors import DataError
from .files import load_file
from .scaling import Scaling
from .sets import SETS, load_set
from .table import Table

__all__ = ["SETS", "DataError", "Scaling", "Table", "load", "load_file", "load_set"]


def load(source: str, *, label: str | int | None = None) -> Table:
    """A named set or a file: whichever ``source`` names. ``label`` as in :func:`load_file`."""
    return load_set(source) if source in SETS else load_file(source, label=label)
