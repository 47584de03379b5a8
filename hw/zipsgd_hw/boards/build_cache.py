"""The cache of finished syntheses and routings: one archive each in the user's cache folder."""

import hashlib
import io
import os
import time
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from zipsgd.cache import cache_folder
from zipsgd.output import OutputError, write_file

__all__ = ["BuildCache", "key_of"]

_FORM = "1"
"""Goes up when what an archive holds is changed."""
_LIMIT_BYTES = 1 << 30
_STALE_SECONDS = 86400.0
"""Age at which a part of an archive is no longer being written."""
_DAMAGED = (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""What reading an archive that is not there, or is not whole, raises."""


def key_of(command: Iterable[str], version: str, inputs: Mapping[str, bytes]) -> str:
    """The key of what a tool makes.

    Parameters
    ----------
    command : iterable of str
        The tool's name and its arguments, in which files are named without a folder.
    version : str
        The tool's version.
    inputs : mapping of str to bytes
        The files that it reads, by name.

    Returns
    -------
    str
        The key, a hash of all this and of nothing else.
    """
    digest = hashlib.sha256()
    words = [_FORM, version, *command, *(word for item in sorted(inputs.items()) for word in item)]
    for word in words:
        content = word if isinstance(word, bytes) else word.encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:40]


class BuildCache:
    """Archives of what tools made, the least recently used of which are deleted when all together are too large.

    An archive is put in place as a whole, and its checksums are tested when it is read. So builds may share a cache, and may be
    ended at any time.

    Parameters
    ----------
    folder : Path or None
        The folder; None for ``builds`` among the user's caches.
    limit_bytes : int
        Most bytes of all archives.
    """

    def __init__(self, folder: Path | None = None, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._folder = cache_folder("builds") if folder is None else folder
        self._limit = limit_bytes

    @property
    def folder(self) -> Path:
        """Path: The folder of the archives."""
        return self._folder

    def _archive(self, key: str) -> Path:
        return self._folder / f"{key}.zip"

    def get(self, key: str, names: Iterable[str]) -> dict[str, bytes] | None:
        """Read an archive.

        Parameters
        ----------
        key : str
            The key, see :func:`key_of`.
        names : iterable of str
            The files that are needed.

        Returns
        -------
        dict of str to bytes or None
            The files by name; None if there is no whole archive with all of them.
        """
        path = self._archive(key)
        try:
            with zipfile.ZipFile(path) as archive:
                found = {name: archive.read(name) for name in names}
        except _DAMAGED:
            with suppress(OSError):
                path.unlink()  # it would be in the way of a whole one
            return None
        with suppress(OSError):
            os.utime(path)
        return found

    def put(self, key: str, files: Mapping[str, bytes]) -> None:
        """Write an archive, and delete others if all together are too large. A cache that cannot be written stays as it is.

        Parameters
        ----------
        key : str
            The key, see :func:`key_of`.
        files : mapping of str to bytes
            The files by name.
        """
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        with suppress(OutputError, OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_file(self._archive(key), packed.getvalue())
            self._tidy()

    def _tidy(self) -> None:
        """Delete what killed builds left, and the least recently used archives beyond the limit."""
        for part in self._folder.glob(".*.part"):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                    part.unlink()
        found = []
        for path in self._folder.glob("*.zip"):
            with suppress(OSError):
                told = path.stat()
                found.append((told.st_mtime, told.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._limit:
                break
            with suppress(OSError):
                path.unlink()
            total -= size
