"""Sources of training data (named sets, files and arrays), and the scaling of data."""

import logging
from collections.abc import Sequence
from pathlib import Path

from .errors import DataError
from .files import load_file
from .inputs import as_features, as_table
from .matching import arrange, load_rows
from .scaling import Scaling
from .sets import SETS, load_set
from .table import Table

__all__ = [
    "SETS",
    "DataError",
    "Scaling",
    "Table",
    "arrange",
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
    """Load a named set or a file. The download of a set is logged.

    Parameters
    ----------
    source : str | Path
        Name of a set, or path of a file.
    label : str | int | Sequence[str | int], optional
        Column of the label, as for :func:`load_file`.
    memory : int, optional
        Bytes that the features may take in memory, as for :func:`load_file`.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        The set or the file cannot be loaded.
    """
    if str(source) not in SETS:
        return load_file(source, label=label, memory=memory)
    if label is not None:
        raise DataError(f"the set {source} already has a label: leave out the name of the label's column")
    return load_set(str(source), _log.info)
