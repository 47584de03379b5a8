"""The layout of a text file: separator, decimal mark, header, and what the columns hold, from its first lines."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .arrays import column_names
from .cells import Kind, has_decimal_comma, kind_of, number_of
from .csv_rows import Row, is_passed_over, rows_of, uncommented
from .errors import DataError
from .source import open_bytes

__all__ = ["Layout", "layout_of"]

_DELIMITERS = ";\t,"  # in this order: there may be decimal commas between semicolons
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_HEAD = 1 << 20
"""Bytes of the head of a file, at least."""
_FEWEST_LINES = 4
_COMPARED = 10
"""Rows from which the separator is determined."""
_MOST_ROWS = 200
"""Rows from which the layout is determined."""
_LEAST_NUMBERED = 3
"""Cells of a header of consecutive numbers, at least."""
_YEARS = range(1000, 3000)


@dataclass(frozen=True)
class Layout:
    """How a text file is to be read.

    Parameters
    ----------
    delimiter : str or None
        What separates cells; None for blanks.
    decimal : str
        The decimal mark, a point or a comma.
    names : tuple of str
        Names of the columns.
    headed : bool
        Whether the names come from the file.
    kinds : tuple of Kind
        Whether a column holds numbers, booleans or text: what most cells in the first rows are.
    offset : int
        Bytes before the line of the first row of data.
    line : int
        Number of that line, from 1.
    rows : list of Row
        The first rows of data.
    """

    delimiter: str | None
    decimal: str
    names: tuple[str, ...]
    headed: bool
    kinds: tuple[Kind, ...]
    offset: int
    line: int
    rows: list[Row]


def _head(path: Path, name: str) -> bytes:
    """The first lines of a file, whole."""
    with open_bytes(path) as file:
        head, more = b"", b" "
        while more and (len(head) < _HEAD or len(head.splitlines()) < _FEWEST_LINES):
            more = file.read(max(_HEAD, len(head)))
            head += more
    if more:
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1]
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
            what = (
                "is UTF-16 text; save it as UTF-8"
                if head[:2] in (b"\xff\xfe", b"\xfe\xff")
                else "is not text"
            )
            raise DataError(
                f"{name} {what} ({error.reason} at byte {error.start}); CSV, NPY, NPZ and LIBSVM files can be read, and "
                f"Parquet and Arrow files"
            ) from None
    if b"\0" in head:
        raise DataError(
            f"{name} is not text (it has a zero byte); CSV, NPY, NPZ and LIBSVM files can be read, and Parquet and Arrow files"
        )
    return head


def _delimiter(text: str) -> str | None:
    """What separates cells: the first of ``;``, tab and ``,`` that is in most of the first rows.

    If none is: blanks if they are in most of them, and otherwise the first of the three that is in the first row.
    """
    lines: list[str] = []
    for line in io.StringIO(text, newline=""):
        if lines and lines[-1].count('"') % 2:  # a quoted cell goes on in this line
            lines[-1] += line
        elif not is_passed_over(line):
            if len(lines) == _COMPARED:
                break
            lines.append(line)
    bare = [_QUOTED.sub("q", line) for line in lines]
    for mark in _DELIMITERS:
        if 2 * sum(mark in line for line in bare) > len(bare):
            return mark
    if 2 * sum(len(line.split()) > 1 for line in bare) > len(bare):
        return None
    return next((mark for mark in _DELIMITERS if bare and mark in bare[0]), None)


def _consecutive(cells: Sequence[str]) -> bool:
    """Whether the cells are whole numbers, each greater by one than the one before."""
    if not all(re.fullmatch(r"-?\d{1,15}", cell) for cell in cells):
        return False
    numbers = list(map(int, cells))
    return numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False


def _all_quoted(row: Row) -> bool:
    """Whether every cell of a row is quoted."""
    return len(_QUOTED.findall(row.text)) == len(row.cells) and not re.search(
        r"[^\s;,]", _QUOTED.sub("", row.text)
    )


def _majority(cells: Sequence[str], decimal: str) -> Kind:
    """What a column holds: text if most of its cells are text, and booleans or numbers otherwise."""
    kinds = [kind for cell in cells if (kind := kind_of(cell, decimal)) is not Kind.MISSING]
    if 2 * kinds.count(Kind.TEXT) > len(kinds):
        return Kind.TEXT
    return Kind.BOOLEAN if kinds.count(Kind.BOOLEAN) > kinds.count(Kind.NUMBER) else Kind.NUMBER


def _decimal(rows: Sequence[Row], delimiter: str | None) -> str:
    """The decimal mark: a comma if as many cells are numbers with it as with a point, unless commas separate the cells."""
    cells = [cell for row in rows for cell in uncommented(row, delimiter, ",")]
    if delimiter == "," or not any(map(has_decimal_comma, cells)):
        return "."
    commas, points = (sum(number_of(cell, mark) is not None for cell in cells) for mark in ",.")
    return "," if commas >= points else "."


def _width(rows: Sequence[Row], delimiter: str | None, decimal: str) -> int:
    """Number of columns: that of the first row, without a comment at its end unless rows without comments have as many."""
    raw, bare = len(rows[0].cells), len(uncommented(rows[0], delimiter, decimal))
    plain = {len(row.cells) for row in rows if "#" not in row.text}
    return raw if raw in plain and bare not in plain else bare


def _check_widths(rows: Sequence[Row], width: int, name: str) -> None:
    """Raise DataError if most of the first rows have not as many cells as the header or the first of them."""
    wrong = [row for row in rows if len(row.cells) != width]
    if 2 * len(wrong) > len(rows):
        raise DataError(
            f"{name}, line {wrong[0].line}: {len(wrong[0].cells)} values, but the lines before have {width}"
        )


def _trimmed(rows: Sequence[Row], width: int, delimiter: str | None, decimal: str) -> list[Row]:
    """The rows, without comments at the ends of those that have ``width`` cells before them."""
    bare = [uncommented(row, delimiter, decimal) for row in rows]
    return [row._replace(cells=cells) if len(cells) == width else row for row, cells in zip(rows, bare)]


def _columns(rows: Sequence[Row], count: int) -> list[list[str]]:
    """The cells of the columns, of those rows that have as many cells as there are columns."""
    listed = [row.cells for row in rows if len(row.cells) == count]
    return [[cells[i] for cells in listed] for i in range(count)]


def _is_header(first: Row, rest: Sequence[Row], decimal: str) -> bool:
    """Whether a row is a header. The rules are those of :func:`layout_of`."""
    cells = first.cells
    kinds = [kind_of(cell, decimal) for cell in cells]
    texts = kinds.count(Kind.TEXT)
    if not texts:
        if not rest:
            return False
        if _all_quoted(first) and not _all_quoted(rest[0]):
            return Kind.BOOLEAN not in kinds
        numbered = cells[1:] if not cells[0] else cells
        if len(cells) < _LEAST_NUMBERED or not _consecutive(numbered):
            return False
        begins = int(numbered[0])
        return (begins == 0 or begins in _YEARS) and not _consecutive(rest[0].cells[-len(numbered) :])
    filled = [cell for cell in cells if cell]
    if texts == len(filled):
        return True
    columns = _columns(rest, len(cells))
    named = any(
        kind is Kind.TEXT and column and _majority(column, decimal) is not Kind.TEXT
        for kind, column in zip(kinds, columns)
    )
    numbers = [cell for cell, kind in zip(cells, kinds) if kind is Kind.NUMBER]
    if not named or not all(cell.isdecimal() for cell in numbers):
        return False
    return 2 * texts >= len(filled) or _consecutive(numbers)


def _commented_header(
    before: str, delimiter: str | None, rows: Sequence[Row], decimal: str
) -> list[str] | None:
    """The cells of a header in the comment directly before the first row; None if the comment is none.

    A mark ``#`` is no part of the first name. An ``@`` is.
    """
    bare = before.strip()
    if bare.startswith("#"):
        bare = bare.lstrip("# \t")
    elif not bare.startswith("@") or delimiter is None:
        return None
    try:
        cells = [
            cell.strip()
            for cell in next(csv.reader([bare], delimiter=delimiter or " ", skipinitialspace=True), [])
        ]
    except csv.Error:
        return None
    if (
        len(cells) < 2
        or len(cells) != len(rows[0].cells)
        or not _is_header(Row(0, cells, bare), rows, decimal)
    ):
        return None
    return cells


def layout_of(path: Path, name: str, header: bool | None) -> Layout:
    """Determine the layout of a text file.

    The first row is a header in one of these cases, and otherwise data. Missing values are no sign of a header.

    * All of its cells are text.
    * A cell is text where the rows below have numbers, the others are whole numbers, and at least half of its cells are text
      or the others are consecutive (``id,2019,2020``).
    * Its cells are three or more consecutive whole numbers from 0 on or from a year on (``0,1,2`` or ``2019,2020,2021``; the
      first cell may be empty), and those of the next row are not consecutive.
    * Its cells are all quoted, and those of the next row are not.

    A comment directly before the first row is the header if these rules take its cells for one and there are as many. If all
    rows have one cell more than the header, the first column has no name.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        Its name in messages.
    header : bool or None
        Whether there is a header; None to decide by these rules.

    Returns
    -------
    Layout
        The layout.

    Raises
    ------
    DataError
        The file is not text, or holds no rows.
    """
    head = _head(path, name)
    text = head.decode("utf-8-sig", errors="surrogateescape")
    delimiter = _delimiter(text)
    rows: list[Row] = []
    try:
        for row in rows_of(io.StringIO(text, newline=""), delimiter):
            rows.append(row)
            if len(rows) > _MOST_ROWS:
                break
    except csv.Error as error:
        if not rows:
            raise DataError(f"{name} is not a table: {error}") from None
    if not rows:
        raise DataError(f"{name} holds no rows of numbers")
    decimal = _decimal(rows, delimiter)
    rows = _trimmed(rows, _width(rows[1:] or rows, delimiter, decimal), delimiter, decimal)
    first, lines = rows[0], head.splitlines(keepends=True)
    plain = _is_header(first, rows[1:], decimal)
    names: list[str] | None = None
    if header is not False and first.line > 1 and not plain:
        before = lines[first.line - 2].decode("utf-8-sig", errors="surrogateescape")
        names = _commented_header(before, delimiter, rows, decimal)
    if names is None and (plain if header is None else header):
        names, rows = first.cells, rows[1:]
        if not rows:
            raise DataError(f"{name} holds no rows of numbers, only a header")
    if names is not None and any("\udc80" <= mark <= "\udcff" for cell in names for mark in cell):
        raise DataError(f"{name}, line {first.line}: the header is not UTF-8; save the file as UTF-8")
    if names is not None and all(len(row.cells) == len(names) + 1 and row.cells[-1] for row in rows):
        names = ["", *names]  # as R writes names of rows
    width = len(rows[0].cells) if names is None else len(names)
    _check_widths(rows, width, name)
    bom = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    return Layout(
        delimiter,
        decimal,
        column_names(width)
        if names is None
        else tuple(cell or f"Unnamed: {i}" for i, cell in enumerate(names)),
        names is not None,
        tuple(_majority(column, decimal) for column in _columns(rows, width)),
        max(bom, sum(map(len, lines[: rows[0].line - 1]))),
        rows[0].line,
        rows,
    )
