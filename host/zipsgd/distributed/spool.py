"""Files by which workers get what stays the same from round to round: values, labels and the configuration of a run.

Only the names of the files go to the workers with each round. So the workers must see the folder: they run on this computer, or
the folder is on a file system that they share.
"""

import io
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from zipsgd.output import write_file

__all__ = ["Spool", "key_of", "read_object"]


class _Pickler(pickle.Pickler):
    """Writes the place of an array that is mapped from a file, rather than its contents."""

    def reducer_override(self, what: Any) -> Any:
        mapped = _mapping(what) if isinstance(what, np.ndarray) else None
        if mapped is None:
            return NotImplemented
        offset = what.__array_interface__["data"][0] - mapped.__array_interface__["data"][0] + mapped.offset
        return _remapped, (str(mapped.filename), what.dtype, offset, what.shape, what.strides)


def _mapping(array: np.ndarray[Any, Any]) -> np.memmap[Any, Any] | None:
    """The mapped file that an array is a view of."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and not isinstance(base.base, np.ndarray):
            return base if base.filename is not None and base.mode == "r" else None
        base = base.base
    return None


def _remapped(
    file: str, kind: np.dtype[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    whole = np.memmap(file, np.uint8, "r")
    size = sum(step * (count - 1) for step, count in zip(strides, shape, strict=True)) + kind.itemsize
    part = whole[offset : offset + size].view(np.ndarray)
    return np.ndarray(shape, kind, part, 0, strides)


def key_of(what: Any) -> Any:
    """What makes two objects the same one: of arrays their place in memory, as views come and go.

    Parameters
    ----------
    what : object
        An object that is kept for as long as its key.

    Returns
    -------
    object
        The key.
    """
    if not isinstance(what, np.ndarray):
        return id(what)
    return what.__array_interface__["data"][0], what.shape, what.strides, what.dtype.str


class Spool:
    """A folder of such files, each written once. A context manager, which deletes the folder.

    Parameters
    ----------
    parent : str, Path or None
        Where the folder is made; None for the system's folder of temporary files.
    """

    def __init__(self, parent: str | Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zipsgd-shards-", dir=parent))
        self._kept: dict[Any, tuple[Any, str]] = {}

    def file(self, what: Any, name: str) -> str:
        """The file of an object, which is written once for as long as the object is the same one.

        Parameters
        ----------
        what : object
            An array; or rows that are read when they are needed, for which the file says how; or anything that can be pickled.
        name : str
            What it is, in a word.

        Returns
        -------
        str
            The file's path, for :func:`read_object`.
        """
        key = key_of(what)
        if key not in self._kept:  # the object is kept, so that no other one gets its key
            path = self.folder / f"{name}-{len(self._kept)}"
            if isinstance(what, np.ndarray) and _mapping(what) is None:
                path = path.with_suffix(".npy")
                np.save(path, what)
            else:
                buffer = io.BytesIO()
                _Pickler(buffer).dump(what)
                write_file(path, buffer.getvalue())
            self._kept[key] = what, str(path)
        return self._kept[key][1]

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def read_object(path: str) -> Any:
    """Read the file of an object. It must be one of :class:`Spool`'s: a pickle can run any code.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    object
        The object; an array is mapped from its file.

    Raises
    ------
    ValueError
        There is no such file here.
    """
    if not Path(path).exists():
        raise ValueError(
            f"this worker does not see {path}: name a folder that all workers share with spool=... (on the command line: "
            f"--spool)"
        )
    if path.endswith(".npy"):
        return np.load(path, mmap_mode="r")
    with open(path, "rb") as file:
        return pickle.load(file)
