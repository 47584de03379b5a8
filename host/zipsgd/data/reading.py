"""What a user says about how to read a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from zipsgd.memory import default_memory

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """How to read a file.

    Parameters
    ----------
    label : str, int, sequence of str or int, or None
        The label's column, by its name or by its number from 0 (negative from the end); several are several outputs. None for
        the last column.
    format : str or None
        One of :data:`.source.FORMATS`; None to recognise it.
    header : bool or None
        Whether the first line of a text file is a header; None to decide by :func:`.csv_layout.layout_of`.
    ignore : str, int, or sequence of str or int
        Columns to leave out.
    one_hot : str, int, or sequence of str or int
        Columns of categories: each value becomes a column of 0 and 1. "all" means every column of text.
    memory : int
        Bytes that the features may take in memory.
    """

    label: str | int | Sequence[str | int] | None = None
    format: str | None = None
    header: bool | None = None
    ignore: str | int | Sequence[str | int] = ()
    one_hot: str | int | Sequence[str | int] = ()
    memory: int = field(default_factory=default_memory)

    @property
    def labels(self) -> list[str | int]:
        """list of str or int: The labels' columns; none for the last column."""
        return _listed(self.label)

    @property
    def ignored(self) -> list[str | int]:
        """list of str or int: The columns to leave out."""
        return _listed(self.ignore)

    @property
    def categories(self) -> list[str | int]:
        """list of str or int: The columns of categories."""
        return _listed(self.one_hot)


def _listed(columns: str | int | Sequence[str | int] | None) -> list[str | int]:
    if columns is None:
        return []
    return [columns] if isinstance(columns, str | int) else list(columns)
