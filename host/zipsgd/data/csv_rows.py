"""Rows of text files, with the numbers of their lines."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from .cells import number_of

__all__ = ["Row", "is_passed_over", "rows_of", "uncommented"]

_SEPARATOR = re.compile("sep=.?", re.IGNORECASE)


class Row(NamedTuple):
    """One row.

    Parameters
    ----------
    line : int
        Number of its first line, from 1.
    cells : list of str
        Its cells, without quotes and without blanks around them.
    text : str
        Its line; of a row with line ends in quotes, its lines.
    """

    line: int
    cells: list[str]
    text: str


def is_passed_over(line: str) -> bool:
    """Whether a line between rows is no row: blanks, a comment, or the line in which Excel names the separator."""
    bare = line.lstrip(" ")
    return not bare.strip() or bare[0] in "#@" or _SEPARATOR.fullmatch(bare.strip()) is not None


class _Lines:
    """Lines for a reader of rows. Between rows, comments and lines of blanks are passed over."""

    def __init__(self, file: Iterable[str], first: int, blanks: bool) -> None:
        self._numbered = zip(count(first), file)
        self._blanks = blanks
        self.between = True
        self.line = first
        self.texts: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._numbered:
            if self.between:
                if is_passed_over(line):
                    continue
                self.between, self.line, self.texts = False, number, []
            self.texts.append(line)
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
        text = "".join(lines.texts)
        if delimiter is None and len(cells) > 1 and text.rstrip("\r\n")[-1:] in (" ", "\t"):
            cells.pop()
        yield Row(lines.line, [cell.strip() for cell in cells], text)
        lines.between = True


def uncommented(row: Row, delimiter: str | None, decimal: str) -> list[str]:
    """The cells of a row that precede a comment at its end: a ``#`` behind a number or, between blanks, in front of a cell.

    So a text such as ``12 High Street #5`` has no comment, and neither has a quoted cell.

    Parameters
    ----------
    row : Row
        The row.
    delimiter : str or None
        What separates them; None for blanks.
    decimal : str
        The decimal mark of numbers.

    Returns
    -------
    list of str
        The cells; all of them if there is no comment.
    """
    cells = row.cells
    for place, cell in enumerate(cells):
        number, mark, _ = cell.partition("#")
        if mark and f'"{cell}' in row.text:
            continue
        if mark and not number and delimiter is None and place:
            return cells[:place]
        if mark and number_of(number.rstrip(), decimal) is not None:
            return [*cells[:place], number.rstrip()]
    return cells
