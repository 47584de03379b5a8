"""Output files, which are replaced as a whole or not at all. It needs only the standard library."""

import errno
import os
import secrets
import stat
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any

__all__ = ["STANDARD", "OutputError", "check_writable", "is_standard", "save_figure", "write_file"]

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


def _replace(target: Path, content: bytes) -> None:
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    part, descriptor = _part_beside(target)
    try:
        with open(descriptor, "wb") as file:
            _adopt_owner(descriptor, target)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


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
    try:
        if is_standard(path):
            sys.stdout.flush()
            sys.stdout.write(data.decode())
            sys.stdout.flush()
        elif _is_direct(path):
            with path.open("wb") as file:
                file.write(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except BrokenPipeError:
        raise
    except OSError as error:
        whole = os.path.isfile(path) and not _is_direct(path)
        kept = "; it holds what it held before" if whole else ""
        raise OutputError(f"cannot write {path}: {error.strerror or error}{kept}") from None


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
