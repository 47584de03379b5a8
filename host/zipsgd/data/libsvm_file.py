"""LIBSVM text as a dense table."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from .arrays import column_names
from .cells import number_of
from .errors import DataError
from .source import BROKEN, open_bytes
from .table import Table

__all__ = ["read_libsvm"]

_BLOCK = 1 << 20
"""Bytes of text at a time: few enough for the second-level cache."""
_MOST_COLUMNS = 1 << 16
"""No build takes more features."""
_COMMENT = re.compile(rb"#[^\n]*")
_SPACE, _COLON, _END, _DIGITS = (
    np.frombuffer(marks, np.uint8) for marks in (b" \t\r\n\v\f", b":", b"\n", b"0123456789")
)

_TO_LINES = bytes.maketrans(b" \t\r\v\f:", b"\n" * 6)

_Marks = npt.NDArray[np.bool_]


class _BrokenError(Exception):
    """A block is not the LIBSVM format."""


def _refuse(source: str, line: int, field: int, text: str, reason: str) -> NoReturn:
    raise DataError(
        f"{source}, line {line}, field {field} ({text!r}): {reason}; a line of the LIBSVM format is 'label index:value ...', "
        f"with ascending indices from 1"
    )


def _check_line(source: str, line: int, fields: list[str]) -> None:
    """Raise an error for the first invalid field of a line."""
    label, last = number_of(fields[0]), 0
    if label is None or not np.isfinite(label):
        _refuse(source, line, 1, fields[0], "the label is not a finite number")
    for place, field in enumerate(fields[1:], 2):
        index, colon, text = field.partition(":")
        value = number_of(text)
        if index == "qid":
            _refuse(
                source,
                line,
                place,
                field,
                "query numbers are for ranking, which is not supported; leave them out",
            )
        if not colon or not re.fullmatch(r"[0-9]+", index) or value is None:
            _refuse(source, line, place, field, "not index:value")
        if not 1 <= int(index) <= _MOST_COLUMNS:
            _refuse(
                source,
                line,
                place,
                field,
                f"index {index} is not in 1..{_MOST_COLUMNS}, the range of all builds",
            )
        if int(index) <= last:
            _refuse(source, line, place, field, f"index {index} comes after {last}")
        if not np.isfinite(value):
            _refuse(
                source,
                line,
                place,
                field,
                f"column {index} is {value}, not a finite number in the range of float64",
            )
        last = int(index)


def _explain(path: Path, source: str) -> NoReturn:
    """Find the invalid line, and raise an error that names it."""
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            try:
                fields = line.partition(b"#")[0].decode().split()
            except UnicodeDecodeError as error:
                raise DataError(f"{source} is not text: {error.reason} in line {number}") from None
            if fields:
                _check_line(source, number, fields)
    raise DataError(f"{source} does not have the LIBSVM format 'label index:value ...'")


def _is_one_of(text: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]) -> _Marks:
    table = np.zeros(256, dtype=bool)
    table[marks] = True
    return table[text]


def _fields_per_line(text: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The numbers of fields of the lines that have any. Raises _BrokenError unless they are a label and pairs of an index."""
    space = _is_one_of(text, _SPACE)
    begins = ~space & np.concatenate([[True], space[:-1]])
    ends = ~space & np.concatenate([space[1:], [True]])
    starts, stops = np.flatnonzero(begins), np.flatnonzero(ends) + 1
    line = np.concatenate([[0], np.cumsum(text == _END[0], dtype=np.int32)])[starts]
    first = np.concatenate([[True], line[1:] != line[:-1]]) if line.size else np.empty(0, dtype=bool)
    colons = np.flatnonzero(text == _COLON[0])
    if colons.size != starts.size - np.count_nonzero(first):
        raise _BrokenError
    pairs, pair_stops = starts[~first], stops[~first]
    digits = np.concatenate([[0], np.cumsum(_is_one_of(text, _DIGITS), dtype=np.int32)])
    # As many colons as pairs, and the n-th colon lies within the n-th pair, behind digits alone
    if not ((pairs < colons) & (colons < pair_stops - 1)).all():
        raise _BrokenError
    if not (digits[colons] - digits[pairs] == colons - pairs).all():
        raise _BrokenError
    return np.diff(np.append(np.flatnonzero(first), starts.size))


def _numbers(text: bytes) -> npt.NDArray[np.float64]:
    """All numbers of a text, in order. Raises _BrokenError if there is anything else."""
    import pyarrow as pa  # only now, so that `import zipsgd` is quick
    import pyarrow.csv as arrow

    try:
        column = arrow.read_csv(
            pa.BufferReader(text.translate(_TO_LINES)),
            arrow.ReadOptions(column_names=["number"], use_threads=False),
            arrow.ParseOptions(quote_char=False),
            arrow.ConvertOptions(column_types={"number": pa.float64()}, null_values=[]),
        ).column(0)
    except pa.ArrowInvalid:
        raise _BrokenError from None
    numbers: npt.NDArray[np.float64] = column.to_numpy()
    return numbers


class _Block:
    """The rows of a part of the text: ``labels``, and ``rows``, ``columns`` (from 0) and ``values`` of all entries."""

    def __init__(self, text: bytes) -> None:
        text = _COMMENT.sub(b"", text)
        entries = _fields_per_line(np.frombuffer(text, np.uint8)) - 1
        numbers = _numbers(text) if entries.size else np.empty(0)
        if numbers.size != entries.size + 2 * entries.sum() or not np.isfinite(numbers).all():
            raise _BrokenError
        is_label = np.zeros(numbers.size, dtype=bool)
        is_label[np.cumsum(1 + 2 * entries) - 1 - 2 * entries] = True
        indices, self.values = numbers[~is_label].reshape(-1, 2).T
        self.labels = numbers[is_label]
        self.columns = np.clip(indices, 0, 1 << 32).astype(np.int64) - 1
        self.rows = np.repeat(np.arange(entries.size), entries)
        ascending = (np.diff(self.columns) > 0) | (np.diff(self.rows) > 0)
        if not ascending.all() or np.any((indices < 1) | (indices > _MOST_COLUMNS)):
            raise _BrokenError


def _blocks(path: Path) -> Iterator[bytes]:
    """Whole lines."""
    with open_bytes(path) as file:
        rest = b""
        while block := file.read(_BLOCK):
            text = rest + block
            end = text.rfind(b"\n") + 1
            rest = text[end:]
            yield text[:end]
        yield rest


def read_libsvm(path: Path, source: str | None = None, least_columns: int = 0) -> Table:
    """Read lines ``label index:value ...`` with ascending indices from 1. Missing values are 0.

    Parameters
    ----------
    path : Path
        The file, possibly compressed.
    source : str or None
        Its name in messages; None for its path.
    least_columns : int
        Minimum number of columns. The table is as wide as the largest index, but at least this wide.

    Returns
    -------
    Table
        Features and labels. The features are float32 if that is exact for all of them, otherwise float64.

    Raises
    ------
    DataError
        The file is not LIBSVM text. The message names the line and the field.
    """
    source = str(path) if source is None else source
    try:
        blocks = [block for text in _blocks(path) if (block := _Block(text)).labels.size]
    except _BrokenError:
        _explain(path, source)
    except BROKEN as error:
        raise DataError(f"{source} cannot be read: {error}") from None
    if not blocks:
        raise DataError(f"{source} holds no rows")
    width = max(least_columns, *(int(block.columns.max(initial=-1)) + 1 for block in blocks))
    with np.errstate(over="ignore"):
        exact = all(np.array_equal(block.values.astype(np.float32), block.values) for block in blocks)
    features: npt.NDArray[np.floating] = np.zeros(
        (sum(block.labels.size for block in blocks), width), dtype=np.float32 if exact else np.float64
    )
    start = 0
    for block in blocks:
        features[start + block.rows, block.columns] = block.values
        start += block.labels.size
    labels: npt.NDArray[np.float64] = np.concatenate([block.labels for block in blocks])
    return Table(features, labels, column_names(width, first=1), source)
