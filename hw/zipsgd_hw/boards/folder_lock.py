"""The lock of a folder, so that two builds do not write to it at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from zipsgd.output import OutputError

__all__ = ["locked_folder"]

_NAME = ".zipsgd.lock"


@contextmanager
def locked_folder(folder: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Make a folder, and keep other builds from it; wait until they have ended.

    The lock is one of the operating system. It ends with its process, however that ends, so that a file that was left behind
    blocks nobody.

    Parameters
    ----------
    folder : Path
        The folder; it is made if it does not exist.
    progress : callable
        Called with a line if another build has the folder, or if its file system has no locks.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    OutputError
        The folder or its lock file cannot be written.
    """
    lock = FileLock(folder / _NAME, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(f"another build writes to {folder}: waiting for its end (--out names another folder)")
            lock.acquire()
    except NotImplementedError:
        progress(f"{folder} is not locked, since its file system has no locks: start no other build in it")
        yield
        return
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; name another folder"
        ) from None
    try:
        yield
    finally:
        (folder / _NAME).unlink(
            missing_ok=True
        )  # while it is held: who has just opened it sees that it is gone
        lock.release()
