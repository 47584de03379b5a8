"""The lock of a checkpoint, so that two runs do not write to the same file."""

import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from zipsgd.output import OutputError

__all__ = ["CheckpointInUse", "locked"]

_log = logging.getLogger(__name__)


class CheckpointInUse(RuntimeError):
    """Another run writes to the checkpoint; the message names its process."""


def _holder(path: Path) -> str:
    """Who holds a lock, as the lock file says."""
    try:
        content = json.loads(path.read_text())
        return f"process {content['process']} on {content['host']}, since {content['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just being written
        return "another process"


@contextmanager
def locked(checkpoint: Path | None) -> Iterator[None]:
    """Keep other runs from a checkpoint.

    The lock is one of the operating system on ``NAME.lock`` beside the checkpoint. It ends with its process, however that ends,
    so that a file that was left behind blocks nobody.

    Parameters
    ----------
    checkpoint : Path or None
        The checkpoint; None locks nothing.

    Raises
    ------
    CheckpointInUse
        Another run holds the lock.
    OutputError
        The lock file cannot be written.
    """
    if checkpoint is None:
        yield
        return
    real = Path(os.path.realpath(checkpoint))
    path = real.with_name(f"{real.name}.lock")
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CheckpointInUse(
            f"{checkpoint} is in use by another run ({_holder(path)}): wait for its end, or name another file"
        ) from None
    except NotImplementedError:
        _log.warning(
            "%s is not locked, since its file system has no locks: let no other run use it", checkpoint
        )
        yield
        return
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; name another checkpoint"
        ) from None
    try:
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        path.write_text(json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": since}))
        yield
    finally:
        path.unlink(
            missing_ok=True
        )  # while the lock is held: a run that has just opened the file sees that it is gone
        lock.release()
