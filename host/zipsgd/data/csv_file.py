"""Tables of numbers as text."""

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from .errors import DataError
from .raw_table import RawTable
from .table import column_names

__all__ = ["read_csv"]

_DELIMITERS = ";\t,"  # in this order: there may be decimal commas between semicolons


class _Layout(NamedTuple):
    """``skip``: lines before the first row of numbers. ``delimiter``: None for blanks. ``header``: None without a header."""

    skip: int
    delimiter: str | None
    header: list[str] | None


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line.strip("\r\n")], delimiter=delimiter), [])]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are neither blank nor comments, with their numbers from 1."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and line[0] not in "#@":
                yield number, line


def _layout(path: Path) -> _Layout:
    """Determine the layout from the first line. It is a header if at least half of its non-empty cells are not numbers."""
    for number, line in _lines(path):
        delimiter = next((mark for mark in _DELIMITERS if mark in line), None)
        cells = _cells(line, delimiter)
        filled = [cell for cell in cells if cell]
        if 2 * sum(not _is_number(cell) for cell in filled) >= len(filled):
            return _Layout(number, delimiter, cells)
        return _Layout(number - 1, delimiter, None)
    raise DataError(f"{path} holds no rows of numbers")


def _explain(path: Path, layout: _Layout, reason: str) -> NoReturn:
    """Find the invalid line, and raise an error that names it."""
    width = len(layout.header) if layout.header is not None else None
    for number, line in _lines(path):
        if number <= layout.skip:
            continue
        cells = _cells(line.partition("#")[0], layout.delimiter)
        if width is not None and len(cells) != width:
            raise DataError(f"{path}, line {number}: {len(cells)} values, but the lines before have {width}")
        width = len(cells)
        for column, cell in enumerate(cells):
            if not _is_number(cell):
                name = layout.header[column] if layout.header is not None else f"column {column}"
                if not cell:
                    raise DataError(
                        f"{path}, line {number}, column {name!r}: the cell is empty; fill it in or leave the row out"
                    )
                raise DataError(
                    f"{path}, line {number}, column {name!r}: {cell!r} is not a number; encode classes as numbers, "
                    f"such as 0, 1 and 2, or leave the column out"
                )
    raise DataError(f"{path}: {reason}")


def read_csv(path: Path) -> RawTable:
    """Read a table that is separated by commas, semicolons, tabs or blanks, with or without a header line.

    Blank lines, and lines that begin with # or @, are skipped.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    RawTable
        All columns.

    Raises
    ------
    DataError
        The file is not such a table. The message names line and column.
    """
    try:
        layout = _layout(path)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "loadtxt: input contained no data")
                values = np.loadtxt(
                    path, delimiter=layout.delimiter, skiprows=layout.skip, comments="#", quotechar='"', ndmin=2,
                    encoding="utf-8-sig",
                )  # fmt: skip
        except UnicodeDecodeError:
            raise
        except ValueError as error:
            _explain(path, layout, str(error))
        if not values.size:
            raise DataError(f"{path} holds no rows of numbers")
        if layout.header is not None and len(layout.header) != values.shape[1]:
            _explain(path, layout, "the header does not match the rows")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not text ({error.reason} at byte {error.start}); CSV, NPY, NPZ and LIBSVM files can be read"
        ) from None
    except csv.Error as error:
        raise DataError(f"{path} is not a table: {error}") from None
    names = tuple(layout.header) if layout.header is not None else column_names(values.shape[1])
    return RawTable(values, names, str(path), headed=layout.header is not None)
