"""LIBSVM text as a dense table."""

import warnings
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .table import Table, column_names

__all__ = ["read_libsvm"]

_BLOCK = 1 << 24
"""Bytes of text at a time."""
_MOST_COLUMNS = 1 << 16
"""No build takes more features."""


def _explain(path: Path) -> NoReturn:
    """Find the invalid line, and raise an error that names it."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            fields = line.partition(b"#")[0].decode().split()
            try:
                for field in fields[:1]:
                    float(field)
                for field in fields[1:]:
                    index, _, value = field.partition(":")
                    if not 1 <= int(index) <= _MOST_COLUMNS:
                        raise ValueError(
                            f"index {index} is not in 1..{_MOST_COLUMNS}, the range of all builds"
                        )
                    float(value)
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number}: not the LIBSVM format 'label index:value ...': {error}"
                ) from None
    raise DataError(f"{path} does not have the LIBSVM format 'label index:value ...'")


class _Block:
    """The rows of a part of the text: ``labels``, and ``rows``, ``columns`` (from 0) and ``values`` of all entries."""

    def __init__(self, lines: list[bytes], path: Path) -> None:
        entries = np.array([line.count(b":") for line in lines])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)  # only an error from NumPy 2.3 on
                numbers = np.fromstring(b" ".join(lines).replace(b":", b" ").decode(), sep=" ")
        except (ValueError, DeprecationWarning):
            _explain(path)
        # An extra field shows in its line; a number that is missing or invalid shows in the count.
        if numbers.size != entries.size + 2 * entries.sum() or any(
            len(line.split()) != count + 1 for line, count in zip(lines, entries, strict=True)
        ):
            _explain(path)
        is_label = np.zeros(numbers.size, dtype=bool)
        is_label[np.cumsum(1 + 2 * entries) - 1 - 2 * entries] = True
        indices, self.values = numbers[~is_label].reshape(-1, 2).T
        if not np.all((indices >= 1) & (indices <= _MOST_COLUMNS) & (indices % 1 == 0)):
            _explain(path)
        self.labels = numbers[is_label]
        self.columns = indices.astype(np.int64) - 1
        self.rows = np.repeat(np.arange(entries.size), entries)


def read_libsvm(path: Path, least_columns: int = 0) -> Table:
    """Read lines ``label index:value ...`` with indices from 1. Missing values are 0.

    Parameters
    ----------
    path : Path
        The file.
    least_columns : int
        Minimum number of columns. The table is as wide as the largest index, but at least this wide.

    Returns
    -------
    Table
        float32 features and labels.

    Raises
    ------
    DataError
        The file is not LIBSVM text. The message names the line.
    """
    blocks = []
    try:
        with path.open("rb") as file:
            while lines := file.readlines(_BLOCK):
                kept = [part for line in lines if (part := line.partition(b"#")[0].strip())]
                if kept:
                    blocks.append(_Block(kept, path))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: {error.reason} at byte {error.start}") from None
    if not blocks:
        raise DataError(f"{path} holds no rows")
    width = max(least_columns, *(int(block.columns.max(initial=-1)) + 1 for block in blocks))
    features = np.zeros((sum(block.labels.size for block in blocks), width), dtype=np.float32)
    start = 0
    for block in blocks:
        features[start + block.rows, block.columns] = block.values
        start += block.labels.size
    labels: npt.NDArray[np.float64] = np.concatenate([block.labels for block in blocks])
    return Table(features, labels, column_names(width, first=1), str(path))
