"""Rows of text files, with the numbers of their lines."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

__all__ = ["Row", "comment_of", "rows_of", "uncommented"]

_COMMENT = re.compile(r"[ \t]*#.*")


class Row(NamedTuple):
    """One row.

    Parameters
    ----------
    line : int
        Number of its first line, from 1.
    cells : list of str
        Its cells, without quotes and without blanks around them.
    text : str
        Its line; of a row with line ends in quotes, the last one.
    """

    line: int
    cells: list[str]
    text: str


class _Lines:
    """Lines for a reader of rows. Between rows, comments and lines of blanks are passed over."""

    def __init__(self, file: Iterable[str], first: int, blanks: bool) -> None:
        self._numbered = zip(count(first), file)
        self._blanks = blanks
        self.between = True
        self.line = first
        self.text = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._numbered:
            if self.between:
                bare = line.lstrip(" ")
                if not bare.strip() or bare[0] in "#@":
                    continue
                self.between, self.line = False, number
            self.text = line
            return " ".join(line.split()) + "\n" if self._blanks and '"' not in line else line
        raise StopIteration


def rows_of(file: Iterable[str], delimiter: str | None, first: int = 1) -> Iterator[Row]:
    """The rows of a text.

    Lines of blanks, and lines that begin with # or @, are passed over. Quotes as in RFC 4180; blanks may precede them.

    Parameters
    ----------
    file : iterable of str
        Lines with their ends.
    delimiter : str or None
        What separates cells; None for blanks.
    first : int
        Number of the first line.

    Yields
    ------
    Row
        A row.

    Raises
    ------
    csv.Error
        The text is not a table.
    """
    lines = _Lines(file, first, delimiter is None)
    reader = csv.reader(lines, delimiter=delimiter or " ", skipinitialspace=True)
    for cells in reader:
        if delimiter is None and len(cells) > 1 and lines.text.rstrip("\r\n")[-1:] in (" ", "\t"):
            cells.pop()
        yield Row(lines.line, [cell.strip() for cell in cells], lines.text)
        lines.between = True


def _cells_of(text: str, delimiter: str | None) -> list[str]:
    """The cells of one row; none of a comment or a line of blanks."""
    return next((row.cells for row in rows_of([text], delimiter)), [])


def comment_of(text: str) -> str:
    """What precedes a comment at the end of a line; the whole line if there is none."""
    return _COMMENT.sub("", text, count=1)


def uncommented(row: Row, delimiter: str | None) -> list[str]:
    """The cells of a row that precede a comment at its end."""
    return _cells_of(comment_of(row.text), delimiter) if "#" in row.text else row.cells
