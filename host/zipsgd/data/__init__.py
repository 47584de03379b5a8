"""Where training data come from: named sets, files, arrays; and their scaling."""

import logging
from collections.abc import Sequence
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

_log = logging.getLogger(__name__)


def load(
    source: str | Path,
    *,
    label: str | int | Sequence[str | int] | None = None,
    memory: int | None = None,
) -> Table:
    """A named set or a file: whichever ``source`` names. A set that is fetched for the first time is logged.

    Parameters
    ----------
    source : str or Path
        One of :data:`SETS`, or a file's path.
    label, memory
        As in :func:`load_file`.

    Raises
    ------
    DataError
        No such set or file, or nothing that can be trained on.
    """
    if str(source) not in SETS:
        return load_file(source, label=label, memory=memory)
    if label:
        raise DataError(f"the set {source} has its label; name no column for it")
    return load_set(str(source), _log.info)
