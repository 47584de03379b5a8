"""Loaders for a user's own files: CSV, NPY, NPZ, LIBSVM."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .table import Table

__all__ = ["load_file", "read_csv", "read_libsvm"]

_LIBSVM = {".libsvm", ".svm", ".svmlight"}


def load_file(path: str | Path, *, label: str | int | None = None) -> Table:
    """Features and labels from a file, by its suffix.

    ``.csv``, ``.tsv``, ``.txt``, ``.dat``
        One row a sample, separated by comma, semicolon, tab or blanks, with or without a header line. ``label`` names the
        label's column, by its header or its index from 0 (negative from the end); by default the last.
    ``.npy``
        One array of shape (rows, columns), ``label`` an index.
    ``.npz``
        Arrays ``X`` and ``y``.
    ``.libsvm``, ``.svm``, ``.svmlight``
        ``label index:value ...``, indices from 1.

    Raises :class:`DataError`, which names file, line and column.
    """
    path = Path(path)
    if not path.exists():
        from .sets import SETS

        raise DataError(f"no file {path}, and no set of that name; named sets: {', '.join(SETS)}")
    if path.is_dir() or path.stat().st_size == 0:
        raise DataError(f"{path} is {'a folder' if path.is_dir() else 'empty'}; a data file is needed")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _split(_numpy_array(path), label, str(path), None)
    if suffix == ".npz":
        return _read_npz(path)
    if suffix in _LIBSVM:
        return read_libsvm(path)
    return read_csv(path, label=label)


def _numbers(array: npt.NDArray[np.generic], source: str) -> npt.NDArray[np.floating]:
    if array.dtype.kind not in "fiub":
        raise DataError(f"{source}: holds {array.dtype}, not numbers")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)  # type: ignore[return-value]


def _numpy_array(path: Path) -> npt.NDArray[np.generic]:
    try:
        loaded: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is no NumPy array file: {error}") from None
    return loaded


def _read_npz(path: Path) -> Table:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "X" not in arrays or "y" not in arrays:
                raise DataError(
                    f"{path} must hold arrays X and y; it holds {', '.join(arrays.files) or 'none'}"
                )
            features, labels = arrays["X"], arrays["y"]
    except (zipfile.BadZipFile, OSError, EOFError, KeyError) as error:
        raise DataError(f"{path} is no NumPy archive: {error}") from None
    features = _numbers(features, f"{path}, X")
    if features.ndim != 2:
        raise DataError(f"{path}, X: shape {features.shape}, must be (rows, columns)")
    names = tuple(f"column {i}" for i in range(features.shape[1]))
    return Table(features, _numbers(labels, f"{path}, y").astype(np.float64), names, str(path))


def _split(
    array: npt.NDArray[np.generic], label: str | int | None, source: str, header: list[str] | None
) -> Table:
    """Label column and features of one array."""
    numbers = _numbers(array, source)
    if numbers.ndim != 2 or numbers.shape[1] < 2:
        raise DataError(
            f"{source}: shape {numbers.shape}; at least one feature and the label are needed in each row"
        )
    names = header or [f"column {i}" for i in range(numbers.shape[1])]
    index = -1 if label is None else label
    if isinstance(index, str):
        if index in names:
            index = names.index(index)
        else:
            try:
                index = int(index)
            except ValueError:
                raise DataError(f"{source}: no column {label!r}; columns: {', '.join(names)}") from None
    if not -len(names) <= index < len(names):
        raise DataError(f"{source}: no column {index}; there are {len(names)}")
    index %= len(names)
    kept = [i for i in range(len(names)) if i != index]
    return Table(
        numbers[:, kept], numbers[:, index].astype(np.float64), tuple(names[i] for i in kept), source
    )


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def read_csv(path: Path, *, label: str | int | None = None) -> Table:
    """A table of numbers as text; see :func:`load_file`. Lines that are blank or begin with # or @ are passed over."""
    header: list[str] | None = None
    rows: list[list[float]] = []
    delimiter: str | None = None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip() or line[0] in "#@":
                    continue
                if not rows and header is None:
                    delimiter = next((mark for mark in ",;\t" if mark in line), None)
                cells = (
                    line.split()
                    if delimiter is None
                    else next(csv.reader([line.strip()], delimiter=delimiter))
                )
                cells = [cell.strip() for cell in cells]
                values = [_number(cell) for cell in cells]
                if not rows and header is None and any(value is None for value in values):
                    header = cells
                    continue
                width = len(header) if header is not None else len(rows[0]) if rows else len(cells)
                if len(cells) != width:
                    raise DataError(
                        f"{path}, line {number}: {len(cells)} values, where the lines before have {width}"
                    )
                if None in values:
                    column = values.index(None)
                    name = header[column] if header else str(column)
                    raise DataError(
                        f"{path}, line {number}, column {name!r}: {cells[column]!r} is not a number; encode it as one or drop "
                        f"the column"
                    )
                rows.append([value for value in values if value is not None])
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: {error}") from None
    if not rows:
        raise DataError(f"{path} holds no rows of numbers")
    return _split(np.array(rows), label, str(path), header)


def read_libsvm(path: Path) -> Table:
    """LIBSVM text as a dense table."""
    labels: list[float] = []
    entries: list[tuple[int, int, float]] = []
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: {error}") from None
    for number, line in enumerate(lines, 1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        try:
            labels.append(float(fields[0]))
            for field in fields[1:]:
                index, _, text = field.partition(":")
                if int(index) < 1:
                    raise ValueError("indices start from 1")
                entries.append((len(labels) - 1, int(index) - 1, float(text)))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: not LIBSVM's 'label index:value ...': {error}") from None
    if not labels:
        raise DataError(f"{path} holds no rows")
    columns = max((column for _, column, _ in entries), default=-1) + 1
    features = np.zeros((len(labels), columns), dtype=np.float32)
    for row, column, value in entries:
        features[row, column] = value
    return Table(features, np.array(labels), tuple(f"column {i + 1}" for i in range(columns)), str(path))
