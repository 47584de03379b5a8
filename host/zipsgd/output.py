"""Output files, which are replaced as a whole or not at all. It needs only the standard library."""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

__all__ = [
    "STANDARD",
    "OutputError",
    "check_writable",
    "is_standard",
    "save_figure",
    "write_file",
]

STANDARD = Path("-")
"""The name that stands for standard output."""
_DEVICES = (Path("/dev"), Path("/proc"))
"""Folders whose files are written directly, whatever they are."""


class OutputError(OSError):
    """A file could not be written; the message names it, and says what became of what it held."""


def _is_open(path: Path, stream: IO[str] | None) -> bool:
    """Whether a path leads to the file that a stream of this process writes to."""
    try:
        return stream is not None and os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except (OSError, ValueError, AttributeError):  # no such file; a stream without a descriptor
        return False


def is_standard(path: str | Path | None) -> bool:
    """Whether a path stands for standard output: "-", /dev/stdout, or the file that standard output is redirected to.

    Parameters
    ----------
    path : str, Path or None
        The path.

    Returns
    -------
    bool
        False for None.
    """
    return path is not None and (Path(path) == STANDARD or _is_open(Path(path), sys.stdout))


def _is_direct(path: Path) -> bool:
    """Whether a file cannot be replaced, only written to: a device, a pipe, a socket, or an open file by its number."""
    absolute = Path(os.path.abspath(path))
    if any(folder in absolute.parents for folder in _DEVICES):
        return True
    return os.path.exists(path) and not os.path.isfile(path)


def _part_beside(target: Path) -> tuple[Path, int]:
    """A new file in the folder of ``target``, and its descriptor."""
    part = target.with_name(f".zipsgd-{secrets.token_hex(6)}.part")
    return part, os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)


def _adopt_owner(descriptor: int, target: Path) -> None:
    """Give an open file the permissions of ``target``, and as far as permitted its owner. Without a target: the defaults."""
    with suppress(FileNotFoundError):
        found = target.stat()
        with suppress(OSError):
            os.fchown(descriptor, found.st_uid, found.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode))


def _sync_folder(folder: Path) -> None:
    """Make a replaced name last through a power cut, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A new file, which takes the place of ``target`` at the end, unless an error comes before."""
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    part, descriptor = _part_beside(target)
    try:
        with open(descriptor, "wb") as file:
            _adopt_owner(descriptor, target)
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of writing a file name it, and the cause."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        whole = os.path.isfile(path) and not _is_direct(path)
        kept = "; it holds what it held before" if whole else ""
        raise OutputError(f"cannot write {path}: {error.strerror or error}{kept}") from None


class Replacement:
    """A file that is written a part at a time, and is then there as a whole or not at all, see :func:`write_file`.

    A context manager. Until its end, the parts are in a temporary file, which is removed if an error ends the context.

    Parameters
    ----------
    path : str or Path
        The file: none that is written directly, such as standard output.

    Raises
    ------
    OutputError
        It cannot be written. The message names the file and the cause.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._part = _replacing(Path(os.path.realpath(path)))

    def __enter__(self) -> "Replacement":
        with _told(self._path):
            self._file = self._part.__enter__()
        return self

    def write(self, content: bytes) -> None:
        """Write bytes behind the last ones."""
        with _told(self._path):
            self._file.write(content)

    def seek(self, place: int) -> None:
        """Go on at a place, in bytes from the beginning."""
        with _told(self._path):
            self._file.seek(place)

    def __exit__(self, *raised: Any) -> None:
        if raised[0] is not None:
            with suppress(OSError):  # of writing what is left; the error that came first is told
                self._part.__exit__(*raised)
            return
        with _told(self._path):
            self._part.__exit__(None, None, None)


def write_file(path: str | Path, content: str | bytes) -> None:
    """Write a file as a whole or not at all.

    The content goes to a temporary file in the same folder, which then takes the file's place in one step. At any moment the
    file holds either what it held before or the new content. It keeps its permissions; of a symbolic link, the file that it
    leads to is replaced. Standard output, devices and pipes are written directly.

    Parameters
    ----------
    path : str or Path
        The file. "-" is standard output.
    content : str or bytes
        What to write; text as UTF-8.

    Raises
    ------
    OutputError
        It cannot be written. The message names the file and the cause.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    with _told(path):
        if is_standard(path):
            sys.stdout.flush()
            sys.stdout.write(data.decode())
            sys.stdout.flush()
        elif _is_direct(path):
            with path.open("wb") as file:
                file.write(data)
        else:
            with _replacing(Path(os.path.realpath(path))) as file:
                file.write(data)


def check_writable(path: Path) -> None:
    """Check that :func:`write_file` can write a file, without changing it.

    Parameters
    ----------
    path : Path
        The file. Its folder must exist.

    Raises
    ------
    OutputError
        The file or its folder may not be written.
    """
    if is_standard(path):
        return
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise OutputError(f"cannot write {path}: not permitted; name another place")
    if _is_direct(path):
        return
    target = Path(os.path.realpath(path))
    try:
        part, descriptor = _part_beside(target)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror} in the folder {target.parent}; name another place"
        ) from None
    os.close(descriptor)
    part.unlink()


def save_figure(figure: Any, path: str | Path, dpi: int = 120) -> None:
    """Write a figure as a whole or not at all, see :func:`write_file`.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure.
    path : str or Path
        The file; its suffix is the format, such as .png, .svg or .pdf.
    dpi : int
        Dots per inch.

    Raises
    ------
    OutputError
        The file cannot be written.
    ValueError
        Matplotlib does not know the format.
    """
    drawn = BytesIO()
    figure.savefig(drawn, dpi=dpi, format=Path(path).suffix.removeprefix(".") or "png")
    write_file(path, drawn.getvalue())
