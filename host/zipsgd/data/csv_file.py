"""Text files as columns: read by Arrow and, where a file is unusual or broken, row by row."""

import csv
import io
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from .cells import Kind, boolean_of, is_missing, number_of, why_not_a_number
from .columns import Texts, check_names, first_values
from .csv_layout import Layout, layout_of
from .csv_rows import Row, rows_of, uncommented
from .errors import DataError
from .source import BROKEN, open_bytes

__all__ = ["CsvColumns", "read_csv"]

_BLOCK = 1 << 20
"""Bytes of text at a time."""
_SKIPPED = re.compile(rb"^[ \t]+\r?$|^ *[#@][^\r\n]*", re.MULTILINE)
_MAYBE_SKIPPED = re.compile(rb"\n[ \t#@]")
"""Begins with a plain character, so that the search is fast."""
_BLANKS = re.compile(rb"[ \t]+")
_AROUND = re.compile(rb"^[ \t]+|[ \t]+(?=\r?$)", re.MULTILINE)
_BLANK_BEFORE_QUOTE = re.compile(rb'(?:^|[;,\t])[ \t]+"', re.MULTILINE)
_LONE_RETURN = re.compile(rb"\r(?!\n)")

_Numbers = npt.NDArray[np.float64]


class _UnusualError(Exception):
    """The text is none that Arrow reads as it is meant."""


class _Feed(io.RawIOBase):
    """A file of rows for Arrow, without comments and lines of blanks, which it takes for rows."""

    def __init__(self, file: Any, blanks: bool) -> None:
        self._file, self._blanks = file, blanks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Whole lines, of at most ``size`` bytes together; at the end of the file, nothing."""
        while True:
            block = self._file.read(size - len(self._rest))
            text = self._rest + block
            end = text.rfind(b"\n") + 1 if block else len(text)
            if not end and text:
                raise _UnusualError
            self._rest = text[end:]
            cleaned = self._cleaned(text[:end])
            if cleaned or not block:
                return cleaned

    def _cleaned(self, text: bytes) -> bytes:
        quotes = b'"' in text
        if b"\r" in text and _LONE_RETURN.search(text):
            raise _UnusualError
        if quotes and (self._blanks or _SKIPPED.search(text) or _BLANK_BEFORE_QUOTE.search(text)):
            raise _UnusualError
        if not quotes:
            if text[:1] in (b" ", b"\t", b"#", b"@") or _MAYBE_SKIPPED.search(text):
                text = _SKIPPED.sub(b"", text)
            if self._blanks:
                text = _BLANKS.sub(b" ", _AROUND.sub(b"", text))
        return text


@dataclass(frozen=True)
class CsvColumns:
    """The columns of a text file, see :class:`.columns.Columns`.

    Parameters
    ----------
    path : Path
        The file, possibly compressed.
    source : str
        Its name in messages.
    layout : Layout
        How it is to be read.
    """

    path: Path
    source: str
    layout: Layout

    @property
    def names(self) -> tuple[str, ...]:
        """tuple[str, ...]: Names of the columns."""
        return self.layout.names

    @property
    def headed(self) -> bool:
        """bool: Whether the names come from the file."""
        return self.layout.headed

    def is_text(self, place: int) -> bool:
        """Whether a column holds text: most of its cells in the first rows are text."""
        return self.layout.kinds[place] is Kind.TEXT

    def examples(self, place: int) -> tuple[str, list[str]]:
        """Where a column of text begins, and a few of its values, see :meth:`.columns.Columns.examples`."""
        rows = [
            row for row in self.layout.rows if place < len(row.cells) and not is_missing(row.cells[place])
        ]
        return f"line {rows[0].line if rows else self.layout.line}", first_values(
            [row.cells[place] for row in rows]
        )

    def read(
        self, numbers: Sequence[int], texts: Sequence[int] = (), *, missing: Sequence[int] = ()
    ) -> tuple[_Numbers, list[Texts]]:
        """Read some columns, see :meth:`.columns.Columns.read`."""
        try:
            try:
                return self._read_by_arrow(numbers, texts, missing)
            except _UnusualError:
                return self._read_by_rows(numbers, texts, missing)
        except BROKEN as error:
            raise DataError(f"{self.source} cannot be read: {error}") from None

    def _read_by_arrow(
        self, numbers: Sequence[int], texts: Sequence[int], missing: Sequence[int]
    ) -> tuple[_Numbers, list[Texts]]:
        import pyarrow as pa  # only now, so that `import zipsgd` is quick
        import pyarrow.csv as arrow

        layout = self.layout
        names = list(map(str, range(len(layout.names))))
        kinds = {
            **{str(place): pa.string() for place in texts},
            **{str(i): pa.bool_() if layout.kinds[i] is Kind.BOOLEAN else pa.float64() for i in numbers},
        }
        blocks: list[_Numbers] = []
        words: list[list[npt.NDArray[Any]]] = [[] for _ in texts]
        with open_bytes(self.path) as file:
            file.seek(layout.offset)
            try:
                reader = arrow.open_csv(
                    pa.PythonFile(_Feed(file, layout.delimiter is None), "r"),
                    arrow.ReadOptions(
                        column_names=names, block_size=max([_BLOCK, *(8 * len(row.text) for row in layout.rows)])
                    ),
                    arrow.ParseOptions(delimiter=layout.delimiter or " ", newlines_in_values=True),
                    arrow.ConvertOptions(
                        column_types=kinds, include_columns=list(kinds), decimal_point=layout.decimal, null_values=[],
                        true_values=["true", "True", "TRUE"], false_values=["false", "False", "FALSE"],
                    ),
                )  # fmt: skip
                for batch in reader:
                    blocks.append(_matrix([batch.column(str(i)) for i in numbers], batch.num_rows))
                    for kept, place in zip(words, texts):
                        cells = batch.column(str(place)).dictionary_encode()
                        kept.append(_stripped(cells.dictionary.to_pylist())[cells.indices.to_numpy()])
            except pa.ArrowInvalid:
                raise _UnusualError from None
        values = np.concatenate(blocks) if blocks else np.empty((0, len(numbers)))
        columns = [np.concatenate(kept) if kept else _stripped([]) for kept in words]
        if not np.isfinite(values).all():
            raise _UnusualError
        for place, column in zip(texts, columns):
            if place not in missing and any(is_missing(cell, text=True) for cell in np.unique(column)):
                raise _UnusualError
        return values, columns

    def _rows(self) -> Iterator[Row]:
        with open_bytes(self.path) as file:
            file.seek(self.layout.offset)
            text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
            try:
                yield from rows_of(text, self.layout.delimiter, self.layout.line)
            except csv.Error as error:
                raise DataError(f"{self.source} is not a table: {error}") from None

    def _read_by_rows(
        self, numbers: Sequence[int], texts: Sequence[int], missing: Sequence[int]
    ) -> tuple[_Numbers, list[Texts]]:
        """Read row by row, with an error for the first cell that cannot be used."""
        values, count = array("d"), 0
        words: list[list[str]] = [[] for _ in texts]
        width = len(self.names)
        for row in self._rows():
            cells = row.cells
            if "#" in row.text and (len(cells) != width or self._unread(cells, numbers)):
                bare = uncommented(row, self.layout.delimiter, self.layout.decimal)
                cells = bare if len(bare) == width else cells
            if len(cells) != width:
                quote = "; a quote may be missing" * any("\n" in cell or "\r" in cell for cell in cells)
                raise DataError(
                    f"{self.source}, line {row.line}: {len(cells)} values, but the lines before have {width}{quote}"
                )
            values.extend(self._number(row.line, place, cells[place]) for place in numbers)
            for kept, place in zip(words, texts):
                kept.append(self._text(row.line, place, cells[place], place in missing))
            count += 1
        matrix = (
            np.frombuffer(values).reshape(count, len(numbers)) if values else np.empty((count, len(numbers)))
        )
        return matrix, [np.array(kept, dtype=str) for kept in words]

    def _unread(self, cells: Sequence[str], numbers: Sequence[int]) -> bool:
        """Whether one of the cells that must be numbers is none."""
        return any(number_of(cells[place], self.layout.decimal) is None for place in numbers)

    def _number(self, line: int, place: int, cell: str) -> float:
        boolean = self.layout.kinds[place] is Kind.BOOLEAN
        value = boolean_of(cell) if boolean else number_of(cell, self.layout.decimal)
        if value is not None and math.isfinite(value):
            return value
        if boolean and not is_missing(cell):
            self._refuse(
                line,
                place,
                cell,
                f"{cell!r} is neither true nor false, as the other values of this column are",
            )
        self._refuse(line, place, cell, why_not_a_number(cell, self.names[place]))

    def _text(self, line: int, place: int, cell: str, missing: bool) -> str:
        if not cell.isascii() and not _utf8(cell):
            self._refuse(line, place, cell, "")
        if not missing and is_missing(cell, text=True):
            self._refuse(line, place, cell, why_not_a_number(cell, self.names[place]))
        return cell

    def _refuse(self, line: int, place: int, cell: str, reason: str) -> NoReturn:
        if not _utf8(cell):
            reason = "the text is not UTF-8; save the file as UTF-8"
        raise DataError(f"{self.source}, line {line}, column {self.names[place]!r}: {reason}")


def _utf8(cell: str) -> bool:
    """Whether a cell was UTF-8; other bytes are read as lone surrogates."""
    return not any("\udc80" <= mark <= "\udcff" for mark in cell)


def _stripped(cells: list[str]) -> npt.NDArray[Any]:
    return np.array([cell.strip() for cell in cells], dtype=str)


def _matrix(columns: Sequence[Any], rows: int) -> _Numbers:
    """Arrow's columns of numbers or booleans as one array."""
    block = np.empty((rows, len(columns)))
    for place, column in enumerate(columns):
        block[:, place] = column.to_numpy(zero_copy_only=False)
    return block


def read_csv(path: Path, source: str | None = None, header: bool | None = None) -> CsvColumns:
    """Look at a table that is separated by commas, semicolons, tabs or blanks, with or without a header line.

    Parameters
    ----------
    path : Path
        The file.
    source : str or None
        Its name in messages; None for its path.
    header : bool or None
        Whether there is a header; None to decide by :func:`.csv_layout.layout_of`.

    Returns
    -------
    CsvColumns
        Its columns.

    Raises
    ------
    DataError
        The file is not such a table.
    """
    source = str(path) if source is None else source
    try:
        layout = layout_of(path, source, header)
    except BROKEN as error:
        raise DataError(f"{source} cannot be read: {error}") from None
    check_names(layout.names, source)
    return CsvColumns(path, source, layout)
