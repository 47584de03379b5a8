"""Sources of training data (named sets, files and arrays), and the scaling of data."""

from collections.abc import Callable
from pathlib import Path

from .errors import DataError
from .files import load_file
from .matching import load_rows
from .scaling import Scaling
from .sets import SETS, load_set
from .table import Table

__all__ = ["SETS", "DataError", "Scaling", "Table", "load", "load_file", "load_rows", "load_set"]


def load(
    source: str | Path,
    *,
    label: str | int | None = None,
    memory: int | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Table:
    """Load a named set or a file.

    Parameters
    ----------
    source : str | Path
        Name of a set, or path of a file.
    label : str | int, optional
        Column of the label, as for :func:`load_file`.
    memory : int, optional
        Bytes that the features may take in memory, as for :func:`load_file`.
    progress : Callable[[str], None]
        Called with a message before a set is downloaded.

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
    return load_set(str(source), progress)
