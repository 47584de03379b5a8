"""The optional parts of a device on which choices of the options depend."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from zipsgd.backends import BACKENDS, Backend, BackendOptions, Distributed, open_backend
from zipsgd.protocol.formats import Build

__all__ = ["ALL_PARTS", "Parts", "connected", "parts_of"]


@dataclass(frozen=True)
class Parts:
    """Optional parts of a device.

    Parameters
    ----------
    level_planes : int
        Most base planes of a value on optimal levels; -1 for a device without a table of levels.
    diagonal : bool
        Whether the device corrects the bias of one draw.
    workers : int
        How many such devices share the work; 0 if it is not known.
    """

    level_planes: int
    diagonal: bool
    workers: int = 1

    @classmethod
    def of_build(cls, build: Build) -> "Parts":
        """The parts of a build.

        Parameters
        ----------
        build : Build
            The build.

        Returns
        -------
        Parts
            The parts.
        """
        return cls(build.level_p_max if build.level_bits else -1, bool(build.diagonal))


ALL_PARTS = Parts(8, True)
"""The parts of a device whose build will fit the task."""


def parts_of(backend: str | BackendOptions | Backend) -> Parts:
    """The parts of a backend.

    Parameters
    ----------
    backend : str, BackendOptions or Backend
        The backend that the user chose. A board on a port should be open, see :func:`connected`.

    Returns
    -------
    Parts
        Those of its build. Where a build will be made for the task, all parts but those that the user leaves out.
    """
    if isinstance(backend, str):
        return ALL_PARTS
    workers = backend.capacity() if isinstance(backend, BackendOptions | Distributed) else 1
    if isinstance(backend.build, Build):
        return replace(Parts.of_build(backend.build), workers=workers)
    return replace(ALL_PARTS, diagonal=bool((backend.build or {}).get("diagonal", True)), workers=workers)


@contextmanager
def connected(backend: str | BackendOptions | Backend) -> Iterator[str | BackendOptions | Backend]:
    """Open a board on a port, because only the board knows its parts. Other backends are left as they are.

    Parameters
    ----------
    backend : str, BackendOptions or Backend
        The backend that the user chose.

    Yields
    ------
    str, BackendOptions or Backend
        The open board, or ``backend`` itself.

    Raises
    ------
    DeviceError
        There is no device on the port, or it has another build.
    """
    wanted = BackendOptions(backend) if isinstance(backend, str) else backend
    if not isinstance(wanted, BackendOptions) or wanted.name in BACKENDS:
        yield backend
        return
    board = open_backend(wanted if isinstance(wanted.build, Build) else wanted.with_build(None))
    try:
        yield board
    finally:
        board.close()
