"""Where data come from: files, compressed files, pipes and standard input, as files that can be read from any place."""

import bz2
import gzip
import lzma
import os
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from .errors import DataError

__all__ = ["BROKEN", "FORMATS", "check_file", "format_of", "open_bytes", "regular_file", "title"]

FORMATS = ("csv", "libsvm", "npy", "npz", "parquet", "arrow")
"""Names of the formats of files."""

BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error)
"""What reading a broken file raises, compressed or not."""

_SUFFIXES = {
    ".npy": "npy",
    ".npz": "npz",
    ".libsvm": "libsvm",
    ".svm": "libsvm",
    ".svmlight": "libsvm",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_PACKED: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_PACKED_SUFFIXES = (".gz", ".bz2", ".xz")
_MAGIC = {b"\x93NUMPY": "npy", b"PK\x03\x04": "npz", b"PAR1": "parquet", b"ARROW1": "arrow", b"FEA1": "arrow"}
_LIBSVM_LINE = re.compile(
    rb"\s*[-+]?[\d.]+(?:[eE][-+]?\d+)?(?:\s+(?:qid|\d+):[-+]?[\d.]+(?:[eE][-+]?\d+)?)+\s*(?:#.*)?"
)
_HEAD = 1 << 16
"""Bytes that are looked at to recognise a format."""


def title(path: str | Path) -> str:
    """What messages call a file."""
    return "standard input" if str(path) == "-" else str(path)


def check_file(path: Path) -> None:
    """Check that a path is a file with contents, or a pipe.

    Parameters
    ----------
    path : Path
        The path; ``-`` is standard input.

    Raises
    ------
    DataError
        It is not.
    """
    if str(path) == "-":
        return
    if not path.exists():
        from difflib import get_close_matches

        from .sets import SETS

        near = get_close_matches(str(path), SETS, 1)
        guess = f"did you mean {near[0]}? Named sets" if near else "named sets"
        raise DataError(f"there is no file {path}, and no set of that name; {guess}: {', '.join(SETS)}")
    if path.is_dir():
        raise DataError(f"{path} is a folder; a data file is needed")
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path} is empty; a data file is needed")


@contextmanager
def regular_file(path: Path) -> Iterator[Path]:
    """A regular file with the contents of a path. A pipe is read once, into a temporary file.

    Parameters
    ----------
    path : Path
        A file, a pipe, or ``-`` for standard input.

    Yields
    ------
    Path
        The file. A temporary file is removed at the end; what is mapped from it or open then stays readable.

    Raises
    ------
    DataError
        There is no such file, or it is empty.
    """
    check_file(path)
    if path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="zipsgd-") as folder:
        copy = Path(folder) / "data"
        with copy.open("wb") as output:
            if str(path) == "-":
                shutil.copyfileobj(sys.stdin.buffer, output, _HEAD)
            else:
                with path.open("rb") as pipe:
                    shutil.copyfileobj(pipe, output, _HEAD)
        if not copy.stat().st_size:
            raise DataError(f"{title(path)} is empty; data are needed")
        yield copy


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file of text, which may be compressed by gzip, bzip2 or xz.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    IO[bytes]
        What it holds, uncompressed.
    """
    with path.open("rb") as file:
        magic = file.read(6)
    packed = next((opened for mark, opened in _PACKED.items() if magic.startswith(mark)), None)
    return path.open("rb") if packed is None else cast(IO[bytes], packed(path))


def format_of(path: Path, name: str, wanted: str | None) -> str:
    """The format of a file.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What the user calls it; a suffix such as ``.npy`` determines the format.
    wanted : str or None
        The format that the user names; None for that of the suffix or, for any other suffix, what the first bytes look like.

    Returns
    -------
    str
        One of :data:`FORMATS`.

    Raises
    ------
    DataError
        There is no such format, or the compressed file is broken.
    """
    if wanted is not None:
        if wanted not in FORMATS:
            raise DataError(f"there is no format {wanted!r}; formats: {', '.join(FORMATS)}")
        return wanted
    stem, suffix = os.path.splitext(name.lower())
    if suffix in _PACKED_SUFFIXES:
        suffix = os.path.splitext(stem)[1]
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    try:
        with open_bytes(path) as file:
            head = file.read(_HEAD)
    except BROKEN as error:
        raise DataError(f"{name} cannot be read: {error}") from None
    found = next((kind for mark, kind in _MAGIC.items() if head.startswith(mark)), None)
    if found is not None:
        return found
    lines = (line for line in head.splitlines() if line.strip() and line.lstrip()[:1] != b"#")
    return "libsvm" if _LIBSVM_LINE.fullmatch(next(lines, b"")) else "csv"
