"""Opening the backend of a run."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from zipsgd.backends import BACKENDS, Backend, BackendOptions, Distributed, open_backend
from zipsgd.golden.run import LimitError
from zipsgd.protocol.formats import Build

from .refetching import samples_at_once
from .task import Task

_log = logging.getLogger(__name__)

__all__ = ["check_build", "opened"]


def _wanted_build(wanted: BackendOptions, task: Task) -> Build | None:
    """The build that a backend is opened with.

    Parameters
    ----------
    wanted : BackendOptions
        The backend that the user chose.
    task : Task
        The task.

    Returns
    -------
    Build or None
        The build to emulate or simulate, or the build that a board must have; None if any build on the board will do.
    """
    if isinstance(wanted.build, Build):
        return wanted.build
    if wanted.name in BACKENDS:
        return task.build(wanted.build)
    return None


def check_build(task: Task, build: Build) -> None:
    """Check that a build can train one head of a task.

    Parameters
    ----------
    task : Task
        The task.
    build : Build
        The build.

    Raises
    ------
    LimitError
        The build does not support the task.
    """
    config, samples = task.config, samples_at_once(task.config, build, task.rows)
    config.check(build, samples)
    precision = task.options.precision(diagonal=True)
    if precision.climbs:
        return  # as far as the build goes
    most = max(precision.planes)
    if config.levels is None:
        replace(config, p=max(config.p, most)).check(build, samples)
    elif build.level_p_max < most:
        raise LimitError(
            f"bits of up to {most + precision.draws} take {most} base planes of optimal levels, and this build has up to "
            f"{build.level_p_max}: use fewer bits, or take a build with level_p_max={most}"
        )


def _in_shards(backend: Backend, task: Task) -> Backend:
    """The backend, in front of which the shards of the task are dealt out."""
    options = task.options
    if options.shards == 1:
        workers = backend.capacity() if isinstance(backend, Distributed) else 1
        if workers > 1:
            _log.warning(
                "one shard is trained by one of the %d workers: give shards='auto' to share the work (on the command line: "
                "--shards auto)",
                workers,
            )
        return backend
    from zipsgd.distributed.backend import sharded  # which rests on tasks

    assert isinstance(options.shards, int), "the task was prepared"
    assert options.rounds is not None
    return sharded(backend, options.shards, options.rounds, task.memory)


@contextmanager
def opened(
    backend: str | BackendOptions | Backend,
    task: Task,
    check: Callable[[Build], None] = lambda build: None,
    build: Build | None = None,
) -> Iterator[Backend]:
    """Open a backend for a task, and close it at the end unless it was passed in open.

    Parameters
    ----------
    backend : str, BackendOptions or Backend
        A name, a name with further options, or an open backend.
    task : Task
        The task.
    check : callable
        A further check of the build, which raises an error. It is called before a virtual board is compiled.
    build : Build or None
        The build to use if the user did not choose one; None for one that fits the task.

    Yields
    ------
    Backend
        The open backend.

    Raises
    ------
    LimitError
        The build does not support the task.
    """
    if isinstance(backend, str):
        backend = BackendOptions(backend)
    if not isinstance(backend, BackendOptions):
        check_build(task, backend.build)
        check(backend.build)
        yield _in_shards(backend, task)
        return
    if build is not None and backend.build is None and backend.name in BACKENDS:
        backend = backend.with_build(build)
    found = _wanted_build(backend, task)
    if found is not None:
        check_build(task, found)
        check(found)
    device = open_backend(backend.with_build(found))
    _log.debug("%s: %s", device.name, device.build)
    try:
        check_build(task, device.build)
        check(device.build)
        yield _in_shards(device, task)
    finally:
        device.close()
