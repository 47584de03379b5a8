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
    """Find the line that is wrong."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            fields = line.partition(b"#")[0].decode().split()
            try:
                for field in fields[:1]:
                    float(field)
                for field in fields[1:]:
                    index, _, value = field.partition(":")
                    if not 1 <= int(index) <= _MOST_COLUMNS:
                        raise ValueError(f"index {index} is not in 1..{_MOST_COLUMNS}, what builds take")
                    float(value)
            except ValueError as error:
                raise DataError(
                    f"{path}, line {number}: not LIBSVM's 'label index:value ...': {error}"
                ) from None
    raise DataError(f"{path} is not LIBSVM's 'label index:value ...'")


class _Block:
    """Rows of a part of the text: ``labels``, and of each entry ``rows``, ``columns`` from 0 and ``values``."""

    def __init__(self, lines: list[bytes], path: Path) -> None:
        entries = np.array([line.count(b":") for line in lines])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)  # before NumPy 2.3 no error
                numbers = np.fromstring(b" ".join(lines).replace(b":", b" ").decode(), sep=" ")
        except (ValueError, DeprecationWarning):
            _explain(path)
        # A field too many shows in its line, a number that is missing or none in the count.
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
    """``label index:value ...``, indices from 1; what is not named is 0. Features are float32.

    ``least_columns``: the table is as wide as the largest index, but no less than that.
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
