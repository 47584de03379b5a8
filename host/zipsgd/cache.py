"""The folders of caches: the user's own, or where that cannot be written a private one among the temporary files."""

import os
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "replace_unwritable_cache", "unwritable_cache"]

_HOME = "XDG_CACHE_HOME"
_CHOSEN = "ZIPSGD_CACHE"
_unwritable: list[Path] = []


def _writable(folder: Path) -> bool:
    """Whether a folder can be written, or can be made."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def _private() -> str | None:
    """A folder among the temporary files that nobody else can write; None if there is no place for one."""
    try:
        folder = Path(tempfile.gettempdir()) / f"zipsgd-cache-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        # Machine code is read from it, so somebody else's folder of this name must not do
        if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o022:
            return tempfile.mkdtemp(prefix="zipsgd-cache-")
    except OSError:
        return None
    return str(folder)


def replace_unwritable_cache() -> None:
    """Choose another folder for caches if the user's cannot be written, as in many containers and services.

    The folder is that of ``ZIPSGD_CACHE`` if it is set, or else a private one among the temporary files. It is set as
    ``XDG_CACHE_HOME`` of this process, which Numba and the synthesis tools follow, too.
    """
    home = Path(os.environ.get(_HOME) or os.path.expanduser("~/.cache"))
    if _writable(home):
        return
    folder = os.environ.get(_CHOSEN) or _private()
    if folder is not None:
        os.environ[_HOME] = folder
    _unwritable.append(home)


def unwritable_cache() -> Path | None:
    """The user's cache folder if it cannot be written, so that another one is used."""
    return _unwritable[0] if _unwritable else None


def cache_folder(name: str) -> Path:
    """The folder of one of this package's caches. It need not exist yet.

    Parameters
    ----------
    name : str
        "data" or "boards", for instance.

    Returns
    -------
    Path
        The folder ``name`` in $ZIPSGD_CACHE or, without that variable, in the user's cache folder.
    """
    from platformdirs import user_cache_path  # only now, so that `import zipsgd` is quick

    root = os.environ.get(_CHOSEN)
    return (Path(root) if root else user_cache_path("zipsgd")) / name
